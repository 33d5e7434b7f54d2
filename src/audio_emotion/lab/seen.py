"""What the network of a model file sees: normalised pictures, with seconds and Hz beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import torch

from ..audio import Signal
from ..classifier import Classifier
from ..config import Config, FrontendConfig
from .frontend import PITCHES, Frontend
from .mel import hz_to_mel, mel_to_hz

NAMES = {
    "mel": ("mel",),
    "mfcc": ("MFCC",),
    "both": ("mel", "MFCC"),
    "contrast": ("mel", "mel less each band's mean"),
    "pitch": ("mel", "mel less each band's mean", "pitch"),
}


@dataclass(frozen=True)
class Seen:
    """Pictures, channel by channel."""

    names: tuple[str, ...]
    pictures: npt.NDArray[np.float32]  # (channels, n_mels, frames), in deviations from the mean
    times: npt.NDArray[np.float64]  # (frames + 1,) edges in seconds of the recording
    hertz: npt.NDArray[np.float64]  # (n_mels + 1,) edges of a mel channel's rows
    pitches: npt.NDArray[np.float64]  # (n_mels + 1,) the same of a pitch channel's


def config_of(classifier: Classifier) -> Config:
    """The configuration that a model file was trained with."""
    return Config.model_validate_json(classifier.metadata["config"])


def seen(voice: Signal, start: int, classifier: Classifier) -> Seen:
    """What the network sees of `voice`, which begins at sample `start` of its recording.

    Args:
        voice: `(samples,)` at the model's rate, at most a window.
        start: in samples at the model's rate.
        classifier: the model.
    """
    frontend = Frontend(config_of(classifier).frontend)
    graph = onnx.load(classifier.path).graph
    fitted = {tensor.name: tensor for tensor in graph.initializer}
    for name in ("mean", "deviation"):
        value = onnx.numpy_helper.to_array(fitted[f"frontend.{name}"])
        getattr(frontend, name).copy_(torch.from_numpy(value.copy()))
    config = frontend.config
    with torch.inference_mode():
        waveform = torch.from_numpy(voice)[None]
        first, length = (int(edge) for edge in frontend.extent(waveform))
        pictures, _ = frontend(waveform)
    times = frame_edges(config, start + first, length, pictures.shape[3])
    edges = band_edges(config), pitch_edges(config)
    return Seen(NAMES[config.features], pictures[0].numpy(), times, *edges)


def frame_edges(
    config: FrontendConfig, first: int, length: int, frames: int
) -> npt.NDArray[np.float64]:
    """Edges of a window's frames in seconds, where `length` samples from `first` on fill it."""
    before = max(0, config.window - length) // 2 if config.placement == "center" else 0
    samples_at = first - before + (np.arange(frames + 1) - 0.5) * config.hop_length
    edges: npt.NDArray[np.float64] = samples_at / config.sampling_rate
    return edges


def band_edges(config: FrontendConfig) -> npt.NDArray[np.float64]:
    """Edges of the mel bands in Hz, half-way on the mel scale between their centres."""
    top = hz_to_mel(np.array(config.sampling_rate / 2)).item()
    return mel_to_hz((np.arange(config.n_mels + 1) + 0.5) * top / (config.n_mels + 1))


def pitch_edges(config: FrontendConfig) -> npt.NDArray[np.float64]:
    """Edges of the lags in Hz, half-way in octaves between them."""
    low, high = PITCHES
    lag = (np.arange(config.n_mels + 1) - 0.5) / (config.n_mels - 1)
    edges: npt.NDArray[np.float64] = low * (high / low) ** lag
    return edges
