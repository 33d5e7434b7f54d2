"""Which cells of the mel spectrogram spoke for an answer, by integrated gradients.

Along a straight way from a spectrogram as quiet as occlusion leaves a cell to the real one, what
each cell adds to a label's probability; the cells add up to what the one has over the other
(Sundararajan et al., 2017, arXiv:1703.01365).  What a model hears of the pitch beside the
spectrogram stays as it is.  Finer than occlusion, a cell being a frame of a
band, but slower, and it needs the weights in PyTorch.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from ..classifier import Classifier, default_model
from ..errors import ModelError
from ..explain import QUIET, Explanation, first_window
from .checkpoints import ENDING
from .export import ExportedModel, load_model
from .module import EmotionModule
from .run import load_weights
from .seen import band_edges, config_of, frame_edges

SHOWN = 2  # labels: the answer and the runner-up
STEPS = 32  # from the quiet spectrogram to the real one
BATCH = 16  # of them heard at a time


def attribute(
    signal: npt.ArrayLike,
    sampling_rate: int,
    classifier: Classifier | None = None,
    run: Path | None = None,
    *,
    steps: int = STEPS,
) -> Explanation:
    """What each frame of each mel band adds to the probability of the answer and the runner-up.

    Explains the first window of the voice, as `explain` does.

    Args:
        signal: `(samples,)`; floats with full scale at 1, or integers with their own.
        sampling_rate: of `signal`, in Hz.
        classifier: the model; the shipped one if left out.
        run: the training that the model was exported from; not needed for the shipped one.
        steps: of the integral.

    Raises:
        AudioError: as `Classifier.__call__`.
        ModelError: neither the shipped model nor a run.
        TrainingError: `run` is not a training, or one of another network.
    """
    classifier = classifier or Classifier()
    model = load_model(run) if run else shipped(classifier)
    start, voice = first_window(signal, sampling_rate, classifier)
    frontend = model.frontend
    with torch.no_grad():
        waveform = torch.from_numpy(voice)[None]
        extent = frontend.extent(waveform)
        bands = frontend.mel_power(frontend.place(waveform, *extent))
        counted = frontend.counted(bands, extent[1])
        mel = frontend.decibel(bands, counted)

    def chances(mel: Tensor, counted: Tensor) -> Tensor:
        lags = frontend.lags(bands).expand(len(mel), -1, -1)
        logits = model.network(frontend.normal_stack(mel, counted, lags), counted)
        return torch.softmax(logits / model.temperature, 1)

    with torch.no_grad():
        plain = chances(mel, counted)[0]
    shown = plain.argsort(descending=True)[:SHOWN].tolist()
    gradients = IntegratedGradients(chances)
    evidence = [
        gradients.attribute(
            mel,
            quiet(mel, frontend.config.top_db),
            label,
            (counted,),
            n_steps=steps,
            internal_batch_size=BATCH,
        )[0]
        for label in shown
    ]
    first, length = (int(edge) for edge in extent)
    return Explanation(
        tuple(classifier.labels[label] for label in shown),
        dict(zip(classifier.labels, plain.tolist(), strict=True)),
        frame_edges(frontend.config, start + first, length, mel.shape[2]),
        band_edges(frontend.config),
        torch.stack(evidence).numpy().astype(np.float64),
    )


def quiet(mel: Tensor, top_db: float) -> Tensor:
    """Mel dB with every cell as far down as occlusion brings one, at the lowest `top_db` down."""
    return torch.clamp(mel + 20 * math.log10(QUIET), min=-top_db)


def shipped(classifier: Classifier) -> ExportedModel:
    """The shipped model in PyTorch, from the weights beside it.

    Raises:
        ModelError: `classifier` is another model.
    """
    if classifier.path != default_model():
        raise ModelError(
            f"{classifier.path} holds no gradients: name the training that it was exported from "
            "(--run), or explain it by occlusion"
        )
    module = EmotionModule(config_of(classifier))
    load_weights(classifier.path.with_suffix(ENDING), module)
    temperature = float(classifier.calibration.get("temperature", 1.0))
    return ExportedModel(module.frontend, module.judged, temperature).eval()
