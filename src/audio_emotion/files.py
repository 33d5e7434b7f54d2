"""Outputs that appear whole or not at all, and never over another unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


def refuse_overwrite(path: Path, force: bool = False) -> None:
    """Raises:
    OutputError: something is at `path` already and `force` is not given.
    """
    if path.exists() and not force:
        raise OutputError(f"{path} exists already; name another output or pass --force")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends without an error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`text` in UTF-8 at `path`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_with(path: Path, save: Callable[[Path], object]) -> None:
    """What `save` writes to the path it is given, at `path`, atomically."""
    with atomic_path(path) as temporary:
        save(temporary)
