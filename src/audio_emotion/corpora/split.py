"""Stratified train / validation / test parts that no duplicate straddles."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from ..config import SplitConfig
from ..errors import CorpusError
from ..files import write_text
from .clip import Clip


def stratified_split(
    labels: Sequence[int],
    groups: Sequence[Hashable],
    *,
    test: float,
    val: float,
    seed: int,
) -> list[str]:
    """Deal items to `train`, `val` and `test`, class by class, groups kept whole.

    Each class is shuffled with a generator of its own; the first clips, each with the whole of its
    group, fill the test part, the next the validation part.  So the test part does not depend on
    `val`.

    Args:
        labels: class of each item.
        groups: items of equal group (byte-identical clips, say) share a part.
        test: share of each class in the test part, in [0, 1).
        val: share of each class in the validation part, in [0, 1).
        seed: same seed, same items in the same order, same split.

    Returns:
        The part of each item.

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
    parts = [""] * len(labels)
    for label in sorted(set(labels)):
        items = [item for item, other in enumerate(labels) if other == label]
        order = np.random.default_rng([seed, label]).permutation(items)
        bounds = [round(len(items) * test), round(len(items) * (test + val))]
        dealt = 0
        for item in order:
            if parts[item]:
                continue  # with another member of its group
            part = "test" if dealt < bounds[0] else "val" if dealt < bounds[1] else "train"
            for member in members[groups[item]]:
                parts[member] = part
                dealt += 1
    return parts


def speaker_split(clips: Sequence[Clip], *, test: float, val: float, seed: int) -> list[str]:
    """Deal whole speakers to `train`, `val` and `test`, corpus by corpus.

    Args:
        clips: of one corpus or several.
        test: share of each corpus' speakers in the test part, in [0, 1).
        val: share in the validation part; at least one speaker of each corpus.
        seed: of the order they are dealt in.

    Raises:
        CorpusError: a clip states no speaker, or a corpus has too few.
    """
    voices: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.voice is None:
            raise CorpusError(
                f"{clip.name} states no speaker; set split.by to clip, or state every speaker"
            )
        voices[clip.corpus].add(clip.voice)
    part_of: dict[str, str] = {}
    for corpus in sorted(voices):
        order = np.random.default_rng(seed).permutation(sorted(voices[corpus]))
        tested = round(len(order) * test)
        chosen = tested + max(1, round(len(order) * val))
        if chosen >= len(order):
            raise CorpusError(f"{corpus} has {len(order)} speakers: none is left to train on")
        part_of |= {
            voice: "test" if n < tested else "val" if n < chosen else "train"
            for n, voice in enumerate(order.tolist())
        }
    return [part_of[clip.voice or ""] for clip in clips]


def parts_of(clips: Sequence[Clip], digests: Sequence[str], config: SplitConfig) -> list[str]:
    """The part of each clip: as the corpus states, or else dealt by clip or by speaker.

    Clips of equal digest share a part.

    Raises:
        CorpusError: speakers are to be dealt, and a clip states none; or the corpus states parts
            for some clips only, or puts duplicates into two.
    """
    stated = [clip.part for clip in clips]
    if not any(stated) and config.by == "speaker":
        return speaker_split(clips, test=config.test, val=config.val, seed=config.seed)
    if not any(stated):
        labels = [int(clip.label) for clip in clips]
        return stratified_split(labels, digests, test=config.test, val=config.val, seed=config.seed)
    first: dict[str, tuple[str, str]] = {}
    for clip, digest in zip(clips, digests, strict=True):
        if clip.part is None:
            raise CorpusError(f"{clip.name} has no split, other clips have: state all or none")
        name, part = first.setdefault(digest, (clip.name, clip.part))
        if part != clip.part:
            raise CorpusError(f"{name} ({part}) and {clip.name} ({clip.part}) are byte-identical")
    return [part for part in stated if part]


def write_split(path: Path, rows: Sequence[tuple[Clip, str]]) -> None:
    """`clip,label,speaker,part` as CSV, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["clip", "label", "speaker", "part"])
    for clip, part in rows:
        writer.writerow([clip.name, clip.label.label, clip.speaker or "", part])
    write_text(path, text.getvalue())


def read_split(path: Path) -> dict[str, str]:
    """Part of each clip by name, as `write_split` wrote it.

    Raises:
        CorpusError: the file is missing or not of that form.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["clip"]: row["part"] for row in csv.DictReader(file)}
    except (OSError, KeyError, csv.Error) as error:
        raise CorpusError(f"{path} is not a split as a training writes it: {error}") from error
