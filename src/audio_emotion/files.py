"""Outputs that appear whole or not at all, and never replace a file unasked."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError, translated


def refuse_overwrite(path: Path | None, force: bool = False) -> None:
    """Check that `path` may be written, if there is one.

    Raises:
        OutputError: something exists at `path` and `force` is false.
    """
    if path and path.exists() and not force:
        raise OutputError(f"{path} exists already; name another output or pass --force")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` if the block succeeds.

    Raises:
        OutputError: the file cannot be made or written.
    """
    with translated(OutputError, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with translated(OutputError, path):
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, atomically."""
    write_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_with(path: Path, save: Callable[[Path], object]) -> None:
    """Let `save` write to the path it is given, and move the result to `path` atomically."""
    with atomic_path(path) as temporary:
        save(temporary)
