"""The regular time axis on which probabilities are averaged over windows."""

from array import array

import numpy as np
import numpy.typing as npt

from ..inference.vad import RATE

EDGE = 0.05  # weight of a window at its ends; at its centre it is 1


class Axis:
    """Probabilities on a regular axis: means over windows, weighted towards their centres.

    Args:
        step_dur: seconds of a step.
        labels: number of labels.
    """

    def __init__(self, step_dur: float, labels: int) -> None:
        self.step = step_dur * RATE
        self.labels = labels
        self._open: dict[int, tuple[npt.NDArray[np.float64], float]] = {}
        self._final = array("f")  # rows one after the other

    def add(self, span: tuple[int, int], row: npt.NDArray[np.float64]) -> None:
        """Add a window's probabilities to the steps whose centre lies in it."""
        start, end = span
        for step in range(self._first(start), self._first(end)):
            middle = (step + 0.5) * self.step
            weight = max(EDGE, 1 - abs(2 * middle - start - end) / (end - start))
            total, weights = self._open.get(step, (np.zeros(self.labels), 0.0))
            self._open[step] = (total + weight * row, weights + weight)

    def finish(self, end: int) -> list[tuple[float, npt.NDArray[np.float64]]]:
        """Close the steps before sample `end`; return the start in seconds and the row of each."""
        found = []
        for step in sorted(step for step in self._open if step < self._first(end)):
            total, weight = self._open.pop(step)
            row = total / weight
            missing = step * self.labels - len(self._final)
            self._final.extend([np.nan] * missing)
            self._final.extend(row.tolist())
            found.append((step * self.step / RATE, row))
        return found

    def latest(self) -> npt.NDArray[np.float64] | None:
        """Return the newest step that a window covers, or None before the first."""
        if not self._open:
            return None
        total, weight = self._open[max(self._open)]
        row: npt.NDArray[np.float64] = total / weight
        return row

    def rows(self, duration: float) -> npt.NDArray[np.float32]:
        """Return every step of a recording of `duration` seconds, `(steps, labels)`.

        Steps without speech are NaN.
        """
        final = np.array(self._final, np.float32).reshape(-1, self.labels)
        steps = max(len(final), int(np.ceil(round(duration * RATE) / self.step - 1e-9)))
        rows = np.full((steps, self.labels), np.nan, np.float32)
        rows[: len(final)] = final
        return rows

    def _first(self, sample: int) -> int:
        """Return the first step whose centre is not before `sample`."""
        return max(0, int(np.ceil(sample / self.step - 0.5)))
