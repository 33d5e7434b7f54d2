"""Stratified train, validation and test splits that separate no duplicates."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from ..errors import CorpusError
from .clip import Clip


def stratified_split(
    labels: Sequence[int],
    groups: Sequence[Hashable],
    *,
    test: float,
    val: float,
    seed: int,
) -> list[str]:
    """Assign items to `train`, `val` and `test`, class by class, keeping groups whole.

    Each class is shuffled with a generator of its own.  The first items, each with its whole group,
    fill the test split, the next the validation split, so the test split does not depend on `val`.

    Args:
        labels: class of each item.
        groups: items of an equal group, such as byte-identical clips, share a split.
        test: share of each class in the test split, in [0, 1).
        val: share of each class in the validation split, in [0, 1).
        seed: of the shuffles.

    Returns:
        The split of each item.

    Raises:
        ValueError: the shares are negative or leave nothing to train on.

    >>> stratified_split([0] * 5 + [1] * 5, range(10), test=0.2, val=0.2, seed=1).count("test")
    2
    """
    if test < 0 or val < 0 or test + val >= 1:
        raise ValueError(f"test={test} and val={val} must be >= 0 and leave a share to train on")
    members: dict[Hashable, list[int]] = defaultdict(list)
    for item, group in enumerate(groups):
        members[group].append(item)
    splits = [""] * len(labels)
    for label in sorted(set(labels)):
        items = [item for item, other in enumerate(labels) if other == label]
        order = np.random.default_rng([seed, label]).permutation(items)
        bounds = [round(len(items) * test), round(len(items) * (test + val))]
        assigned = 0
        for item in order:
            if splits[item]:
                continue  # assigned with another member of its group
            split = "test" if assigned < bounds[0] else "val" if assigned < bounds[1] else "train"
            for member in members[groups[item]]:
                splits[member] = split
                assigned += 1
    return splits


def speakers_by_corpus(clips: Sequence[Clip]) -> dict[str, list[str]]:
    """Return the speakers of each corpus, sorted.

    Raises:
        CorpusError: a clip states no speaker.
    """
    speakers: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.speaker_id is None:
            raise CorpusError(
                f"{clip.name} states no speaker, so speakers cannot be kept apart; add a speaker "
                "column to a manifest, or split by clip (split.by=clip, protocol random)"
            )
        speakers[clip.corpus].add(clip.speaker_id)
    return {corpus: sorted(found) for corpus, found in speakers.items()}


def assign_splits(
    clips: Sequence[Clip], digests: Sequence[str], *, by: str, test: float, val: float, seed: int
) -> list[str]:
    """Return the split of each clip: the stated one, or else one assigned by clip or speaker.

    Args:
        clips: of one corpus or several.
        digests: SHA-256 of each clip; clips of equal digest share a split.
        by: `clip` or `speaker`.
        test: share of each class, or of each corpus' speakers, in the test split, in [0, 1).
        val: share in the validation split; at least one speaker of each corpus.
        seed: of the shuffles.

    Raises:
        CorpusError: by speaker, if a clip states none or a corpus has too few; or the corpus
            states splits for some clips only, or different ones for byte-identical clips.
    """
    if any(clip.split for clip in clips):
        for clip in clips:
            if clip.split is None:
                raise CorpusError(f"{clip.name} states no split but others do; state all or none")
        stated = [clip.split or "" for clip in clips]
        check_separation(clips, stated, digests, "are byte-identical")
        return stated
    if by == "speaker":
        return _by_speaker(clips, test, val, seed)
    labels = [int(clip.label) for clip in clips]
    return stratified_split(labels, digests, test=test, val=val, seed=seed)


def check_separation(
    clips: Sequence[Clip], splits: Sequence[str], keys: Sequence[str | None], what: str
) -> None:
    """Refuse splits that separate clips of an equal key; None equals nothing.

    Raises:
        CorpusError: they do; `what` says what is the same.
    """
    first: dict[str, int] = {}
    for n, key in enumerate(keys):
        if not splits[n] or key is None:
            continue
        other = first.setdefault(key, n)
        if splits[other] != splits[n]:
            raise CorpusError(
                f"{clips[other].name} ({splits[other]}) and {clips[n].name} ({splits[n]}) {what}"
            )


def _by_speaker(clips: Sequence[Clip], test: float, val: float, seed: int) -> list[str]:
    split_of: dict[str | None, str] = {}
    for corpus, speakers in speakers_by_corpus(clips).items():
        order = np.random.default_rng(seed).permutation(speakers)
        tested = round(len(order) * test)
        fixed = tested + max(1, round(len(order) * val))
        if fixed >= len(order):
            raise CorpusError(f"{corpus} has {len(order)} speakers; none is left to train on")
        for n, speaker in enumerate(order.tolist()):
            split_of[speaker] = "test" if n < tested else "val" if n < fixed else "train"
    return [split_of[clip.speaker_id] for clip in clips]
