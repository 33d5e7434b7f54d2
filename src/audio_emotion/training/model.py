"""The model: a front end and a network, saved as safetensors with a JSON header."""

import json
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..audio import Signal
from ..config import Architecture
from ..datasets import Clip
from ..errors import CorpusError, TrainingError, translated
from ..evaluation.calibration import softmax
from ..evaluation.enrolment import neutral_clips, reference
from ..files import write_with
from ..inference.model_file import FORMAT, Calibration, Enrolment, default_model
from ..version import __version__
from . import checkpoints
from .checkpoints import SUFFIX
from .features.frontend import Frontend
from .networks import Network, make_network
from .run import BEST, MODEL, TrainingData, stored_config, stored_data

HEADER = "audio_emotion_model"
SHIPPED = "default"  # names the shipped weights where a path is expected
DEFINING = ("sampling_rate", "n_fft", "hop_length", "n_mels", "features")  # of what features mean


class EmotionModel(nn.Module):
    """Waveforms to logits.

    Args:
        frontend: from waveforms to features.
        network: from features to logits.
    """

    def __init__(self, frontend: Frontend, network: Network) -> None:
        super().__init__()
        self.frontend = frontend
        self.network = network

    @classmethod
    def build(cls, architecture: Architecture) -> Self:
        """Make a model with random weights."""
        config = architecture.frontend
        network = make_network(architecture.network, config, len(architecture.labels))
        return cls(Frontend(config), network)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map `(batch, samples)` to logits `(batch, classes)`, float32."""
        with torch.no_grad(), torch.autocast(waveform.device.type, enabled=False):
            features, mask = self.frontend(waveform)
        return self.classify(features, mask)

    def classify(self, features: Tensor, frame_mask: Tensor) -> Tensor:
        """Map features `(batch, channels, n_mels, frames)` to logits `(batch, classes)`."""
        features = features.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(features, frame_mask)
        return logits.float()


@dataclass(frozen=True)
class TrainedModel:
    """A model and what its file records about it."""

    model: EmotionModel
    architecture: Architecture
    data: TrainingData
    calibration: Calibration = field(default_factory=Calibration)
    scores: dict[str, float] = field(default_factory=dict)  # of its epoch
    enrolment: Enrolment | None = None  # what speakers can be enrolled with

    def save(self, path: Path, *, half: bool = False) -> None:
        """Write one safetensors file, atomically; `half` stores the network in fp16."""
        state = {name: value.contiguous() for name, value in self.model.state_dict().items()}
        if half:
            state |= {
                name: value.half()
                for name, value in state.items()
                if name.startswith("network.") and value.is_floating_point()
            }
        header = {
            "format": FORMAT,
            "package_version": __version__,
            "architecture": self.architecture.model_dump(mode="json"),
            "data": self.data.as_dict(),
            "calibration": self.calibration.model_dump(),
            "scores": self.scores,
            "enrolment": self.enrolment.model_dump() if self.enrolment else None,
        }
        text = {HEADER: json.dumps(header)}
        write_with(path, lambda temporary: save_file(state, temporary, metadata=text))


def load_model(path: Path) -> TrainedModel:
    """Read a safetensors file that `TrainedModel.save` wrote.

    Raises:
        TrainingError: the file is missing, damaged or of another format.
    """
    with translated(TrainingError, path):
        with safetensors.safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(HEADER)
        state = {name: value.float() for name, value in load_file(path).items()}
    if text is None:
        raise TrainingError(f"{path} holds no model of format {FORMAT!r}; train or export it again")
    try:
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']!r}, not {FORMAT!r}")
        architecture = Architecture.model_validate(header["architecture"])
        model = EmotionModel.build(architecture)
        model.load_state_dict(state)
        return TrainedModel(
            model.eval(),
            architecture,
            TrainingData.from_dict(header["data"]),
            Calibration.model_validate(header["calibration"]),
            header["scores"],
            Enrolment.model_validate(header["enrolment"]) if header.get("enrolment") else None,
        )
    except (KeyError, TypeError, ValueError, RuntimeError, CorpusError) as error:
        raise TrainingError(f"{path} is damaged: {' '.join(str(error).split())}") from error


@torch.no_grad()
def neutral_reference(
    trained: TrainedModel, clips: Iterable[Clip], read: Callable[[Clip], Signal]
) -> Enrolment | None:
    """Return what speakers are enrolled with: predictions of other people's neutral speech.

    Args:
        trained: a model with its calibration.
        clips: of the validation split; neutral ones of acted corpora are used.
        read: returns the signal of a clip at the model's rate.

    Returns:
        The reference; None if no clip is neutral.
    """
    neutral = neutral_clips(clips)
    if not neutral:
        return None
    logits = [trained.model(torch.from_numpy(read(clip))[None]).numpy() for clip in neutral]
    probabilities = softmax(np.concatenate(logits) / trained.calibration.temperature)
    return reference(neutral, probabilities, trained.architecture.labels)


def load_best(run: Path) -> TrainedModel:
    """Read the model of a run's best epoch so far, without calibration.

    Raises:
        TrainingError: the run has no checkpoint, or one of another version.
    """
    architecture = stored_config(run).architecture
    checkpoint = checkpoints.load(run / BEST)
    model = EmotionModel.build(architecture)
    try:
        state = {
            name.removeprefix("model."): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith("model.")
        }
        histories = (s["rows"] for s in checkpoint["callbacks"].values() if s.get("rows"))
        scores: dict[str, float] = next(histories, [{}])[-1]
        model.load_state_dict(state)
    except (KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{run / BEST} is damaged") from error
    except RuntimeError as error:
        raise TrainingError(f"{run / BEST} is of another network than {run} configures") from error
    return TrainedModel(model.eval(), architecture, stored_data(run), scores=scores)


def find_model(source: Path) -> TrainedModel:
    """Read a run, a safetensors file, or `default`, the shipped weights.

    Raises:
        TrainingError: there is no such run or file.
    """
    if str(source) == SHIPPED and not source.exists():
        return load_model(default_model().with_suffix(SUFFIX))
    if source.suffix == SUFFIX:
        return load_model(source)
    if (source / MODEL).exists():
        return load_model(source / MODEL)
    found = load_best(source)
    warnings.warn(
        f"{source} has not ended: its best epoch so far is taken, without calibration; "
        "'audio-emotion train --resume' finishes it",
        stacklevel=2,
    )
    return found


def initialise(model: EmotionModel, architecture: Architecture, init: TrainedModel) -> None:
    """Copy trained weights into a new model; rows of the last layer go by their labels.

    Rows of labels that `init` does not know keep their random weights.

    Raises:
        TrainingError: `init` has another network, or another front end.
    """
    for name in DEFINING:
        old, new = (getattr(a.frontend, name) for a in (init.architecture, architecture))
        if old != new:
            raise TrainingError(
                f"the initial weights were trained with frontend.{name} {old}, not {new}"
            )
    state: dict[str, Any] = init.model.network.state_dict()
    if init.architecture.labels != architecture.labels:
        own = model.network.state_dict()
        for name in (f"{model.network.last_layer}.{part}" for part in ("weight", "bias")):
            rows = own[name].clone()
            for row, label in enumerate(architecture.labels):
                if name in state and label in init.architecture.labels:
                    rows[row] = state[name][init.architecture.labels.index(label)]
            state[name] = rows
    try:
        model.network.load_state_dict(state)
        model.frontend.load_state_dict(init.model.frontend.state_dict())
    except RuntimeError as error:
        raise TrainingError("the initial weights are of another network than configured") from error
