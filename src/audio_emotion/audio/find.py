"""Find recordings in folders."""

import glob
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import AudioError

AUDIO_SUFFIXES = frozenset(
    (
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".mp4", ".webm"),
        *(".aif", ".aiff", ".caf", ".wma", ".amr", ".mka", ".mkv", ".mov", ".3gp", ".flv", ".ts"),
        *(".avi", ".w64", ".rf64", ".au", ".wv", ".ac3", ".sph"),
    )
)


def audio_files(root: Path) -> list[Path]:
    """Return every file below `root` with the suffix of a recording, sorted by path.

    Linked folders are followed once. Folders that cannot be read are skipped with a warning, names
    that begin with a dot without one.
    """
    return sorted(walk_audio(root))


def walk_audio(root: Path) -> Iterator[Path]:
    """Yield what `audio_files` returns, folder by folder, so that memory holds one folder."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, onerror=_warn, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(folder, name) for name in sorted(names) if is_audio_name(name))
        yield from (path for path in paths if path.is_file())


def is_audio_name(name: str) -> bool:
    """Return whether a file name has the suffix of a recording and does not begin with a dot."""
    return not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES


def _warn(error: OSError) -> None:
    warnings.warn(f"{error.filename} is skipped: {error.strerror}", stacklevel=3)


def expand(arguments: Iterable[str]) -> Iterator[Path]:
    """Yield the files that a command line names: files, recordings below folders, patterns.

    Raises:
        AudioError: a folder holds no recording, or a pattern matches nothing.
    """
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = audio_files(path)
            if not found:
                raise AudioError(f"{path} holds no recording (wav, flac, ogg, mp3, m4a, …)")
            yield from found
        elif not path.exists() and glob.has_magic(argument):
            matched = sorted(
                map(Path, glob.glob(argument, recursive=True))  # noqa: PTH207  Path.glob refuses absolute patterns
            )
            files = [match for match in matched if match.is_file()]
            if not files:
                raise AudioError(f"no file matches {argument}")
            yield from files
        else:
            yield path
