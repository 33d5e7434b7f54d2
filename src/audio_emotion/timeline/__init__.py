"""Emotions over the time of a recording, read at once or as it arrives.

    samples ── resample to 16 kHz ── speech regions ── windows inside each region
        ── the model ── probabilities on a regular axis ── segments with hysteresis

Each step works on a grid of its own that does not depend on how the samples arrive, so a stream cut
into odd pieces gives the same timeline as the whole file, and memory holds a window or two.
"""

from .recording import Timeline, timeline, timelines_of_file
from .segmenter import NO_SPEECH, UNCERTAIN, Segment
from .settings import TimelineSettings
from .stream import TimelineStream

__all__ = [
    "NO_SPEECH",
    "UNCERTAIN",
    "Segment",
    "Timeline",
    "TimelineSettings",
    "TimelineStream",
    "timeline",
    "timelines_of_file",
]
