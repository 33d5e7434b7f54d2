"""The features that the network of a model file takes, with their seconds and Hz."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import torch

from ...audio import Signal
from ...config import FrontendConfig
from ...inference.classifier import Classifier
from ..features.frontend import Frontend
from ..features.mel import hz_to_mel, mel_to_hz

NAMES = {"mel": "mel", "mfcc": "MFCC", "mean_normalised": "mel less each band's mean"}


@dataclass(frozen=True)
class NetworkInput:
    """Features, channel by channel."""

    names: tuple[str, ...]
    features: npt.NDArray[np.float32]  # (channels, n_mels, frames), in deviations from the mean
    times: npt.NDArray[np.float64]  # (frames + 1,) edges in seconds of the recording
    hertz: npt.NDArray[np.float64]  # (n_mels + 1,) edges of the rows of a mel channel


def network_input(window: Signal, start: int, classifier: Classifier) -> NetworkInput:
    """Return the features of `window`, which begins at sample `start` of its recording.

    Args:
        window: `(samples,)` at the model's rate, at most `win_dur`.
        start: in samples at the model's rate.
        classifier: the model.
    """
    frontend = stored_frontend(classifier)
    config = frontend.config
    with torch.inference_mode():
        waveform = torch.from_numpy(window)[None]
        first, length = (int(edge) for edge in frontend.extent(waveform))
        features, _ = frontend(waveform)
    times = frame_edges(config, start + first, length, features.shape[3])
    names = tuple(NAMES[channel] for channel in config.channels)
    return NetworkInput(names, features[0].numpy(), times, band_edges(config))


def stored_frontend(classifier: Classifier) -> Frontend:
    """Return the front end of a model file in PyTorch."""
    frontend = Frontend(FrontendConfig.model_validate(classifier.info.frontend))
    initialisers = {tensor.name: tensor for tensor in onnx.load(classifier.path).graph.initializer}
    for name in ("mean", "deviation"):
        value = onnx.numpy_helper.to_array(initialisers[f"frontend.{name}"])
        getattr(frontend, name).copy_(torch.from_numpy(value.copy()))
    return frontend


def frame_edges(
    config: FrontendConfig, first: int, length: int, frames: int
) -> npt.NDArray[np.float64]:
    """Return the edges of frames in seconds, if `length` samples from `first` on are placed."""
    before = max(0, config.window - length) // 2 if config.placement == "center" else 0
    samples_at = first - before + (np.arange(frames + 1) - 0.5) * config.hop_length
    edges: npt.NDArray[np.float64] = samples_at / config.sampling_rate
    return edges


def band_edges(config: FrontendConfig) -> npt.NDArray[np.float64]:
    """Return the edges of the mel bands in Hz, half-way in mel between their centres."""
    top = hz_to_mel(np.array(config.sampling_rate / 2)).item()
    return mel_to_hz((np.arange(config.n_mels + 1) + 0.5) * top / (config.n_mels + 1))
