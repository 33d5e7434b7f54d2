"""Find recordings in folders."""

import glob
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
    """Return every file below `root` with the suffix of a recording, sorted by path."""
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)


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
