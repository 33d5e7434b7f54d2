"""A timeline as an image, PNG or SVG by the suffix of the file.  Needs matplotlib."""

from pathlib import Path

import numpy as np

from ..files import write_with
from ..timeline.recording import Timeline
from ..timeline.segmenter import NO_SPEECH
from .writers import colour

NAMED = 1 / 40  # share of the recording from which a segment is wide enough for its label


def draw_timeline(timeline: Timeline, path: Path) -> None:
    """Draw the segments above the probabilities stacked over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout="constrained")
    segments, stacked = figure.subplots(2, 1, sharex=True, height_ratios=[1, 4])
    for segment in (s for s in timeline.segments if s.label != NO_SPEECH):
        segments.axvspan(segment.start, segment.end, color=colour(segment.label))
        if segment.duration > timeline.duration * NAMED:
            middle = (segment.start + segment.end) / 2
            style = {"ha": "center", "va": "center", "fontsize": 8, "rotation": 30}
            segments.text(middle, 0.5, segment.label, **style)
    segments.set(yticks=[], ylim=(0, 1), title="emotion")
    times = (np.arange(len(timeline.probabilities)) + 0.5) * timeline.step_dur
    rows, colours = np.nan_to_num(timeline.probabilities).T, map(colour, timeline.labels)
    stacked.stackplot(times, rows, labels=timeline.labels, colors=list(colours))
    stacked.set(xlabel="s", ylabel="probability", ylim=(0, 1), xlim=(0, timeline.duration))
    stacked.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=120))
