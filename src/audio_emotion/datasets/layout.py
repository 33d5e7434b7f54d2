"""How a published corpus names its files, and the recordings below a path."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..audio import AUDIO_SUFFIXES, audio_files
from ..errors import CorpusError, translated
from .clip import Clip
from .corpus import Corpus, Skipped


@dataclass(frozen=True)
class Recording:
    """A file, or a member of a zip archive, with the suffix of a recording."""

    path: Path
    member: str | None = None

    @property
    def stem(self) -> str:
        """The file name without its suffix."""
        return PurePosixPath(self.member).stem if self.member else self.path.stem

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)


@dataclass(frozen=True)
class Layout:
    """A published corpus whose file names state the facts of each clip."""

    name: str
    licence: str
    citation: str
    pattern: re.Pattern[str]  # of a whole file name without its suffix
    parse: Callable[[re.Match[str]], dict[str, Any]]  # fields of `Clip` from such a name

    def count(self, recordings: Sequence[Recording]) -> int:
        """Return how many recordings follow the pattern."""
        return sum(self.pattern.fullmatch(recording.stem) is not None for recording in recordings)

    def load(self, recordings: Sequence[Recording]) -> Corpus:
        """Return the clips that follow the pattern; of equal names the first is kept.

        Raises:
            CorpusError: no recording follows the pattern.
        """
        clips: dict[str, Clip] = {}
        skipped = []
        for recording in recordings:
            match = self.pattern.fullmatch(recording.stem)
            if not match:
                reason = f"name does not follow {self.name}'s pattern"
                skipped.append(Skipped(str(recording), reason))
            elif match[0] in clips:
                skipped.append(Skipped(str(recording), "found twice"))
            else:
                facts = self.parse(match)
                clips[match[0]] = Clip(
                    name=match[0], path=recording.path, member=recording.member, **facts
                )
        return Corpus(self.name, tuple(clips.values()), self.licence, self.citation, tuple(skipped))


def find_recordings(root: Path) -> list[Recording]:
    """Return the recordings below a folder, then those in its zip archives, sorted by path.

    Args:
        root: a folder, whose subfolders are searched for recordings but not for archives; or one
            zip archive.

    Raises:
        CorpusError: an archive is damaged.
    """
    found = [Recording(path) for path in audio_files(root)] if root.is_dir() else []
    entries = sorted(root.iterdir()) if root.is_dir() else [root]
    for path in (entry for entry in entries if entry.suffix.lower() == ".zip" and entry.is_file()):
        with translated(CorpusError, path), zipfile.ZipFile(path) as archive:
            members = sorted(archive.namelist())
        found += [
            Recording(path, member)
            for member in members
            if PurePosixPath(member).suffix.lower() in AUDIO_SUFFIXES
        ]
    return found
