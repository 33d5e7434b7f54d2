"""What a training has heard, as its `data.json` and every model file say it.

Clips are told by the beginnings of their digests, as `corpus.heard` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .corpus import heard

SHAPING = ("train", "val")  # parts that weights are trained and chosen by


def all_heard(data: Mapping[str, Any]) -> dict[str, Any]:
    """Short digests, as one text, of each of `SHAPING`, and `speakers`, a list: of a training
    and of those whose weights it began with.
    """
    return together([of_its_own(data), data.get("earlier", {})])


def of_its_own(data: Mapping[str, Any]) -> dict[str, Any]:
    """As `all_heard`, without what those before it had heard."""
    speakers = [speaker for part in SHAPING for speaker in data["speakers"][part]]
    return {part: data["digests"][part] for part in SHAPING} | {"speakers": speakers}


def together(several: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """As `all_heard`, of several trainings."""
    several = list(several)
    parts = {
        part: "".join(sorted(set().union(*(heard(one.get(part, "")) for one in several))))
        for part in SHAPING
    }
    speakers = sorted({speaker for one in several for speaker in one.get("speakers", [])})
    return {**parts, "speakers": speakers}
