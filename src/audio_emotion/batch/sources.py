"""Where the recordings of a batch are: folders, patterns, lists, tar archives, buckets.

A source that ends in .txt, .csv, .tsv or .parquet is a list; one that ends in .tar is an archive,
whose members are read in place.  Listing yields one recording at a time; of an object store it
holds the listing of one folder, or of all that a pattern matches.
"""

import csv
import glob
import io
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from ..audio import is_audio_name, walk_audio
from ..errors import AudioError, translated
from .rows import carried_name
from .storage import file_system, is_url, unmasked

LISTS = (".txt", ".csv", ".tsv", ".parquet")
NAMES = ("uri", "path")  # columns of a list that name the recording
SIZE = "size"  # a column that saves a look at each file
VERSIONS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created")  # of fsspec's info


@dataclass(frozen=True)
class Item:
    """A recording to predict."""

    uri: str  # absolute path or URL; tar://MEMBER::ARCHIVE for a member of an archive
    size: int | None = None  # bytes
    version: str | None = None  # etag or time of modification
    offset: int | None = None  # in the archive, in bytes
    carried: dict[str, Any] = field(default_factory=dict)  # further columns of a list


def find(sources: Sequence[str], path_column: str = "") -> Iterator[Item]:
    """Yield the recordings of all sources.

    Args:
        sources: as the command takes them.
        path_column: of lists, with paths that start at the list's folder; they become absolute.

    Raises:
        AudioError: a source does not exist, cannot be read or holds no recording.
    """
    for source in sources:
        item = None
        for item in _found(source, path_column):
            yield item
        if item is None:
            raise AudioError(f"{source} holds no recording (wav, flac, ogg, mp3, m4a, …)")


def carried_columns(sources: Sequence[str]) -> dict[str, pa.DataType]:
    """Return the further columns of all lists, as text where two lists disagree on a type."""
    found: dict[str, pa.DataType] = {}
    for source in filter(_is_list, sources):
        for name, kind in _columns(source).items():
            found[name] = kind if found.get(name, kind) == kind else pa.string()
    return found


def _found(source: str, path_column: str) -> Iterator[Item]:
    path = Path(source)
    if _is_list(source):
        yield from _listed(source, path_column)
    elif source.lower().endswith(".tar"):
        yield from _archived(source)
    elif is_url(source):
        yield from _remote(source)
    elif path.is_dir():
        yield from map(_local, walk_audio(path))
    elif not path.exists() and glob.has_magic(source):
        found = sorted(glob.glob(source, recursive=True))  # noqa: PTH207  refuses absolute patterns
        yield from (_local(Path(name)) for name in found if Path(name).is_file())
    elif path.is_file():
        yield _local(path)
    else:
        raise AudioError(f"{source} does not exist, or is no regular file")


def _is_list(source: str) -> str | None:
    """Return the suffix of a list, or None for anything else."""
    return next((suffix for suffix in LISTS if source.lower().endswith(suffix)), None)


def _local(path: Path, carried: dict[str, Any] | None = None) -> Item:
    try:
        stat = path.stat()
    except OSError:  # a list may name what is not there, which then becomes a row
        return Item(str(path.absolute()), carried=carried or {})
    time = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat()
    return Item(str(path.absolute()), stat.st_size, time, carried=carried or {})


def _remote(source: str) -> Iterator[Item]:
    fs, path = file_system(source)
    http = source.startswith(("http://", "https://"))
    with translated(AudioError, source):
        if not http and glob.has_magic(path):
            infos = fs.glob(path, detail=True).values()
            yield from (_stored(fs, info) for info in infos if info["type"] == "file")
        elif http:
            yield _stored(fs, _asked(fs, path))
        elif fs.isfile(path):
            yield _stored(fs, fs.info(path))
        else:
            for _, _, infos in fs.walk(path, detail=True):
                names = sorted(name for name in infos if is_audio_name(name))
                yield from (_stored(fs, infos[name]) for name in names)


def _asked(fs: Any, url: str) -> Any:
    try:
        return fs.info(url)
    except FileNotFoundError as error:
        cause = unmasked(error)
        if cause is error:
            raise
        raise AudioError(f"{url} cannot be reached: {cause}") from error


def _stored(fs: Any, info: dict[str, Any]) -> Item:
    version = next((info[key] for key in VERSIONS if info.get(key)), None)
    text = version.isoformat() if isinstance(version, datetime) else version
    uri = str(fs.unstrip_protocol(info["name"]))
    return Item(uri, info.get("size"), None if text is None else str(text).strip('"'))


def _archived(source: str) -> Iterator[Item]:
    uri = source if is_url(source) else str(Path(source).absolute())
    with _opened(uri) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    archive.members = []  # type: ignore[attr-defined]  # it would keep all of them
                    if member.isfile() and is_audio_name(Path(member.name).name):
                        name = f"tar://{member.name}::{uri}"
                        yield Item(name, member.size, str(member.mtime), member.offset_data)
        except tarfile.TarError as error:
            raise AudioError(f"{source} is not a readable, uncompressed tar archive") from error


def _listed(source: str, path_column: str) -> Iterator[Item]:
    for row in _rows(source):
        name = next((row.pop(key) for key in NAMES if row.get(key)), None)
        if not name:
            raise AudioError(f"{source}: a line names no recording; a column must be uri or path")
        size = row.pop(SIZE, None)
        carried = {key: value for key, value in row.items() if key not in NAMES}
        column = next((key for key in carried if carried_name(key) == path_column), "")
        if carried.get(column) and not is_url(source):
            carried[column] = str((Path(source).parent / carried[column]).absolute())
        if is_url(name):
            yield Item(name, int(size) if size else None, carried=carried)
        elif is_url(source):
            yield Item(f"{source.rpartition('/')[0]}/{name}", carried=carried)
        else:
            yield _local(Path(source).parent / name, carried)


def _rows(source: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a list with their columns."""
    kind = _is_list(source)
    with _opened(source) as file:
        if kind == ".parquet":
            for batch in pq.ParquetFile(file).iter_batches():
                yield from batch.to_pylist()
            return
        with io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            if kind == ".txt":
                yield from ({"path": line.strip()} for line in text if line.strip())
            else:
                yield from _reader(text)


def _columns(source: str) -> dict[str, pa.DataType]:
    """Return the columns of a list that are carried along."""
    kind, columns = _is_list(source), {}
    with _opened(source) as file:
        if kind == ".parquet":
            schema = pq.read_schema(file)
            columns = dict(zip(schema.names, schema.types, strict=True))
        elif kind != ".txt":
            with io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
                columns = dict.fromkeys(_reader(text).fieldnames or (), pa.string())
    return {name: kind for name, kind in columns.items() if name not in (*NAMES, SIZE)}


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    fs, path = file_system(source)
    with translated(AudioError, source), fs.open(path, "rb") as file:
        yield file


def _reader(text: TextIO) -> "csv.DictReader[str]":
    """Read a table whose columns lie between commas, semicolons or tabs."""
    first = text.readline()
    text.seek(0)
    return csv.DictReader(text, delimiter=max(",;\t", key=first.count))
