"""Download a corpus from its publisher: resumable, verified, unpacked whole or not at all.

Nothing is trusted before its checksum matches, and no name inside an archive ever is: if one leads
out of its folder, nothing is unpacked.
"""

import hashlib
import shutil
import stat
import time
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import requests
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from ..errors import DownloadError, translated
from .layouts.ravdess import RAVDESS

CHUNK = 1 << 14  # bytes; a broken connection loses less than one
MAX_BYTES = 2 << 30  # of an archive, packed and unpacked: far more than any here needs
ATTEMPTS = 5
TIMEOUT = 30.0  # s without data


@dataclass(frozen=True)
class Archive:
    """A published file and its published MD5 sum."""

    name: str
    md5: str


ZENODO = "https://zenodo.org/records/1188976/files"
ARCHIVES = (
    Archive("Audio_Speech_Actors_01-24.zip", "bc696df654c87fed845eb13823edef8a"),
    Archive("Audio_Song_Actors_01-24.zip", "5411230427d67a21e18aa4d466e6d1b9"),
)


def download_ravdess(
    out: Path,
    *,
    base_url: str = ZENODO,
    archives: tuple[Archive, ...] = ARCHIVES,
    pause: float = 2.0,
) -> Path:
    """Fetch, verify and unpack RAVDESS; archives that were unpacked before are kept as they are.

    Args:
        out: folder in which each archive gets a folder.
        base_url: address of the folder that holds the archives.
        archives: the files to fetch.
        pause: seconds before the first retry; doubled before each further one.

    Returns:
        `out`.

    Raises:
        DownloadError: the server does not answer, an archive does not match its published sum, or
            an archive holds a name that leads out of its folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        target, path = out / Path(archive.name).stem, out / archive.name
        have = path.exists() and md5(path) == archive.md5
        if not target.exists():
            if not have:
                fetch(f"{base_url}/{archive.name}?download=1", path, archive.md5, pause=pause)
            unpack(path, target)
            have = True
        if have:  # also where a kill came right before
            path.unlink()
    return out


def fetch(url: str, path: Path, expected_md5: str, *, pause: float = 2.0) -> None:
    """Download `url` to `path`, resuming after a broken connection.

    The data are collected in `path` + `.part`, from which a later call resumes, and renamed once
    their MD5 sum matches.

    Raises:
        DownloadError: every attempt failed, the file is too large, or the sum does not match, in
            which case the data are deleted.
    """
    part = path.with_name(path.name + ".part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue(url, part)
            break
        except requests.RequestException as error:
            if error.response is not None and error.response.status_code < 500:  # our mistake
                raise DownloadError(f"{url}: {error}") from error
            if attempt == ATTEMPTS:
                raise DownloadError(
                    f"{url}: gave up after {ATTEMPTS} attempts ({error}); run the same command "
                    "again to resume the download"
                ) from error
        time.sleep(pause * 2 ** (attempt - 1))
    found = md5(part)
    if found != expected_md5:
        part.unlink()
        raise DownloadError(
            f"{url} has the MD5 sum {found}, but {expected_md5} was published; the file was "
            "deleted: try again, and if that fails the publisher has changed the file"
        )
    part.replace(path)


def unpack(archive: Path, target: Path) -> None:
    """Unpack the recordings in `archive` to the new folder `target`, all or none.

    Raises:
        DownloadError: the archive is damaged or too large, or holds a name that leads out of its
            folder.
    """
    temporary = target.with_name(f".{target.name}.part")  # which loaders skip
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed process left
    try:
        with translated(DownloadError, archive), zipfile.ZipFile(archive) as opened:
            members = _recordings(opened)
            # A member never unpacks to more than its header states.
            if sum(member.file_size for member in members) > MAX_BYTES:
                raise DownloadError(f"{archive} unpacks to more than {MAX_BYTES} bytes")
            opened.extractall(temporary, members)
            temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def md5(path: Path) -> str:
    """Return the MD5 sum of a file in hexadecimal, as Zenodo publishes it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _continue(url: str, part: Path) -> None:
    """Append the missing data to `part`, or start again if the server does not support ranges."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # the file is complete; its sum is checked by the caller
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0
        length = int(response.headers.get("Content-Length", 0))
        total = have + length if length else None
        columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with part.open("ab" if have else "wb") as file, Progress(*columns) as progress:
            task = progress.add_task(part.stem, total=total, completed=have)
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                progress.advance(task, len(chunk))
                if file.tell() > MAX_BYTES:
                    raise DownloadError(f"{url} sends more than {MAX_BYTES} bytes; stopped")


def _recordings(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members to unpack, after a check that no name leads out of the folder."""
    found = []
    for member in opened.infolist():
        name = PurePosixPath(member.filename)
        unsafe = name.is_absolute() or ".." in name.parts or set("\\:") & set(member.filename)
        if unsafe or stat.S_ISLNK(member.external_attr >> 16):
            raise DownloadError(
                f"{opened.filename} holds {member.filename!r}, which leads out of its folder: "
                "nothing was unpacked"
            )
        if not member.is_dir() and RAVDESS.pattern.fullmatch(name.stem):
            found.append(member)
    if not found:
        raise DownloadError(f"{opened.filename} holds no RAVDESS recordings")
    return found
