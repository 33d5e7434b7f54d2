"""A named set of clips, and how a folder is recognised as one."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import AudioError, CorpusError
from .clip import Clip

AUDIO_ENDINGS = frozenset(
    (
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".mp4", ".webm"),
        *(".aif", ".aiff", ".caf", ".wma", ".amr"),
    )
)


@dataclass(frozen=True)
class Corpus:
    """Clips in a fixed order, by name, whatever the file system says."""

    name: str
    clips: tuple[Clip, ...]
    licence: str = "unknown: ask the corpus' owner"
    citation: str = ""
    skipped: tuple[str, ...] = field(default=())  # audio files that carry no label

    def __post_init__(self) -> None:
        object.__setattr__(self, "clips", tuple(sorted(self.clips, key=lambda clip: clip.name)))
        if not self.clips:
            raise CorpusError(f"{self.name}: no labelled recording found")

    def digests(self) -> list[str | None]:
        """SHA-256 of each clip's file, None for one that cannot be read."""
        return [_digest_or_none(clip) for clip in self.clips]


def duplicates(clips: Iterable[Clip], digests: Iterable[str | None]) -> list[list[str]]:
    """Names of clips that are byte-identical, a list for each set of them."""
    names: dict[str, list[str]] = defaultdict(list)
    for clip, digest in zip(clips, digests, strict=True):
        if digest is not None:
            names[digest].append(clip.name)
    return [group for group in names.values() if len(group) > 1]


def fingerprint(digests: Iterable[str | None]) -> str:
    """One SHA-256 for a set of clips, whatever their names and order."""
    present = sorted(digest for digest in digests if digest is not None)
    return hashlib.sha256("\n".join(present).encode()).hexdigest()


def audio_files(root: Path) -> list[Path]:
    """Every file below `root` with the ending of a recording, in the order of their paths."""
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO_ENDINGS)


def _digest_or_none(clip: Clip) -> str | None:
    try:
        return clip.digest()
    except AudioError:
        return None
