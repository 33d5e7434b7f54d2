"""The clips and speakers that a model was fitted on.

A run keeps all facts of each clip (`Provenance`).  A model file keeps a compact form of them
(`FittedClips`): for each clip the beginnings of two SHA-256 sums, one of its name and one of its
content.  The name recognises a re-encoded clip of a published corpus, the content recognises a
renamed copy.  Clips of other corpora have no name there, since equal names such as `angry/1.wav`
in two people's folders mean nothing.
"""

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, Self

from ..errors import CorpusError
from .clip import SPLITS as SPLITS
from .clip import Clip
from .registry import is_published

FITTED = ("train", "val")  # splits that determine the weights
SETS = (*SPLITS, *(f"inherited_{split}" for split in FITTED))
DIGITS = 32  # hexadecimal digits of a digest: the first 128 bits of SHA-256
DIGEST = f"[0-9a-f]{{{DIGITS}}}"
HALF = 5  # bytes of each sum; 10,000 clips match 10,000 others by chance once in 10,000 times


@dataclass(frozen=True)
class Use:
    """What one clip was used for in a training."""

    split: str  # one of SPLITS
    corpus: str
    clip: str  # its name in the corpus
    digest: str  # the first 128 bits of SHA-256 of its content, in hexadecimal
    speaker: str | None = None  # name in the corpus
    inherited: bool = False  # by the weights that training began with

    @property
    def speaker_id(self) -> str | None:
        """The speaker, unique among corpora, such as `RAVDESS/01`; None if not stated."""
        return f"{self.corpus}/{self.speaker}" if self.speaker else None


@dataclass(frozen=True)
class Provenance:
    """Every clip that a model was fitted on or that was held out from it."""

    uses: tuple[Use, ...]

    @classmethod
    def of(cls, clips: Sequence[Clip], digests: Sequence[str], splits: Sequence[str]) -> Self:
        """Return the uses of a training's own clips; clips without a split are left out."""
        return cls(
            tuple(
                Use(split, clip.corpus, clip.key, digest[:DIGITS], clip.speaker)
                for clip, digest, split in zip(clips, digests, splits, strict=True)
                if split
            )
        )

    def inheriting(self, *others: "Provenance") -> "Provenance":
        """Add what the weights that training began with were fitted on.

        Own uses stay first.  The train and val uses of `others`, their own and inherited ones,
        follow in sorted order, without those of equal split and digest among the own uses.
        """
        own = tuple(use for use in self.uses if not use.inherited)
        known = {(use.split, use.digest) for use in own}
        added = {
            replace(use, inherited=True)
            for provenance in (self, *others)
            for use in provenance.uses
            if use.split in FITTED and (use.split, use.digest) not in known
        }
        return Provenance((*own, *sorted(added, key=lambda use: tuple(map(str, astuple(use))))))

    def own(self, split: str) -> list[Use]:
        """Return the uses in a split that were not inherited."""
        return [use for use in self.uses if use.split == split and not use.inherited]

    def digests(self, split: str) -> frozenset[str]:
        """Return the digests of the own clips in a split."""
        return frozenset(use.digest for use in self.own(split))

    def to_json(self) -> list[list[Any]]:
        """Return a row of plain values for each use."""
        return [list(astuple(use)) for use in self.uses]

    @classmethod
    def from_json(cls, rows: Any) -> Self:
        """Return what `to_json` wrote.

        Raises:
            CorpusError: `rows` is malformed.
        """
        if not isinstance(rows, list):
            raise CorpusError(f"provenance is {type(rows).__name__}, not a list of rows")
        return cls(tuple(_use(number, row) for number, row in enumerate(rows)))

    def compact(self) -> dict[str, Any]:
        """Return what a model file carries and `FittedClips` reads."""
        records: dict[str, set[bytes]] = {name: set() for name in SETS}
        for use in self.uses:
            name = _name_sum(use.corpus, use.clip) or bytes(HALF)
            record = name + bytes.fromhex(use.digest)[:HALF]
            records[_set_name(use.split, use.inherited)].add(record)
        trained = {use.speaker_id for use in self.uses if use.split == "train" or use.inherited}
        texts = {k: base64.b64encode(b"".join(sorted(v))).decode() for k, v in records.items()}
        found = Counter((use.split, use.corpus) for use in self.uses if not use.inherited)
        counts = [f"{split} {number} {corpus}" for (split, corpus), number in sorted(found.items())]
        return {**texts, "speakers": sorted(filter(None, trained)), "counts": counts}


class FittedClips:
    """The clips that a model was fitted on, recognised by content or by published name."""

    def __init__(self, compact: Mapping[str, Any]) -> None:
        """Read what `Provenance.compact` wrote.

        Raises:
            ValueError: `compact` is malformed.
        """
        self._records = {name: _records(compact, name) for name in SETS}
        self._names = {k: {r[:HALF] for r in v} for k, v in self._records.items()}
        self._contents = {k: {r[HALF:] for r in v} for k, v in self._records.items()}
        speakers = compact.get("speakers")
        if not isinstance(speakers, list) or not all(isinstance(s, str) for s in speakers):
            raise ValueError("the speakers of the provenance are not a list of names")
        self.speakers = frozenset(speakers)  # of training, inherited ones included
        self._counts = _counts(compact.get("counts"))

    def count(self, split: str, corpora: Collection[str] | None = None) -> int:
        """Return the number of clips in a split, of all corpora or of some."""
        return sum(
            number for (of, corpus), number in self._counts.items()
            if of == split and (corpora is None or corpus in corpora)
        )  # fmt: skip

    def match(
        self, split: str, clip: Clip, digest: str | None, inherited: bool = False
    ) -> str | None:
        """Return `content` or `name`, by which a clip is recognised in a split, or None.

        Args:
            split: one of `SPLITS`; with `inherited` train or val.
            clip: any clip.
            digest: its SHA-256 in hexadecimal, None if it is unreadable.
            inherited: look in the split of the weights that training began with, not in its own.
        """
        name = _set_name(split, inherited)
        if digest and bytes.fromhex(digest)[:HALF] in self._contents[name]:
            return "content"
        return "name" if _name_sum(clip.corpus, clip.key) in self._names[name] else None

    def contains(self, split: str, clip: Clip, digest: str | None, inherited: bool = False) -> bool:
        """Return whether `match` recognises a clip."""
        return self.match(split, clip, digest, inherited) is not None


def _set_name(split: str, inherited: bool) -> str:
    return f"inherited_{split}" if inherited else split


def _name_sum(corpus: str, clip: str) -> bytes | None:
    if not is_published(corpus, clip):
        return None
    return hashlib.sha256(f"{corpus}/{clip}".encode()).digest()[:HALF]


def _use(number: int, row: Any) -> Use:
    match row:
        case [str(split), str(), str(), str(digest), str() | None, bool(inherited)]:
            if _set_name(split, inherited) in SETS and re.fullmatch(DIGEST, digest):
                return Use(*row)
    raise CorpusError(
        f"row {number} of the provenance is malformed; a row is "
        "[split, corpus, clip, digest, speaker, inherited]"
    )


def _counts(rows: Any) -> dict[tuple[str, str], int]:
    matches = [re.fullmatch(r"(\w+) (\d+) (.+)", str(row)) for row in rows or ()]
    if not isinstance(rows, list) or None in matches:
        raise ValueError("the counts of the provenance are not a list of split, number and corpus")
    return {(match[1], match[3]): int(match[2]) for match in matches if match}


def _records(compact: Mapping[str, Any], name: str) -> frozenset[bytes]:
    try:
        content = base64.b64decode(compact[name], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"{name} of the provenance is missing or not base64") from error
    if len(content) % (2 * HALF):
        raise ValueError(f"{name} of the provenance is not a whole number of records")
    return frozenset(content[at : at + 2 * HALF] for at in range(0, len(content), 2 * HALF))
