"""Pictures of timelines and explanations, as PNG or SVG by the file's ending.  Needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from ..audio import Signal
from ..classifier import Classifier
from ..explain import Explanation, first_window
from ..files import write_with
from ..segmenter import NO_SPEECH
from ..timeline import Timeline
from ..timeline_page import COLOURS, OTHER
from .mel import hz_to_mel, mel_to_hz
from .seen import seen

SHOWN = 2  # labels explained: the answer and the runner-up
STRONGEST = 0.995  # quantile of the evidence that takes the strongest colour
TICKS = (250, 500, 1000, 2000, 4000)  # Hz


def draw_timeline(timeline: Timeline, path: Path) -> None:
    """Segments above the probabilities stacked over time."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    told, chances = figure.subplots(2, 1, sharex=True, height_ratios=[1, 4])
    for segment in timeline.segments:
        told.axvspan(segment.start, segment.end, color=_colour(segment.label))
        if segment.label != NO_SPEECH and segment.duration > timeline.duration / 40:
            middle = (segment.start + segment.end) / 2
            told.text(middle, 0.5, segment.label, ha="center", va="center", fontsize=8, rotation=30)
    told.set(yticks=[], ylim=(0, 1), title="emotion")
    times = (np.arange(len(timeline.probabilities)) + 0.5) * timeline.step_dur
    rows = np.nan_to_num(timeline.probabilities).T
    chances.stackplot(
        times, rows, labels=timeline.labels, colors=[_colour(label) for label in timeline.labels]
    )
    chances.set(xlabel="s", ylabel="probability", ylim=(0, 1), xlim=(0, timeline.duration))
    chances.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    _save(figure, path)


def draw_explanation(
    signal: Signal, sampling_rate: int, explanation: Explanation, classifier: Classifier, path: Path
) -> None:
    """Waveform, what the network sees of it, and what spoke for the answer and the runner-up."""
    start, voice = first_window(signal, sampling_rate, classifier)
    picture = seen(voice, start, classifier)
    panels = 1 + len(picture.names) + SHOWN
    figure = Figure(figsize=(9, 2.2 * panels), layout="constrained")
    wave, *rest = figure.subplots(panels, 1, sharex=True)
    wave.plot(np.arange(len(signal)) / sampling_rate, signal, linewidth=0.5, color="#2f6fde")
    wave.set(ylabel="waveform", title=explanation.sentence(), xlim=(0, len(signal) / sampling_rate))
    for axes, name, values in zip(rest, picture.names, picture.pictures, strict=False):
        special = {"MFCC": np.arange(len(values) + 1.0), "pitch": picture.pitches}
        rows = special.get(name, picture.hertz)
        drawn = axes.pcolormesh(picture.times, rows, values, cmap="magma")
        if name == "MFCC":
            axes.set(ylabel="coefficient")
        elif name == "pitch":
            axes.set(ylabel="Hz", yscale="log")
        else:
            _mel_axis(axes)
        axes.set(title=f"{name}, as the network sees it")
        figure.colorbar(drawn, ax=axes, label="deviations")
    for axes, label in zip(rest[len(picture.names) :], explanation.ranking, strict=False):
        worth = explanation.of(label)
        most = float(np.quantile(np.abs(worth), STRONGEST)) or 1.0
        drawn = axes.pcolormesh(
            explanation.times, explanation.hertz, worth, cmap="RdBu_r",
            norm=TwoSlopeNorm(0, -most, most),
        )  # fmt: skip
        _mel_axis(axes)
        chance = explanation.probabilities[label]
        axes.set(title=f"what spoke for {label} ({chance:.0%}), and against it")
        figure.colorbar(drawn, ax=axes, label="probability", extend="both")
    rest[-1].set(xlabel="s")
    _save(figure, path)


def _mel_axis(axes: Any) -> None:
    axes.set_yscale("function", functions=(hz_to_mel, mel_to_hz))
    axes.set(ylabel="Hz", yticks=TICKS, yticklabels=[f"{tick:g}" for tick in TICKS])


def _colour(label: str) -> str:
    return "none" if label == NO_SPEECH else COLOURS.get(label, OTHER)


def _save(figure: Any, path: Path) -> None:
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=120))
