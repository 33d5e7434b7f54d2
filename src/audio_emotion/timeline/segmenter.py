"""Rows of probabilities to segments: a label holds until another has led for long enough."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..inference.vad import RATE, SpeechRegion
from .settings import TimelineSettings

NO_SPEECH, UNCERTAIN = "no speech", "uncertain"
DECIMALS = 6  # of confidences

Row = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Segment:
    """Seconds from `start` to `end` with one label: an emotion, `no speech` or `uncertain`."""

    start: float
    end: float
    label: str
    confidence: float  # mean probability of the label, or of the leading one if uncertain

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass
class _Run:
    """A segment that still grows."""

    start: float
    label: int
    rows: list[Row] = field(default_factory=list)


class Segmenter:
    """Segments of a recording, one after the other, as rows arrive.

    Args:
        settings: how long, and by how much, a label must lead.
        labels: of the columns of the rows.
    """

    def __init__(self, settings: TimelineSettings, labels: tuple[str, ...]) -> None:
        self.settings = settings
        self.labels = labels
        self._emitted_until = 0.0
        self._run: _Run | None = None
        self._rivals: deque[tuple[float, Row]] = deque()  # rows that another label leads
        self._rival = -1  # which

    def push(self, region: SpeechRegion, rows: list[tuple[float, Row]]) -> list[Segment]:
        """Return the segments that end with these rows of a region, or with the region."""
        segments: list[Segment] = []
        for start, row in rows:
            segments += self._step(region, start, row)
        if region.end is not None and self._run:
            self._absorb()  # rivals that did not last
            segments += self._finish(self._run, region.end / RATE)
            self._run = None
        return segments

    def close(self, duration: float) -> list[Segment]:
        """Return the silence up to the end of the recording."""
        return self._silence(duration)

    def _step(self, region: SpeechRegion, start: float, row: Row) -> list[Segment]:
        best = int(row.argmax())
        if self._run is None:
            begin = max(region.start / RATE, self._emitted_until)
            self._run = _Run(begin, best, [row])
            return self._silence(begin)
        if row[best] <= row[self._run.label] + self.settings.margin:
            self._absorb()
            self._run.rows.append(row)
            return []
        if best != self._rival:
            self._absorb()
        self._rival = best
        self._rivals.append((start, row))
        if len(self._rivals) * self.settings.step_dur < self.settings.min_dur:
            return []
        change = self._rivals[0][0]
        if change - self._run.start < self.settings.min_dur:  # the first label did not last
            self._run.label = best
            self._absorb()
            return []
        segments = self._finish(self._run, change)
        self._run = _Run(change, best)
        self._absorb()
        return segments

    def _absorb(self) -> None:
        """Count the rows of a rival to the current run."""
        assert self._run
        self._run.rows += [row for _, row in self._rivals]
        self._rivals.clear()

    def _silence(self, until: float) -> list[Segment]:
        if until <= self._emitted_until:
            return []
        segment = Segment(self._emitted_until, until, NO_SPEECH, 1.0)
        self._emitted_until = until
        return [segment]

    def _finish(self, run: _Run, end: float) -> list[Segment]:
        confidence = round(float(np.mean(run.rows, 0)[run.label]), DECIMALS)
        uncertain = confidence < self.settings.uncertain_below
        self._emitted_until = end
        label = UNCERTAIN if uncertain else self.labels[run.label]
        return [Segment(run.start, end, label, confidence)]
