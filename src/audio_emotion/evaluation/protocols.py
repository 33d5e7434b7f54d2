"""Cross-validation protocols: named, versioned and the same wherever they are built.

random                 stratified 80/20 by class; speakers of the test split are in training
emobox                 RAVDESS speech, six folds by actor (Ma et al., 2024, arXiv:2406.07162)
luna-jimenez           RAVDESS speech, five folds by actor (Luna-Jiménez et al., 2021,
                       doi 10.3390/s21227665)
actors                 RAVDESS speech and song, the folds of emobox
leave-one-speaker-out  any corpus with speakers, a fold for each
grouped-K              any corpus with speakers, K folds
cross-corpus           trained on the first corpus, tested on the others; clips of the first that
                       state no speaker are trained on, those of the others are tested

A protocol by speakers distributes the speakers of the other corpora over the same folds.  Its
validation splits have speakers of their own: half of those that the next fold tests.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from ..datasets import Clip, Corpus
from ..datasets.clip import SPLITS
from ..datasets.split import check_separation, speakers_by_corpus, stratified_split
from ..errors import CorpusError

VERSION = 1  # of the lists below; increase it when one changes
REPEATS = 5  # of `random`
TEST, VAL = 0.2, 0.1  # shares of each class in `random`
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
BY_ACTOR = {"emobox": EMOBOX, "luna-jimenez": LUNA_JIMENEZ, "actors": EMOBOX}
SPEECH_ONLY = {"emobox", "luna-jimenez"}
NAMES = ("random", *BY_ACTOR, "leave-one-speaker-out", "grouped-K", "cross-corpus")
GROUPED = re.compile(r"grouped-(\d+)")


@dataclass(frozen=True)
class Fold:
    """One training: the split of each clip of the corpus, in the order of the clips."""

    name: str
    splits: tuple[str, ...]  # train, val, test, or empty for a clip that is left out

    def members(self, split: str) -> list[int]:
        """Return the positions of the clips in a split."""
        return [n for n, other in enumerate(self.splits) if other == split]


@dataclass(frozen=True)
class Protocol:
    """A list of folds and whether their speakers are unseen."""

    name: str
    folds: tuple[Fold, ...]
    unseen_speakers: bool  # no speaker of a test or validation split is in training
    version: int = VERSION

    @property
    def promise(self) -> str:
        """What a score of this protocol is about."""
        if self.unseen_speakers:
            return "unseen speakers: no speaker of the test split was in training"
        return "known speakers: speakers of the test split were in training"


def build(name: str, corpus: Corpus, *, seed: int = 0, repeats: int = REPEATS) -> Protocol:
    """Build the protocol `name` on `corpus` and check it for leaks.

    Args:
        name: one of `NAMES`; `grouped-5` has five folds.
        corpus: one corpus, or several joined, the main one first.
        seed: of `random`, whose repeats take this seed and the following ones.
        repeats: of `random`.

    Raises:
        CorpusError: the protocol is unknown or is about another corpus, a clip states no speaker,
            there are too few speakers, or `check` fails.
    """
    clips, digests = corpus.clips, corpus.digests()
    if name == "random":
        labels = [int(clip.label) for clip in clips]
        folds = [
            stratified_split(labels, digests, test=TEST, val=VAL, seed=seed + repeat)
            for repeat in range(repeats)
        ]
    elif name == "cross-corpus":
        folds = [_cross_corpus(corpus, seed)]
    else:
        tested = _tested_speakers(name, corpus)
        folds = [
            _splits(corpus, speakers, following, name in SPEECH_ONLY)
            for speakers, following in zip(tested, tested[1:] + tested[:1], strict=True)
        ]
    readable = [
        tuple(split if digest else "" for split, digest in zip(splits, digests, strict=True))
        for splits in folds
    ]
    numbered = tuple(Fold(str(number), splits) for number, splits in enumerate(readable, 1))
    protocol = Protocol(name, numbered, unseen_speakers=name != "random")
    check(protocol, clips, digests)
    return protocol


def check(protocol: Protocol, clips: Sequence[Clip], digests: Sequence[str | None]) -> None:
    """Refuse a protocol that leaks or cannot be trained.

    Raises:
        CorpusError: byte-identical clips, or where speakers are to be unseen clips of one speaker,
            are in two splits of a fold; a split is empty; or a fold tests a class that it does not
            train.
    """
    for fold in protocol.folds:
        where = f"{protocol.name}, fold {fold.name}"
        check_separation(clips, fold.splits, digests, f"are byte-identical: a leak in {where}")
        if protocol.unseen_speakers:
            speakers = [clip.speaker_id for clip in clips]
            what = f"have the same speaker: a leak in {where}"
            check_separation(clips, fold.splits, speakers, what)
        for split in SPLITS:
            if not fold.members(split):
                raise CorpusError(f"{where}: its {split} split is empty")
        trained = {clips[n].label for n in fold.members("train")}
        for n in fold.members("test"):
            if clips[n].label not in trained and protocol.name != "cross-corpus":
                raise CorpusError(
                    f"{where}: {clips[n].name} is {clips[n].label.label}, but no such clip is "
                    "left to train on; take fewer folds or more clips"
                )


def _cross_corpus(corpus: Corpus, seed: int) -> list[str]:
    if len(corpus.members) < 2:
        raise CorpusError("cross-corpus needs two corpora: one to train on, then one to test")
    main = corpus.members[0]
    known = {c.speaker_id for c in corpus.clips if c.corpus == main and c.speaker_id}
    val = set(sorted(known)[seed % 6 :: 6])  # a sixth of the speakers
    if not val:
        raise CorpusError(f"{main} states too few speakers to keep some for validation")
    _warn_of_unknown_speakers(corpus)
    return [
        "test" if clip.corpus != main else "val" if clip.speaker_id in val else "train"
        for clip in corpus.clips
    ]


def _warn_of_unknown_speakers(corpus: Corpus) -> None:
    """Say what the speakers of a cross-corpus protocol cannot be checked for."""
    unknown = [clip.corpus == corpus.members[0] for clip in corpus.clips if not clip.speaker_id]
    for count, use, check in (
        (sum(unknown), "trained on", "validation clips"),
        (len(unknown) - sum(unknown), "tested", "training clips"),
    ):
        if count:
            warnings.warn(
                f"{count} clips state no speaker; they are {use}, and nobody can check that their "
                f"speakers differ from those of the {check}",
                stacklevel=4,
            )


def _tested_speakers(name: str, corpus: Corpus) -> list[set[str]]:
    """Return the speakers that each fold tests, of every corpus."""
    main, *others = corpus.members
    grouped = GROUPED.fullmatch(name)
    if not grouped and name not in {*BY_ACTOR, "leave-one-speaker-out"}:
        raise CorpusError(f"there is no protocol {name!r}; choose one of {', '.join(NAMES)}")
    if name in BY_ACTOR and main != "RAVDESS":
        raise CorpusError(f"{name} is a protocol of RAVDESS, not of {main}; take grouped-5")
    speakers = speakers_by_corpus(corpus.clips)
    most = len(speakers[main])
    count = int(grouped[1]) if grouped else most
    if most < 2:
        raise CorpusError(f"{main} has only one speaker, so none would be left to train on")
    if not 2 <= count <= most:
        raise CorpusError(f"{name} needs 2 to {most} folds, the speakers of {main}")
    folds = [set(speakers[main][fold::count]) for fold in range(count)]
    if name in BY_ACTOR:
        folds = [{f"{main}/{actor:02}" for actor in fold} for fold in BY_ACTOR[name]]
    for member in others:
        found = speakers[member]
        if len(found) < 2 * len(folds):
            raise CorpusError(f"{member} has {len(found)} speakers, too few for {len(folds)} folds")
        for number, fold in enumerate(folds):
            fold |= set(found[number :: len(folds)])
    return folds


def _splits(corpus: Corpus, test: set[str], following: set[str], speech_only: bool) -> list[str]:
    """Return the split of each clip; with `speech_only` songs of the main corpus are left out."""
    main = corpus.members[0]
    split_of: dict[str | None, str] = dict.fromkeys(test, "test")
    for member in corpus.members:
        own = sorted(speaker for speaker in following if speaker.startswith(f"{member}/"))
        split_of |= dict.fromkeys(own[::2], "val")
    return [
        "" if speech_only and clip.corpus == main and clip.channel != "speech"
        else split_of.get(clip.speaker_id, "train")
        for clip in corpus.clips
    ]  # fmt: skip
