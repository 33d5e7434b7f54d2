"""A named set of clips, and several of them joined into one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePath

from ..errors import AudioError, CorpusError
from .clip import Clip

SHOWN = 3  # names of skipped recordings in a summary


@dataclass(frozen=True)
class Skipped:
    """A recording that is not part of the corpus, and why."""

    path: str
    reason: str
    corpus: str = ""  # set by the corpus


@dataclass(frozen=True)
class Corpus:
    """Clips sorted by name, so that their order does not depend on the file system."""

    name: str
    clips: tuple[Clip, ...]
    licence: str = "unknown: ask the owner of the corpus"
    citation: str = ""
    skipped: tuple[Skipped, ...] = ()
    members: tuple[str, ...] = ()  # names of the corpora that were joined, the main one first

    def __post_init__(self) -> None:
        clips = (c if c.corpus else replace(c, corpus=self.name) for c in self.clips)
        skipped = (s if s.corpus else replace(s, corpus=self.name) for s in self.skipped)
        object.__setattr__(self, "clips", tuple(sorted(clips, key=lambda clip: clip.name)))
        object.__setattr__(self, "skipped", tuple(skipped))
        object.__setattr__(self, "members", self.members or (self.name,))
        if not self.clips:
            raise CorpusError(
                "; ".join([f"{self.name}: no labelled recording found", *self.skipped_summary()])
            )

    def digests(self) -> list[str | None]:
        """Return the SHA-256 of each clip, None if it is unreadable; each file is read once."""
        return list(self._digests)

    def skipped_summary(self) -> list[str]:
        """Return a line for each reason why recordings were skipped, with some of their names."""
        names: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in self.skipped:
            names[entry.corpus, entry.reason].append(PurePath(entry.path).name)
        return [
            f"{corpus}: {len(found)} recording{'s' * (len(found) > 1)} skipped: {reason} "
            f"({', '.join(found[:SHOWN])}{', …' * (len(found) > SHOWN)})"
            for (corpus, reason), found in names.items()
        ]

    @cached_property
    def _digests(self) -> tuple[str | None, ...]:
        return tuple(map(_digest_or_none, self.clips))


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Join corpora; if there are several, the name of each clip begins with that of its corpus.

    Raises:
        CorpusError: two of them have the same name.
    """
    if len(corpora) == 1:
        return corpora[0]
    names = [corpus.name for corpus in corpora]
    if len(set(names)) < len(names):
        raise CorpusError(f"two corpora have the same name ({', '.join(names)}); rename a folder")
    return Corpus(
        " + ".join(names),
        tuple(replace(c, name=f"{c.corpus}/{c.name}") for corpus in corpora for c in corpus.clips),
        "; ".join(f"{corpus.name}: {corpus.licence}" for corpus in corpora),
        "; ".join(corpus.citation for corpus in corpora if corpus.citation),
        tuple(entry for corpus in corpora for entry in corpus.skipped),
        tuple(names),
    )


def duplicates(clips: Iterable[Clip], digests: Iterable[str | None]) -> list[list[str]]:
    """Return the names of byte-identical clips, one list for each set of them."""
    names: dict[str, list[str]] = defaultdict(list)
    for clip, digest in zip(clips, digests, strict=True):
        if digest is not None:
            names[digest].append(clip.name)
    return [group for group in names.values() if len(group) > 1]


def _digest_or_none(clip: Clip) -> str | None:
    try:
        return clip.digest()
    except AudioError:
        return None
