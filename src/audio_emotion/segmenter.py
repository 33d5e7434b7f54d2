"""Rows of probabilities to segments: a label holds until another has led for long enough."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .errors import ConfigError
from .voice import RATE, Stretch

NO_SPEECH, UNCERTAIN = "no speech", "uncertain"
DECIMALS = 6  # of confidences


@dataclass(frozen=True)
class TimelineSettings:
    """How a timeline is made; durations in seconds.

    Raises:
        ConfigError: a value is out of range, or hop_dur is longer than win_dur.
    """

    win_dur: float = 2.0  # of a window, at most the model's; longer ones smear turns
    hop_dur: float = 0.5  # between windows in a voiced stretch
    step_dur: float = 0.1  # of the regular axis
    min_dur: float = 0.5  # that another emotion must last to be told
    margin: float = 0.05  # of probability by which it must lead meanwhile
    uncertain_below: float = 0.35  # mean probability under which a segment is left unnamed
    speech_threshold: float = 0.35  # probability of speech that begins a voiced stretch
    gap_dur: float = 0.4  # of silence that ends one
    pad_dur: float = 0.1  # kept around the voice

    def __post_init__(self) -> None:
        for name in ("win_dur", "hop_dur", "step_dur", "min_dur", "gap_dur"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)} s; it must be positive")
        for name in ("margin", "uncertain_below", "speech_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must lie in [0, 1]")
        if self.hop_dur > self.win_dur:
            raise ConfigError(
                f"hop_dur {self.hop_dur} s is longer than win_dur {self.win_dur} s: what lies "
                "between windows would not be heard"
            )


@dataclass(frozen=True)
class EmotionSegment:
    """From `start` to `end`, in seconds: an emotion, `no speech` or `uncertain`."""

    start: float
    end: float
    label: str
    confidence: float  # mean probability of the label, or of what it would be where uncertain

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass
class _Run:
    """A segment that still grows."""

    start: float
    label: int
    rows: list[npt.NDArray[np.float64]] = field(default_factory=list)


class Segmenter:
    """Segments of a recording, one after the other, as rows come.

    Args:
        settings: how long, and by how much, a label must lead.
        labels: of the rows' columns.
    """

    def __init__(self, settings: TimelineSettings, labels: tuple[str, ...]) -> None:
        self.settings = settings
        self.labels = labels
        self._told_until = 0.0
        self._run: _Run | None = None
        self._rivals: deque[tuple[float, npt.NDArray[np.float64]]] = deque()
        self._rival = -1

    def push(
        self, stretch: Stretch, rows: list[tuple[float, npt.NDArray[np.float64]]]
    ) -> list[EmotionSegment]:
        """Segments that end with these rows of a stretch, or with the stretch."""
        segments: list[EmotionSegment] = []
        for start, row in rows:
            segments += self._step(stretch, start, row)
        if stretch.end is not None and self._run:
            self._run.rows += [row for _, row in self._rivals]  # too short to be told apart
            self._rivals.clear()
            segments += self._finish(stretch.end / RATE)
            self._run = None
        return segments

    def close(self, duration: float) -> list[EmotionSegment]:
        """What is left to the end of the recording."""
        if duration <= self._told_until:
            return []
        return [EmotionSegment(self._told_until, duration, NO_SPEECH, 1.0)]

    def _step(
        self, stretch: Stretch, start: float, row: npt.NDArray[np.float64]
    ) -> list[EmotionSegment]:
        if self._run is None:
            begin = max(stretch.start / RATE, self._told_until)
            self._run = _Run(begin, int(row.argmax()), [row])
            return self._silence(begin)
        best = int(row.argmax())
        if row[best] <= row[self._run.label] + self.settings.margin:
            self._run.rows += [kept for _, kept in self._rivals] + [row]
            self._rivals.clear()
            return []
        if best != self._rival:
            self._run.rows += [kept for _, kept in self._rivals]
            self._rivals.clear()
        self._rival = best
        self._rivals.append((start, row))
        if len(self._rivals) * self.settings.step_dur < self.settings.min_dur:
            return []
        change = self._rivals[0][0]
        if change - self._run.start < self.settings.min_dur:  # the first guess was too short
            self._run.label = best
            self._run.rows += [kept for _, kept in self._rivals]
            self._rivals.clear()
            return []
        segments = self._finish(change)
        self._run = _Run(change, best, [kept for _, kept in self._rivals])
        self._rivals.clear()
        return segments

    def _silence(self, until: float) -> list[EmotionSegment]:
        if until <= self._told_until:
            return []
        segment = EmotionSegment(self._told_until, until, NO_SPEECH, 1.0)
        self._told_until = until
        return [segment]

    def _finish(self, end: float) -> list[EmotionSegment]:
        assert self._run
        mean = np.mean(self._run.rows, 0)
        confidence = round(float(mean[self._run.label]), DECIMALS)
        unsure = confidence < self.settings.uncertain_below
        label = UNCERTAIN if unsure else self.labels[self._run.label]
        segment = EmotionSegment(self._run.start, end, label, confidence)
        self._told_until = end
        return [segment]
