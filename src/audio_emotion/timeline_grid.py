"""The two grids of a timeline: where the model listens, and what is known at each step."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt

from .voice import RATE, Stretch

EDGE = 0.05  # weight that a window still has at its ends, where its centre has 1
LEAST_DUR = 0.1  # s of voice that the model is asked about


class Windows:
    """Where the model listens in a voiced stretch, in samples at RATE.

    Every `hop` from the stretch's start, and once flush with its end; a stretch that is shorter
    than a window is one window.
    """

    def __init__(self, win_dur: float, hop_dur: float) -> None:
        self.window, self.hop = round(win_dur * RATE), round(hop_dur * RATE)
        self._next: int | None = None

    def of(self, stretch: Stretch, heard: int) -> list[tuple[int, int]]:
        """New windows, now that samples up to `heard` are there."""
        begin = stretch.start if self._next is None else self._next
        until = heard if stretch.end is None else stretch.end
        spans = []
        while begin + self.window <= until:
            spans.append((begin, begin + self.window))
            begin += self.hop
        self._next = begin
        if stretch.end is None:
            return spans
        self._next = None
        reached = begin - self.hop + self.window if begin > stretch.start else stretch.start
        if reached < until and until - stretch.start >= LEAST_DUR * RATE:
            spans.append((max(stretch.start, until - self.window), until))
        return spans

    def needed(self, heard: int) -> int:
        """The first sample that a later window may ask for."""
        return heard - self.window if self._next is None else min(self._next, heard - self.window)


class Axis:
    """Probabilities on a regular axis: means over windows, weighted towards their centres."""

    def __init__(self, step_dur: float, labels: int) -> None:
        self.step = step_dur * RATE
        self.labels = labels
        self._open: dict[int, tuple[npt.NDArray[np.float64], float]] = {}
        self._done = array("f")  # rows one after the other

    def add(self, span: tuple[int, int], row: npt.NDArray[np.float64]) -> None:
        """A window's probabilities over the steps whose centre lies in it."""
        start, end = span
        for step in range(self._first(start), self._first(end)):
            middle = (step + 0.5) * self.step
            weight = max(EDGE, 1 - abs(2 * middle - start - end) / (end - start))
            total, weights = self._open.get(step, (np.zeros(self.labels), 0.0))
            self._open[step] = (total + weight * row, weights + weight)

    def final(self, start: int, end: int) -> list[tuple[float, npt.NDArray[np.float64]]]:
        """Steps before sample `end` that are done: start of each in seconds, and its row."""
        found = []
        for step in sorted(step for step in self._open if step < self._first(end)):
            total, weight = self._open.pop(step)
            row = total / weight
            missing = step * self.labels - len(self._done)
            self._done.extend([np.nan] * missing)
            self._done.extend(row.tolist())
            found.append((step * self.step / RATE, row))
        return found

    def latest(self) -> npt.NDArray[np.float64] | None:
        """The newest step that a window has covered, done or not; None before the first."""
        if not self._open:
            return None
        total, weight = self._open[max(self._open)]
        row: npt.NDArray[np.float64] = total / weight
        return row

    def rows(self, duration: float) -> npt.NDArray[np.float32]:
        """Every step of a recording of `duration` seconds, `(steps, labels)`."""
        done = np.array(self._done, np.float32).reshape(-1, self.labels)
        steps = max(len(done), -(-round(duration * RATE) // round(self.step)))
        rows = np.full((steps, self.labels), np.nan, np.float32)
        rows[: len(done)] = done
        return rows

    def _first(self, sample: int) -> int:
        """The first step whose centre is not before `sample`."""
        return max(0, int(np.ceil(sample / self.step - 0.5)))
