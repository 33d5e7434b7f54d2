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
leave-one-corpus-out   a fold for each corpus, tested on it and trained on the others

A protocol by speakers distributes the speakers of the other corpora over the same folds.  Its
validation splits have speakers of their own: half of those that the next fold tests.  A corpus with
too few speakers for the folds is never tested: it trains in every fold, but for one speaker that
validates.

`leave-one-corpus-out` leaves no corpus of a single label out, such as ordinary speech: each fold
tests a fifth of its speakers and trains on most others.
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
ACROSS_CORPORA = "leave-one-corpus-out"
ACROSS = ("cross-corpus", ACROSS_CORPORA)  # test labels that training may lack
NAMES = ("random", *BY_ACTOR, "leave-one-speaker-out", "grouped-K", *ACROSS)
TESTED_EVERY, VAL_EVERY = 5, 10  # speakers, of which one is tested or validates
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
    untested: tuple[str, ...] = ()  # corpora that train only, having too few speakers
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
    untested: tuple[str, ...] = ()
    names = None
    if name == "random":
        labels = [int(clip.label) for clip in clips]
        folds = [
            stratified_split(labels, digests, test=TEST, val=VAL, seed=seed + repeat)
            for repeat in range(repeats)
        ]
    elif name == "cross-corpus":
        folds = [_cross_corpus(corpus, seed)]
    elif name == ACROSS_CORPORA:
        names = _left_out(corpus)
        folds = [_without(corpus, member, names) for member in names]
    else:
        tested, untested = _tested_speakers(name, corpus)
        folds = [
            _splits(corpus, speakers, following, name in SPEECH_ONLY)
            for speakers, following in zip(tested, tested[1:] + tested[:1], strict=True)
        ]
    readable = [
        tuple(split if digest else "" for split, digest in zip(splits, digests, strict=True))
        for splits in folds
    ]
    names = names or [str(number) for number in range(1, len(folds) + 1)]
    named = tuple(map(Fold, names, readable))
    protocol = Protocol(name, named, unseen_speakers=name != "random", untested=untested)
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
            if clips[n].label not in trained and protocol.name not in ACROSS:
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


def _left_out(corpus: Corpus) -> list[str]:
    """Return the corpora with several labels, each of which a fold leaves out.

    Raises:
        CorpusError: there are fewer than two.
    """
    labels = {member: set[str]() for member in corpus.members}
    for clip in corpus.clips:
        labels[clip.corpus].add(clip.label.label)
    several = [member for member, found in labels.items() if len(found) > 1]
    if len(several) < 2:
        raise CorpusError("leave-one-corpus-out needs two corpora with several labels each")
    return several


def _without(corpus: Corpus, left_out: str, several: Sequence[str]) -> list[str]:
    """Return the split of each clip in the fold that tests one of the corpora `several`."""
    speakers = speakers_by_corpus([clip for clip in corpus.clips if clip.corpus != left_out])
    split_of: dict[str | None, str] = {}
    for member, own in speakers.items():
        if member not in several:
            split_of |= dict.fromkeys(own[::TESTED_EVERY], "test")
        split_of |= dict.fromkeys(own[1::VAL_EVERY], "val")
    return [
        "test" if clip.corpus == left_out else split_of.get(clip.speaker_id, "train")
        for clip in corpus.clips
    ]


def _tested_speakers(name: str, corpus: Corpus) -> tuple[list[set[str]], tuple[str, ...]]:
    """Return the speakers that each fold tests, and the corpora with too few speakers for that."""
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
    tested = [member for member in others if len(speakers[member]) >= 2 * len(folds)]
    for member in tested:
        for number, fold in enumerate(folds):
            fold |= set(speakers[member][number :: len(folds)])
    return folds, tuple(member for member in others if member not in tested)


def _splits(corpus: Corpus, test: set[str], following: set[str], speech_only: bool) -> list[str]:
    """Return the split of each clip; with `speech_only` songs of the main corpus are left out."""
    main = corpus.members[0]
    split_of: dict[str | None, str] = dict.fromkeys(test, "test")
    for speakers in speakers_by_corpus(corpus.clips).values():
        own = [speaker for speaker in speakers if speaker in following] or speakers[:1]
        split_of |= dict.fromkeys(own[::2], "val")
    return [
        "" if speech_only and clip.corpus == main and clip.channel != "speech"
        else split_of.get(clip.speaker_id, "train")
        for clip in corpus.clips
    ]  # fmt: skip
