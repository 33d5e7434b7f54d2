"""Pictures of timelines and explanations, as PNG or SVG by the file's ending.  Needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from ..audio import Signal
from ..explain import Explanation
from ..files import write_with
from ..segmenter import NO_SPEECH
from ..timeline import Timeline
from ..timeline_page import COLOURS, OTHER

FRAME, HOP = 1024, 256  # samples of the spectrogram that is shown
FLOOR = -70.0  # dB
HIGHEST = 8000.0  # Hz shown


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
    signal: Signal, sampling_rate: int, explanation: Explanation, path: Path
) -> None:
    """Waveform, spectrogram, and what spoke for the answer and for the runner-up."""
    figure = Figure(figsize=(9, 9), layout="constrained")
    wave, picture, *maps = figure.subplots(4, 1, sharex=True)
    wave.plot(np.arange(len(signal)) / sampling_rate, signal, linewidth=0.5, color="#2f6fde")
    wave.set(ylabel="waveform", title=explanation.sentence())
    picture.specgram(
        signal + 1e-9, NFFT=FRAME, Fs=sampling_rate, noverlap=FRAME - HOP, cmap="magma",
        vmin=FLOOR - 40, vmax=-40,
    )  # fmt: skip
    picture.set(ylabel="Hz", ylim=(0, min(HIGHEST, sampling_rate / 2)))
    most = float(np.abs(explanation.evidence).max()) or 1.0
    for axes, label in zip(maps, explanation.ranking, strict=False):
        drawn = axes.pcolormesh(
            explanation.times, explanation.hertz, explanation.of(label), cmap="RdBu_r",
            norm=TwoSlopeNorm(0, -most, most),
        )  # fmt: skip
        chance = explanation.probabilities[label]
        axes.set(ylabel="Hz", title=f"what spoke for {label} ({chance:.0%}), and against it")
        figure.colorbar(drawn, ax=axes, label="probability lost")
    maps[-1].set(xlabel="s")
    _save(figure, path)


def _colour(label: str) -> str:
    return "none" if label == NO_SPEECH else COLOURS.get(label, OTHER)


def _save(figure: Any, path: Path) -> None:
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=120))
