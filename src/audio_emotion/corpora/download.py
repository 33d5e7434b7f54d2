"""A corpus from its publisher: fetched with resume, verified, unpacked whole or not at all.

Nothing that comes over the wire is trusted before its checksum fits, and no name inside an archive
ever: a name that leads out of its folder ends the unpacking before a byte is written.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import requests
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from ..errors import DownloadError
from .ravdess import matches

CHUNK = 1 << 14  # bytes; a dying connection loses less than one
MAX_BYTES = 2 << 30  # of one archive, and of what is in it: far above any published here
ATTEMPTS = 5
TIMEOUT = 30.0  # s without a byte


@dataclass(frozen=True)
class Archive:
    """A published file and the MD5 sum that its publisher gives."""

    name: str
    md5: str


ZENODO = "https://zenodo.org/records/1188976/files"
RAVDESS = (
    Archive("Audio_Speech_Actors_01-24.zip", "bc696df654c87fed845eb13823edef8a"),
    Archive("Audio_Song_Actors_01-24.zip", "5411230427d67a21e18aa4d466e6d1b9"),
)


def download_ravdess(
    out: Path,
    *,
    base_url: str = ZENODO,
    archives: tuple[Archive, ...] = RAVDESS,
    pause: float = 2.0,
) -> Path:
    """Fetch, verify and unpack RAVDESS below `out`; what is there already is left alone.

    Args:
        out: folder that gets a folder for each archive.
        base_url: where the archives lie.
        archives: which, with their sums.
        pause: seconds before the first retry, doubled before each further one.

    Raises:
        DownloadError: the server does not answer, an archive has another sum than published, or
            one holds a name that leads out of its folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        target = out / Path(archive.name).stem
        if target.exists():
            continue
        path = out / archive.name
        if not (path.exists() and md5(path) == archive.md5):
            fetch(f"{base_url}/{archive.name}?download=1", path, archive.md5, pause=pause)
        unpack(path, target)
        path.unlink()
    return out


def fetch(url: str, path: Path, expected_md5: str, *, pause: float = 2.0) -> None:
    """Download `url` to `path`; a connection that dies is taken up where it stopped.

    The bytes gather in `path` + `.part`, which also survives a killed process, and get their name
    only when their MD5 sum fits.

    Raises:
        DownloadError: no success after several attempts, more bytes than any archive has, or a
            wrong sum, in which case the bytes are deleted.
    """
    part = path.with_name(path.name + ".part")
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            _continue(url, part)
            break
        except requests.RequestException as error:
            reason = error
            if not _worth_retrying(error):
                raise DownloadError(f"{url}: {error}") from error
    else:
        raise DownloadError(
            f"{url}: gave up after {ATTEMPTS} attempts ({reason}); run the same command again to "
            "go on where it stopped"
        ) from reason
    found = md5(part)
    if found != expected_md5:
        part.unlink()
        raise DownloadError(
            f"{url} has the MD5 sum {found}, published is {expected_md5}: the file was deleted; "
            "try again, and if it stays so, the publisher's file has changed"
        )
    part.replace(path)


def unpack(archive: Path, target: Path) -> None:
    """Unpack the recordings in `archive` to the new folder `target`, all of them or none.

    Raises:
        DownloadError: the archive is damaged, unreasonably large, or holds a name that leads out
            of its folder.
    """
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        with zipfile.ZipFile(archive) as opened:
            members = list(_members(opened))
            budget = MAX_BYTES
            for member, relative in members:
                budget -= _extract(opened, member, temporary / relative, budget)
        if not members:
            raise DownloadError(f"{archive} holds no recordings")
        temporary.chmod(0o755)
        temporary.replace(target)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise DownloadError(f"{archive} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def md5(path: Path) -> str:
    """MD5 sum of a file, in hexadecimal: the sum that Zenodo publishes."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _continue(url: str, part: Path) -> None:
    """Append to `part` what it lacks; from the start where the server knows no ranges."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # all of it is there already; the sum will tell
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        have = have if resumed else 0
        announced = int(response.headers.get("Content-Length", 0)) or None
        with part.open("ab" if resumed else "wb") as file:
            for chunk in _shown(response, part.name, have, announced):
                have += len(chunk)
                if have > MAX_BYTES:
                    raise DownloadError(f"{url} sends more than {MAX_BYTES} bytes; stopped")
                file.write(chunk)


def _shown(
    response: requests.Response, name: str, have: int, announced: int | None
) -> Iterator[bytes]:
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        total = have + announced if announced else None
        task = progress.add_task(name.removesuffix(".part"), total=total, completed=have)
        for chunk in response.iter_content(CHUNK):
            progress.advance(task, len(chunk))
            yield chunk


def _worth_retrying(error: requests.RequestException) -> bool:
    """A dead connection or a server in trouble, but not «there is no such file»."""
    return error.response is None or error.response.status_code >= 500


def _members(opened: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Recordings with their harmless relative paths."""
    for member in opened.infolist():
        name = PurePosixPath(member.filename)
        unsafe = name.is_absolute() or ".." in name.parts or "\\" in member.filename
        link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if unsafe or link or ":" in member.filename:
            raise DownloadError(
                f"{opened.filename} holds {member.filename!r}, which leads out of its folder; "
                "nothing was unpacked"
            )
        if not member.is_dir() and matches(name.stem):
            yield member, name


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, budget: int) -> int:
    """Unpack one member, counting the bytes that come and not those its header announces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(member) as source, path.open("wb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > budget:
                raise DownloadError(f"{opened.filename} unpacks to more than {MAX_BYTES} bytes")
            file.write(chunk)
    return written
