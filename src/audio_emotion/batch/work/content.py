"""The bytes of a recording, from wherever it is, and their SHA-256."""

import errno
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from ...errors import AudioError, ConfigError, translated
from ..storage import file_system, is_url, unmasked

IN_MEMORY = 32 << 20  # bytes of a recording; more go to a temporary file
WAITS = (0.5, 1.0, 2.0, 4.0)  # s before another try
CHUNK = 1 << 20  # bytes copied at a time
PERMANENT = (
    *(AudioError, ConfigError, FileNotFoundError, PermissionError),
    *(IsADirectoryError, NotADirectoryError),
)
REPEATABLE = {408, 425, 429}  # statuses of HTTP below 500 that may pass
PASSING = {  # of a file system on a network
    *(errno.ETIMEDOUT, errno.ESTALE, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN),
}
T = TypeVar("T")


class TransientError(Exception):
    """A recording cannot be reached now, and perhaps later."""


@contextmanager
def opened(item: dict[str, Any]) -> Iterator[tuple[BinaryIO, str]]:
    """Open a recording of the plan for reading and seeking.

    Yields:
        The file, and its SHA-256 in hexadecimal digits.

    Raises:
        AudioError: it does not exist, or may not be read.
        ConfigError: nothing is installed that reads such URLs.
        TransientError: it cannot be reached, after several tries.
    """
    uri, offset, size = item["uri"], item["offset"], item["size"]
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
        file = cast(BinaryIO, copy)
        if is_url(uri):
            where = uri if offset is None else uri.partition("::")[2]
            retried(uri, lambda: _copy(where, offset, size, file), is_url(where))
        else:
            file = retried(uri, lambda: _open(Path(uri)))
        with file:
            yield file, retried(uri, lambda: _digest(file))


def retried(uri: str, call: Callable[[], T], remote: bool = False) -> T:
    """Return what a call returns, after further tries if its error may pass.

    Args:
        uri: of the recording, for messages.
        call: what to try.
        remote: whether errors that are not known to be permanent may pass.

    Raises:
        AudioError: it does not exist, or may not be read.
        TransientError: the error has not passed.
    """
    for wait in (*WAITS, None):
        try:
            return call()
        except Exception as error:
            cause = unmasked(error)
            if not is_transient(cause, remote):
                with translated(AudioError, uri):
                    raise
            if wait is None:
                raise TransientError(f"{uri}: {cause or type(cause).__name__}") from error
        time.sleep(wait)
    raise AssertionError


def is_transient(error: Exception, remote: bool = False) -> bool:
    """Return whether an error may pass: of a network, a server, a file system on a network."""
    status = getattr(error, "status", None)
    if isinstance(error, PERMANENT):
        return False
    if isinstance(status, int):  # of HTTP
        return status >= 500 or status in REPEATABLE
    passing = isinstance(error, TimeoutError | ConnectionError)
    return remote or passing or getattr(error, "errno", None) in PASSING


def _open(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        raise AudioError(f"{path} is no regular file")
    return path.open("rb")


def _copy(where: str, offset: int | None, size: int | None, copy: BinaryIO) -> None:
    """Copy a recording from another machine, or out of an archive."""
    copy.seek(0)
    copy.truncate()
    fs, path = file_system(where)
    if size is None or size > IN_MEMORY:
        with fs.open(path, "rb") as source:
            _copy_part(source, offset, size, copy)
    elif offset is None:
        copy.write(fs.cat_file(path))
    else:
        copy.write(fs.cat_file(path, start=offset, end=offset + size))


def _copy_part(source: BinaryIO, offset: int | None, size: int | None, copy: BinaryIO) -> None:
    if offset is None or size is None:
        shutil.copyfileobj(source, copy, CHUNK)
        return
    source.seek(offset)
    while size and (chunk := source.read(min(size, CHUNK))):
        copy.write(chunk)
        size -= len(chunk)


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
