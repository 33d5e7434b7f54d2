"""Outputs that appear whole or not at all, and never replace a file unasked."""

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from .errors import OutputError, translated

TOKEN = 4  # bytes by which temporary files differ


def refuse_overwrite(path: Path | None, force: bool = False) -> None:
    """Check that `path` may be written, if there is one.

    Raises:
        OutputError: a file or folder exists at `path` and `force` is false.
    """
    if path and (path.is_file() or path.is_dir()) and not force:
        raise OutputError(f"{path} exists already; name another output or pass --force")


def contents(folder: Path) -> list[Path]:
    """Return what is in a folder, if there is one, but for what a killed process left."""
    paths = folder.iterdir() if folder.is_dir() else []
    return [path for path in paths if not path.name.startswith(".")]


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
    with translated(OutputError, path):
        folder.mkdir(parents=True, exist_ok=True)
        temporary, lock = _temporary(folder, f".{target.stem[:64]}.", target.suffix)
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
        lock.close()


def locked(path: Path) -> FileIO | None:
    """Open a file, made if need be, that no other process has; None if one has it.

    The file is free again once it is closed, or its process ends in any way.
    """
    while True:
        file = FileIO(path, "a+")
        if _lock(file) is False:
            file.close()
            return None
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()  # somebody removed it in between


def _lock(file: FileIO) -> bool | None:
    """Return whether a file is ours from now on, or None if nobody can know."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ModuleNotFoundError, OSError):  # Windows, and file systems without locks
        return None
    return True


def _temporary(folder: Path, prefix: str, suffix: str) -> tuple[Path, FileIO]:
    """Make a file, and remove those that killed processes left."""
    name = re.compile(re.escape(prefix) + f"[0-9a-f]{{{2 * TOKEN}}}" + re.escape(suffix))
    for left in (path for path in folder.iterdir() if name.fullmatch(path.name)):
        with suppress(OSError), FileIO(left, "r+") as file:
            if _lock(file):
                left.unlink()
    while True:
        temporary = folder / f"{prefix}{secrets.token_hex(TOKEN)}{suffix}"
        lock = locked(temporary)
        if lock:
            return temporary, lock


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, atomically."""
    write_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_with(path: Path, save: Callable[[Path], object]) -> None:
    """Let `save` write to the path it is given, and move the result to `path` atomically."""
    with atomic_path(path) as temporary:
        save(temporary)
