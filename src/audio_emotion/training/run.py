"""The folder of a training: where its files are, and what they record of settings and clips.

RUN/
  config.yaml        every setting
  data.json          corpora, licence, protocol, and the clips of each split
  history.csv        scores of each epoch, drawn in curves.png
  checkpoints/       last.safetensors to resume from, best.safetensors of the best epoch
  init.safetensors   the weights that training began with, if it began with trained ones
  model.safetensors  the trained model with its calibration, once training has ended
  tensorboard/       the scores for `tensorboard --logdir`
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from ..config import Config, make_config
from ..datasets.provenance import Provenance
from ..errors import CorpusError, TrainingError, translated
from ..files import write_text
from ..text import parse_yaml
from .checkpoints import SUFFIX

CHECKPOINTS = "checkpoints"
BEST, LAST = (f"{CHECKPOINTS}/{name}{SUFFIX}" for name in ("best", "last"))
INIT, MODEL = (f"{name}{SUFFIX}" for name in ("init", "model"))


@dataclass(frozen=True)
class TrainingData:
    """The clips that a model was fitted on, and what their publishers ask for."""

    corpus: str  # names of the corpora
    licence: str
    citation: str
    protocol: str  # how the clips were split
    provenance: Provenance

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**vars(self), "provenance": self.provenance.to_json()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `as_dict` wrote."""
        return cls(**{**values, "provenance": Provenance.from_json(values["provenance"])})


def stored_config(run: Path) -> Config:
    """Read the configuration of a run.

    Raises:
        TrainingError: `run` holds none.
        ConfigError: it was written by another version, which had other settings.
    """
    path = run / "config.yaml"
    with translated(TrainingError, path):
        values = parse_yaml(_read(path))
    if not isinstance(values, dict):
        raise TrainingError(f"{path} is damaged")
    return make_config(values, str(path))


def stored_data(run: Path) -> TrainingData:
    """Read what a run records about its clips.

    Raises:
        TrainingError: `run` records nothing, or was made by another version.
    """
    path = run / "data.json"
    try:
        with translated(TrainingError, path):
            return TrainingData.from_dict(json.loads(_read(path)))
    except (KeyError, TypeError, RecursionError, CorpusError) as error:
        raise TrainingError(f"{path} was written by another version; train again") from error


def write_run(run: Path, config: Config, data: TrainingData) -> None:
    """Record settings and clips; the configuration last, so a folder with it is complete."""
    write_text(run / "data.json", json.dumps(data.as_dict()) + "\n")
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    write_text(run / "config.yaml", text)


def _read(path: Path) -> str:
    if not path.is_file():
        raise TrainingError(f"{path.parent} is not the folder of a training: it has no {path.name}")
    with translated(TrainingError, path):
        return path.read_text(encoding="utf-8")
