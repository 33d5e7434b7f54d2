"""Explanations drawn over the features of the network, as PNG or SVG by the file's suffix."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from ...audio import Signal
from ...files import write_with
from ...inference.classifier import Classifier
from ...inference.explain import Explanation, first_window
from ..features.mel import hz_to_mel, mel_to_hz
from .inputs import NetworkInput, network_input

SHOWN = 2  # labels explained: the predicted one and the runner-up
STRONGEST = 0.995  # quantile of the evidence that takes the strongest colour
TICKS = (250, 500, 1000, 2000, 4000)  # Hz


def draw_explanation(
    signal: Signal, sampling_rate: int, explanation: Explanation, classifier: Classifier, path: Path
) -> None:
    """Draw the waveform, the features of the network, and the evidence for two labels.

    Args:
        signal: `(samples,)`.
        sampling_rate: of `signal`, in Hz.
        explanation: of the signal.
        classifier: the model that is explained.
        path: the picture to write.
    """
    start, window = first_window(signal, sampling_rate, classifier)
    features = network_input(window, start, classifier)
    channels = len(features.names)
    panels = 1 + channels + SHOWN
    figure = Figure(figsize=(9, 2.2 * panels), layout="constrained")
    wave, *rest = figure.subplots(panels, 1, sharex=True)
    wave.plot(np.arange(len(signal)) / sampling_rate, signal, linewidth=0.5, color="#2f6fde")
    wave.set(ylabel="waveform", title=explanation.sentence(), xlim=(0, len(signal) / sampling_rate))
    for number, axes in enumerate(rest[:channels]):
        _draw_channel(figure, axes, features, number)
    for axes, label in zip(rest[channels:], explanation.ranking, strict=False):
        _draw_evidence(figure, axes, explanation, label)
    rest[-1].set(xlabel="s")
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=120))


def _draw_channel(figure: Figure, axes: Any, features: NetworkInput, number: int) -> None:
    name, values = features.names[number], features.features[number]
    rows = np.arange(len(values) + 1.0) if name == "MFCC" else features.hertz
    drawn = axes.pcolormesh(features.times, rows, values, cmap="magma")
    if name == "MFCC":
        axes.set(ylabel="coefficient")
    else:
        _mel_axis(axes)
    axes.set(title=f"{name}, input of the network")
    figure.colorbar(drawn, ax=axes, label="deviations")


def _draw_evidence(figure: Figure, axes: Any, explanation: Explanation, label: str) -> None:
    evidence = explanation.of(label)
    most = float(np.quantile(np.abs(evidence), STRONGEST)) or 1.0
    drawn = axes.pcolormesh(
        explanation.times, explanation.hertz, evidence, cmap="RdBu_r",
        norm=TwoSlopeNorm(0, -most, most),
    )  # fmt: skip
    _mel_axis(axes)
    axes.set(title=f"evidence for {label} ({explanation.probabilities[label]:.0%}), and against it")
    figure.colorbar(drawn, ax=axes, label="probability", extend="both")


def _mel_axis(axes: Any) -> None:
    axes.set_yscale("function", functions=(hz_to_mel, mel_to_hz))
    axes.set(ylabel="Hz", yticks=TICKS, yticklabels=[f"{tick:g}" for tick in TICKS])
