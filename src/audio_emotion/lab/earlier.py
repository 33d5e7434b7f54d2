"""What the weights that a training begins with had heard before.

Clips that they were trained or chosen by are no test of what comes of them.  So every run hands the
list on, in `data.json` under `earlier`, every exported checkpoint under `heard`, and every model
file, with what else its run's `data.json` says.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..corpora.corpus import heard, shorten
from ..corpora.heard import SHAPING, all_heard, of_its_own, together
from .checkpoints import ENDING, load
from .data import Item
from .run import DATA, run_of, stored_data


def earlier(inits: Sequence[Path], data: Mapping[str, Any]) -> dict[str, Any]:
    """What any of `inits` has heard and `data`, of the run that begins, does not say anyway.

    Returns:
        Short digests, as one text, of each of `SHAPING`, and `speakers`, a list.
    """
    known = []
    for init in inits:
        told = heard_by(init)
        if told is None:
            warnings.warn(
                f"{init} does not say which clips it has heard; if a clip of these was among them, "
                "no figure on it is a test",
                stacklevel=3,
            )
        else:
            known.append(told)
    before, own = together(known), of_its_own(data)
    beyond = {part: "".join(sorted(heard(before[part]) - heard(own[part]))) for part in SHAPING}
    return {**beyond, "speakers": sorted({*before["speakers"]} - {*own["speakers"]})}


def heard_by(init: Path) -> dict[str, Any] | None:
    """All that one run or checkpoint has heard, as `earlier`; None if a checkpoint does not say.

    Raises:
        TrainingError: there is no such run or checkpoint.
    """
    if init.suffix != ENDING:
        return all_heard(stored_data(init))
    if (run_of(init) / DATA).exists():
        return all_heard(stored_data(run_of(init)))
    told: dict[str, Any] | None = load(init).get("heard")
    return told


def warn_of(before: Mapping[str, Any], items: Sequence[Item]) -> None:
    """Say how many of the items that judge were trained on `before`; see `earlier`."""
    trained = heard(before["train"])
    for part in ("val", "test"):
        judges = [shorten(item.digest) for item in items if item.part == part]
        known = sum(digest in trained for digest in judges)
        if known:
            warnings.warn(
                f"the weights that it begins with were trained on {known} of the {len(judges)} "
                f"clips in the {part} part: figures on them flatter",
                stacklevel=3,
            )
