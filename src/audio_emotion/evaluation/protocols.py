"""Which clips train, choose and judge: named, versioned and the same wherever they are built.

random                 stratified 80/20 by class; voices of the test part were heard in training
emobox                 RAVDESS speech, six folds by actor (Ma et al., 2024, arXiv:2406.07162)
luna-jimenez           RAVDESS speech, five folds by actor (Luna-Jiménez et al., 2021,
                       doi 10.3390/s21227665)
actors                 RAVDESS speech and song, the folds of emobox
leave-one-speaker-out  any corpus with speakers, a fold for each
grouped-K              any corpus with speakers, dealt to K folds
cross-corpus           trained on the first corpus, tested on the others

Where a protocol by speakers is given further corpora, their speakers are dealt to as many folds.
The validation part of a fold follows the rule of its test part: under a protocol by speakers it is
half of the next fold's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..corpora import Clip, Corpus
from ..corpora.manifest import PARTS
from ..corpora.split import stratified_split
from ..errors import CorpusError

VERSION = 1  # of the lists below; raise it when one changes
REPEATS = 5  # of `random`
TEST, VAL = 0.2, 0.1  # shares of each class' clips in `random`
EMOBOX = (
    (1, 11, 20, 21),
    (4, 10, 12, 14),
    (8, 9, 19, 23),
    (3, 5, 7, 24),
    (2, 15, 16, 18),
    (6, 13, 17, 22),
)
LUNA_JIMENEZ = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
NAMES = (
    *("random", "emobox", "luna-jimenez", "actors"),
    *("leave-one-speaker-out", "grouped-K", "cross-corpus"),
)
GROUPED = re.compile(r"grouped-(\d+)")


@dataclass(frozen=True)
class Fold:
    """One training: the part of each clip of the corpus, in its order."""

    name: str
    parts: tuple[str, ...]  # train, val, test, or nothing for a clip left out

    def members(self, part: str) -> list[int]:
        """Positions of the clips of a part."""
        return [n for n, other in enumerate(self.parts) if other == part]


@dataclass(frozen=True)
class Protocol:
    """A list of folds, with what it promises of them."""

    name: str
    folds: tuple[Fold, ...]
    unseen_speakers: bool  # whether no voice of a test or validation part is in training
    version: int = field(default=VERSION)

    @property
    def promise(self) -> str:
        """What a figure of this protocol is about, in words."""
        if self.unseen_speakers:
            return "voices never heard in training"
        return "known voices: speakers of the test part were heard in training"


def build(name: str, corpus: Corpus, *, seed: int = 0, repeats: int = REPEATS) -> Protocol:
    """The protocol `name` over `corpus`, checked for leaks.

    Args:
        name: one of `NAMES`; `grouped-5` has five folds.
        corpus: one corpus, or several joined, the main one first.
        seed: of `random`, whose repeats take this seed and the next ones.
        repeats: of `random`.

    Raises:
        CorpusError: there is no such protocol, the corpus is not of the kind it is about, a clip's
            speaker is not stated, the folds are too many, a class that is tested is not trained, or
            a clip, duplicate or speaker would be on both sides.
    """
    digests = corpus.digests()
    clips = corpus.clips
    if name == "random":
        parts = [_random(clips, digests, seed + repeat) for repeat in range(repeats)]
    elif name == "cross-corpus":
        parts = [_cross(corpus, digests, seed)]
    else:
        parts = _by_speaker(corpus, _speaker_folds(name, corpus), speech_only=name in SPEECH_ONLY)
    readable = [
        tuple(part if digest else "" for part, digest in zip(fold, digests, strict=True))
        for fold in parts
    ]
    folds = tuple(Fold(str(number), fold) for number, fold in enumerate(readable, 1))
    protocol = Protocol(name, folds, unseen_speakers=name != "random")
    check(protocol, clips, digests)
    return protocol


SPEECH_ONLY = {"emobox", "luna-jimenez"}


def check(protocol: Protocol, clips: Sequence[Clip], digests: Sequence[str | None]) -> None:
    """Refuse a protocol that leaks, or that cannot be answered.

    Raises:
        CorpusError: byte-identical clips, or where promised clips of one speaker, are in two parts
            of a fold, or a fold tests a class that it does not train; the clips are named.
    """
    for fold in protocol.folds:
        _no_straddling(fold, clips, digests, "are byte-identical")
        if protocol.unseen_speakers:
            voices = [clip.voice for clip in clips]
            _no_straddling(fold, clips, voices, "are of one speaker")
        for part in PARTS:
            if not fold.members(part):
                raise CorpusError(f"{protocol.name}, fold {fold.name}: its {part} part is empty")
        trained = {clips[n].label for n in fold.members("train")}
        for n in fold.members("test"):
            if clips[n].label not in trained and protocol.name != "cross-corpus":
                raise CorpusError(
                    f"{protocol.name}, fold {fold.name}: {clips[n].name} is "
                    f"{clips[n].label.label}, of which no clip is left to train on; take "
                    "fewer folds or more clips"
                )


def _no_straddling(
    fold: Fold, clips: Sequence[Clip], keys: Sequence[str | None], what: str
) -> None:
    first: dict[str, int] = {}
    for n, key in enumerate(keys):
        if not fold.parts[n] or key is None:
            continue
        other = first.setdefault(key, n)
        if fold.parts[other] != fold.parts[n]:
            raise CorpusError(
                f"leak in fold {fold.name}: {clips[other].name} ({fold.parts[other]}) and "
                f"{clips[n].name} ({fold.parts[n]}) {what}"
            )


def _random(clips: Sequence[Clip], digests: Sequence[str | None], seed: int) -> list[str]:
    labels = [int(clip.label) for clip in clips]
    return stratified_split(labels, digests, test=TEST, val=VAL, seed=seed)


def _cross(corpus: Corpus, digests: Sequence[str | None], seed: int) -> list[str]:
    if len(corpus.members) < 2:
        raise CorpusError("cross-corpus needs two corpora: the one to train on, then one to test")
    main = corpus.members[0]
    voices = sorted({c.voice for c in corpus.clips if c.corpus == main and c.voice})
    val = set(voices[seed % 6 :: 6])  # a sixth of the speakers
    own = [n for n, clip in enumerate(corpus.clips) if clip.corpus == main]
    if not val:
        raise CorpusError(f"{main} states no speakers: no validation part can be kept apart")
    parts = ["test"] * len(corpus.clips)
    for n in own:
        parts[n] = "val" if corpus.clips[n].voice in val else "train"
    return parts


def _speaker_folds(name: str, corpus: Corpus) -> list[set[str]]:
    """Voices of the main corpus for each fold's test part."""
    main = corpus.members[0]
    if name in {"emobox", "luna-jimenez", "actors"}:
        if main != "RAVDESS":
            raise CorpusError(f"{name} is a protocol of RAVDESS, not of {main}; take grouped-5")
        lists = LUNA_JIMENEZ if name == "luna-jimenez" else EMOBOX
        return [{f"{main}/{actor:02}" for actor in fold} for fold in lists]
    voices = _voices(corpus, main)
    if name == "leave-one-speaker-out":
        return [{voice} for voice in voices]
    match = GROUPED.fullmatch(name)
    if not match:
        raise CorpusError(f"there is no protocol {name!r}: choose one of {', '.join(NAMES)}")
    count = int(match[1])
    if not 2 <= count <= len(voices):
        raise CorpusError(f"{name}: {main} has {len(voices)} speakers, which cannot be so dealt")
    return [set(voices[fold::count]) for fold in range(count)]


def _voices(corpus: Corpus, member: str) -> list[str]:
    """Every speaker of a member corpus.

    Raises:
        CorpusError: a clip states none.
    """
    for clip in corpus.clips:
        if clip.corpus == member and clip.voice is None:
            raise CorpusError(
                f"{clip.name} of {member} states no speaker, so nobody can tell whether a voice "
                "was heard; add a speaker column to a manifest, or take the protocol random"
            )
    return sorted({c.voice for c in corpus.clips if c.corpus == member and c.voice})


def _by_speaker(corpus: Corpus, main: list[set[str]], *, speech_only: bool) -> list[list[str]]:
    """Parts of each fold; further corpora's speakers join the folds."""
    folds = [set(voices) for voices in main]
    for member in corpus.members[1:]:
        voices = _voices(corpus, member)
        if len(voices) < 2 * len(folds):
            raise CorpusError(
                f"{member} has {len(voices)} speakers, too few for {len(folds)} folds"
            )
        for number, fold in enumerate(folds):
            fold |= set(voices[number :: len(folds)])
    if len(folds) < 2:
        raise CorpusError("one speaker is too few: none would be left to train on")
    left_out = [
        speech_only and clip.corpus == corpus.members[0] and clip.channel != "speech"
        for clip in corpus.clips
    ]
    parts = []
    for number, test in enumerate(folds):
        following = folds[(number + 1) % len(folds)]
        val = {v for m in corpus.members for v in sorted(_of(following, m))[::2]}
        parts.append(
            [
                "" if out else "test" if c.voice in test else "val" if c.voice in val else "train"
                for c, out in zip(corpus.clips, left_out, strict=True)
            ]
        )
    return parts


def _of(voices: set[str], member: str) -> list[str]:
    return [voice for voice in voices if voice.startswith(f"{member}/")]
