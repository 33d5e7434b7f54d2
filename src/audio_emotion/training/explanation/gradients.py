"""Explanations by integrated gradients: evidence of each frame of each mel band.

Along a straight path from an almost silent spectrogram to the real one, what each cell adds to the
probability of a label; the cells add up to the difference between the two (Sundararajan et al.,
2017, arXiv:1703.01365).  The result is finer than occlusion, but takes longer and needs the weights
in PyTorch.
"""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from ...errors import ModelError
from ...inference.classifier import Classifier
from ...inference.explain import QUIET, Explanation, first_window
from ...inference.model_file import default_model
from ..features.frontend import TOP_DB
from ..model import SHIPPED, TrainedModel, find_model
from .inputs import band_edges, frame_edges

SHOWN = 2  # labels: the predicted one and the runner-up
STEPS = 32  # from the quiet spectrogram to the real one
BATCH = 16  # steps predicted at a time


def attribute(
    signal: npt.ArrayLike,
    sampling_rate: int,
    classifier: Classifier | None = None,
    weights: Path | None = None,
    *,
    steps: int = STEPS,
) -> Explanation:
    """Find what each frame of each mel band adds to the predicted label and the runner-up.

    The explanation covers the same window as `explain`.

    Args:
        signal: `(samples,)`; floats with full scale at 1, or integers with their own.
        sampling_rate: of `signal`, in Hz.
        classifier: the model; by default the shipped one.
        weights: the run or safetensors file that the model was exported from; not needed for the
            shipped model.
        steps: of the integral.

    Raises:
        AudioError: as `as_signal`.
        ModelError: `weights` are missing for a model other than the shipped one.
        TrainingError: `weights` hold no model.
    """
    classifier = classifier or Classifier()
    trained = find_model(weights or _shipped(classifier))
    model = trained.model
    frontend = model.frontend
    start, window = first_window(signal, sampling_rate, classifier)
    with torch.no_grad():
        waveform = torch.from_numpy(window)[None]
        extent = frontend.extent(waveform)
        power = frontend.mel_power(frontend.place(waveform, *extent))
        mask = frontend.frame_mask(power, extent[1])
        mel = frontend.decibel(power, mask)
        shift = torch.zeros(len(classifier.labels))
        if classifier.factors is not None:
            shift = torch.from_numpy(np.log(classifier.factors)).float()
        probabilities = _probabilities(trained, mel, mask, shift)[0]
    shown = probabilities.argsort(descending=True)[:SHOWN].tolist()
    gradients = IntegratedGradients(lambda mel, mask: _probabilities(trained, mel, mask, shift))
    evidence = [
        gradients.attribute(
            mel, quiet(mel), label, (mask,), n_steps=steps, internal_batch_size=BATCH
        )[0]
        for label in shown
    ]
    first, length = (int(edge) for edge in extent)
    return Explanation(
        tuple(classifier.labels[label] for label in shown),
        dict(zip(classifier.labels, probabilities.tolist(), strict=True)),
        frame_edges(frontend.config, start + first, length, mel.shape[2]),
        band_edges(frontend.config),
        torch.stack(evidence).numpy().astype(np.float64),
    )


def quiet(mel: Tensor) -> Tensor:
    """Return mel dB lowered as far as occlusion lowers a cell, but not below the floor."""
    return torch.clamp(mel + 20 * math.log10(QUIET), min=-TOP_DB)


def _probabilities(trained: TrainedModel, mel: Tensor, mask: Tensor, shift: Tensor) -> Tensor:
    model = trained.model
    logits = model.network(model.frontend.normalise(mel, mask), mask)
    return torch.softmax(logits / trained.calibration.temperature + shift, 1)


def _shipped(classifier: Classifier) -> Path:
    if classifier.path != default_model():
        raise ModelError(
            f"{classifier.path} holds no gradients: name the run that it was exported from (--run),"
            " or explain it by occlusion"
        )
    return Path(SHIPPED)
