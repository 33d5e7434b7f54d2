"""A named set of clips, and how a folder is recognised as one."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ..errors import AudioError, CorpusError
from ..labels import EMOTIONS, parse_label
from .clip import Clip

AUDIO_ENDINGS = frozenset(
    (
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".mp4", ".webm"),
        *(".aif", ".aiff", ".caf", ".wma", ".amr"),
    )
)

SHORT = 8  # hexadecimal digits of a digest that a model file keeps of each clip


@dataclass(frozen=True)
class Corpus:
    """Clips in a fixed order, by name, whatever the file system says."""

    name: str
    clips: tuple[Clip, ...]
    licence: str = "unknown: ask the corpus' owner"
    citation: str = ""
    skipped: tuple[str, ...] = field(default=())  # audio files that carry no label
    members: tuple[str, ...] = ()  # names of the corpora that were joined, the main one first

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", self.members or (self.name,))
        named = (clip if clip.corpus else replace(clip, corpus=self.name) for clip in self.clips)
        object.__setattr__(self, "clips", tuple(sorted(named, key=lambda clip: clip.name)))
        if not self.clips:
            raise CorpusError(f"{self.name}: no labelled recording found")

    def digests(self) -> list[str | None]:
        """SHA-256 of each clip's file, None for one that cannot be read; each is read once."""
        return list(self._digests)

    @cached_property
    def _digests(self) -> tuple[str | None, ...]:
        return tuple(_digest_or_none(clip) for clip in self.clips)


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Several corpora as one; each clip's name begins with its corpus' when there are several.

    Raises:
        CorpusError: two of them have the same name.
    """
    if len(corpora) == 1:
        return corpora[0]
    names = [corpus.name for corpus in corpora]
    if len(set(names)) < len(names):
        raise CorpusError(f"two corpora have one name among {', '.join(names)}: rename a folder")
    return Corpus(
        " + ".join(names),
        tuple(replace(c, name=f"{c.corpus}/{c.name}") for corpus in corpora for c in corpus.clips),
        "; ".join(f"{corpus.name}: {corpus.licence}" for corpus in corpora),
        "; ".join(corpus.citation for corpus in corpora if corpus.citation),
        tuple(path for corpus in corpora for path in corpus.skipped),
        tuple(names),
    )


def relabel(corpus: Corpus, labels: Sequence[str]) -> Corpus:
    """The clips whose emotion is one of `labels`, as labels of that set; the others are skipped.

    Raises:
        CorpusError: none is.
    """
    if tuple(labels) == EMOTIONS:
        return corpus
    named = [(clip, parse_label(clip.label.label, labels)) for clip in corpus.clips]
    return replace(
        corpus,
        clips=tuple(replace(clip, label=label) for clip, label in named if label is not None),
        skipped=(*corpus.skipped, *(str(clip.path) for clip, label in named if label is None)),
    )


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


def shorten(digest: str) -> str:
    """The beginning of a digest: enough to tell the clips of any corpus apart."""
    return digest[:SHORT]


def heard(short_digests: str) -> set[str]:
    """The set that was written as one text of short digests.

    >>> sorted(heard("0123456789abcdef"))
    ['01234567', '89abcdef']
    """
    return {short_digests[at : at + SHORT] for at in range(0, len(short_digests), SHORT)}


def audio_files(root: Path) -> list[Path]:
    """Every file below `root` with the ending of a recording, in the order of their paths."""
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO_ENDINGS)


def _digest_or_none(clip: Clip) -> str | None:
    try:
        return clip.digest()
    except AudioError:
        return None
