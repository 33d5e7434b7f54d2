"""Finished trainings that tell a new one what they make of the same changed clips.

A clip's target is then no longer its label alone, but in part what several trained networks
answer on average: which other emotions it resembles (Hinton et al., 2015, arXiv:1503.02531).  They
hear what the student hears, warped, in noise and cut as it is (Beyer et al., 2022,
arXiv:2106.05237), but neither masked nor mixed with another clip.  A run keeps copies of them, so
that it can be resumed:

RUN/teachers/1/
  config.yaml
  checkpoints/best.safetensors
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml
from torch import Tensor

from ..config import FrontendConfig
from ..corpora.corpus import heard, shorten
from ..errors import TrainingError
from ..files import write_text
from .data import Item
from .module import EmotionModule
from .run import best_of, load_weights, save_weights, stored_config

CONTAINED_IN = {"contrast": {"contrast", "pitch"}}  # features whose bands hold a teacher's, too


class Teachers:
    """The mean of what finished runs answer.

    Args:
        runs: their folders.
        student: whose front end's bands they will be given.

    Raises:
        TrainingError: a folder is no training, or has other labels, or hears what the student's
            front end does not give it.
    """

    def __init__(self, runs: Sequence[Path], student: EmotionModule) -> None:
        self.modules = [_teacher(run, student) for run in runs]

    def to(self, device: torch.device) -> None:
        """Move all of them."""
        for module in self.modules:
            module.to(device)

    @torch.no_grad()
    def __call__(self, bands: Tensor, length: Tensor, allowed: Tensor) -> Tensor:
        """Probabilities `(batch, classes)` of clips changed for the student.

        Args:
            bands: `(batch, frames, n_mels)` mel power, or with as many lags behind.
            length: `(batch, 1)` voiced samples.
            allowed: `(batch, classes)`, the labels that a clip's corpus has.
        """
        answers = [module.answers(bands, length) for module in self.modules]
        chances = torch.stack([a.masked_fill(~allowed, -torch.inf).softmax(1) for a in answers])
        mean: Tensor = chances.mean(0)
        return mean

    def keep(self, run: Path) -> None:
        """Leave copies in a run's folder; `kept` finds them."""
        for number, module in enumerate(self.modules, 1):
            folder = run / "teachers" / str(number)
            config = module.config.model_dump(mode="json")
            write_text(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False))
            save_weights(module, best_of(folder))


def kept(run: Path) -> list[Path]:
    """The copies of its teachers that a run keeps."""
    return sorted((run / "teachers").glob("*"), key=lambda folder: int(folder.name))


def refuse_leaks(runs: Sequence[Path], items: Sequence[Item]) -> None:
    """Teachers must not know what the student is chosen or judged by.

    Raises:
        TrainingError: one was trained on a clip of the validation or test part, or chosen on one
            of the test part, or does not say what it was trained on.
    """
    parts = {part: {shorten(i.digest) for i in items if i.part == part} for part in ("val", "test")}
    for run in runs:
        try:
            data = json.loads((run / "data.json").read_text(encoding="utf-8"))
        except OSError as error:
            raise TrainingError(f"{run} is not the folder of a training: no data.json") from error
        trained, chosen = (heard(data["digests"][part]) for part in ("train", "val"))
        for part, known in (("val", trained), ("test", trained | chosen)):
            leaked = len(parts[part] & known)
            if leaked:
                raise TrainingError(
                    f"the teacher {run} has heard {leaked} clips of the {part} part; a teacher "
                    "must come from the same split"
                )


def _teacher(run: Path, student: EmotionModule) -> EmotionModule:
    config = stored_config(run)
    if config.labels != student.config.labels:
        raise TrainingError(f"the teacher {run} knows other labels: {', '.join(config.labels)}")
    theirs, given = config.frontend, student.config.frontend
    known = CONTAINED_IN.get(theirs.features, {theirs.features})
    if given.features not in known or _bands(theirs) != _bands(given):
        raise TrainingError(
            f"the teacher {run} hears what this front end does not give: it was trained with "
            f"{theirs!r}"
        )
    module = EmotionModule(config)
    load_weights(best_of(run), module)
    return module.eval().requires_grad_(False)


def _bands(config: FrontendConfig) -> FrontendConfig:
    """The front end as far as the bands."""
    same = {"features": "mel", "normalization": "clip", "top_db": 80}
    return config.model_copy(update=same)
