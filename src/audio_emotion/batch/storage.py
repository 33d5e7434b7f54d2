"""Files here and in object stores, by path or URL, through fsspec."""

import os
import posixpath
import tempfile
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from fsspec.core import url_to_fs

from ..errors import ConfigError, OutputError, translated
from ..files import write_with

NO_CACHE = {"use_listings_cache": False}  # of file systems: a cached listing grows and gets old


def is_url(name: str) -> bool:
    """Return whether `name` is a URL, and not a path of this machine.

    >>> is_url("s3://bucket/a.wav"), is_url("/data/a.wav")
    (True, False)
    """
    return "://" in name


def file_system(name: str) -> tuple[Any, str]:
    """Return fsspec's file system for a path or URL, and what it calls the file.

    Raises:
        ConfigError: nothing is installed that reads such URLs.
    """
    try:
        return url_to_fs(name, **(NO_CACHE if is_url(name) else {}))  # type: ignore[no-any-return]
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{name}: {error}") from error


def unmasked(error: Exception) -> Exception:
    """Return what went wrong where fsspec says of any failure over HTTP that a file is missing.

    A file that is missing indeed gives `error` itself, as do all errors of other stores.
    """
    cause = error.__cause__
    http = isinstance(cause, TimeoutError) or type(cause).__module__.startswith("aiohttp.")
    if not (isinstance(error, FileNotFoundError) and isinstance(cause, Exception) and http):
        return error
    return error if getattr(cause, "status", None) == HTTPStatus.NOT_FOUND else cause


class Folder:
    """A folder whose files appear whole or not at all: by rename here, by one PUT in a store.

    Args:
        name: a path or URL.
    """

    def __init__(self, name: str) -> None:
        self.name = name if is_url(name) else str(Path(name).absolute())
        self.local = not is_url(name)
        self._fs, self._root = file_system(self.name)

    def names(self) -> list[str]:
        """Return the names of the files in it, sorted; none if it does not exist."""
        try:
            found = self._fs.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        return sorted(posixpath.basename(path) for path in found)

    def exists(self, name: str) -> bool:
        """Return whether it holds a file."""
        return bool(self._fs.exists(self.path(name)))

    def path(self, name: str) -> str:
        """Return what the file system calls a file."""
        return f"{self._root.rstrip('/')}/{name}"

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading and seeking.

        Raises:
            OutputError: it cannot be opened.
        """
        with translated(OutputError, f"{self.name}/{name}"):
            return self._fs.open(self.path(name), "rb")  # type: ignore[no-any-return]

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self.exists(name):
            self._fs.rm_file(self.path(name))

    def write(self, name: str, save: Callable[[Path], object], *, once: bool = False) -> None:
        """Let `save` write to the local path it is given, and move the result to `name`.

        Args:
            name: of the file.
            save: is given a path.
            once: keep the file of another process that wrote it meanwhile; object stores cannot.

        Raises:
            OutputError: it cannot be written.
        """
        with translated(OutputError, f"{self.name}/{name}"):
            if not self.local:
                with tempfile.TemporaryDirectory() as folder:
                    save(Path(folder, name))
                    self._fs.put_file(str(Path(folder, name)), self.path(name))
            elif once:
                self._link(Path(self.path(name)), save)
            else:
                write_with(Path(self.path(name)), save)

    def _link(self, path: Path, save: Callable[[Path], object]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            save(Path(folder, path.name))
            with suppress(FileExistsError):
                os.link(Path(folder, path.name), path)
