"""Outputs that appear whole or not at all, and never replace a file unasked."""

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError, translated


def refuse_overwrite(path: Path | None, force: bool = False) -> None:
    """Check that `path` may be written, if there is one.

    Raises:
        OutputError: a file or folder exists at `path` and `force` is false.
    """
    if path and (path.is_file() or path.is_dir()) and not force:
        raise OutputError(f"{path} exists already; name another output or pass --force")


def is_special(path: Path) -> bool:
    """Return whether `path` is a device, a pipe or the like, which is written to as it is."""
    return path.exists() and not path.is_file()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` if the block succeeds.

    Links are followed, an existing file keeps its mode, and devices and pipes are written to.

    Raises:
        OutputError: the file cannot be made or written.
    """
    special = is_special(path)
    target = path if special else Path(os.path.realpath(path))
    folder = Path(tempfile.gettempdir()) if special else target.parent
    temporary = folder / f".{target.stem[:64]}.{secrets.token_hex(4)}{target.suffix}"
    with translated(OutputError, path):
        folder.mkdir(parents=True, exist_ok=True)
        temporary.open("xb").close()
        if target.is_file():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    try:
        with translated(OutputError, path):
            yield temporary
            if special:
                with temporary.open("rb") as source, target.open("wb") as device:
                    shutil.copyfileobj(source, device)
            else:
                temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, atomically."""
    write_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_with(path: Path, save: Callable[[Path], object]) -> None:
    """Let `save` write to the path it is given, and move the result to `path` atomically."""
    with atomic_path(path) as temporary:
        save(temporary)
