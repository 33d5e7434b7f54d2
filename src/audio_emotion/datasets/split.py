"""Stratified train, validation and test splits that separate no duplicates."""

from __future__ import annotations

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


def speaker_split(clips: Sequence[Clip], *, test: float, val: float, seed: int) -> list[str]:
    """Assign whole speakers to `train`, `val` and `test`, corpus by corpus.

    Args:
        clips: of one corpus or several.
        test: share of each corpus' speakers in the test split, in [0, 1).
        val: share in the validation split; at least one speaker of each corpus.
        seed: of the shuffles.

    Raises:
        CorpusError: a clip states no speaker, or a corpus has too few.
    """
    speakers: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.speaker_id is None:
            raise CorpusError(
                f"{clip.name} states no speaker; set split.by to clip or state every speaker"
            )
        speakers[clip.corpus].add(clip.speaker_id)
    split_of: dict[str | None, str] = {}
    for corpus in sorted(speakers):
        order = np.random.default_rng(seed).permutation(sorted(speakers[corpus]))
        tested = round(len(order) * test)
        fixed = tested + max(1, round(len(order) * val))
        if fixed >= len(order):
            raise CorpusError(f"{corpus} has {len(order)} speakers; none is left to train on")
        for n, speaker in enumerate(order.tolist()):
            split_of[speaker] = "test" if n < tested else "val" if n < fixed else "train"
    return [split_of[clip.speaker_id] for clip in clips]


def assign_splits(
    clips: Sequence[Clip], digests: Sequence[str], *, by: str, test: float, val: float, seed: int
) -> list[str]:
    """Return the split of each clip: the stated one, or else one assigned by clip or speaker.

    Args:
        clips: of one corpus or several.
        digests: SHA-256 of each clip; clips of equal digest share a split.
        by: `clip` or `speaker`.
        test: share of the test split, in [0, 1).
        val: share of the validation split, in [0, 1).
        seed: of the shuffles.

    Raises:
        CorpusError: as `speaker_split`; or the corpus states splits for some clips only, or
            different ones for byte-identical clips.
    """
    if not any(clip.split for clip in clips):
        if by == "speaker":
            return speaker_split(clips, test=test, val=val, seed=seed)
        labels = [int(clip.label) for clip in clips]
        return stratified_split(labels, digests, test=test, val=val, seed=seed)
    splits = []
    first: dict[str, tuple[str, str]] = {}
    for clip, digest in zip(clips, digests, strict=True):
        if clip.split is None:
            raise CorpusError(f"{clip.name} states no split but other clips do; state all or none")
        name, split = first.setdefault(digest, (clip.name, clip.split))
        if split != clip.split:
            raise CorpusError(f"{name} ({split}) and {clip.name} ({clip.split}) are byte-identical")
        splits.append(clip.split)
    return splits
