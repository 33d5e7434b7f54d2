"""Why the model says what it says: which regions of time and frequency spoke for an answer.

By occlusion: the spectrogram is cut into cells, each is made almost silent in turn, and what the
answer's probability loses is what the cell was worth.  The model is run as users run it: there is
nothing to trust but the model itself (Zeiler and Fergus, 2014, arXiv:1311.2901).  `lab.attribution`
finds the same by gradients, where torch is installed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .audio import Signal, resample
from .classifier import Classifier, as_signal
from .segments import to_samples

FRAME = 1024  # samples of the spectrogram that cells are cut from
HOP = FRAME // 4
CELL_DUR = 0.25  # s, about, of a cell
BANDS = 10  # cells over the frequencies, equally high on a mel scale
QUIET = 0.01  # amplitude that an occluded cell keeps, 40 dB down
BATCH = 16  # occluded signals heard at a time
HALF = 0.5  # of the evidence that the sentence's region holds

Grid = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Explanation:
    """What spoke for each label, cell by cell."""

    labels: tuple[str, ...]  # that are explained
    probabilities: dict[str, float]  # of every label, for the stretch that was explained
    times: npt.NDArray[np.float64]  # (columns + 1,) edges in seconds of the recording
    hertz: npt.NDArray[np.float64]  # (rows + 1,) edges
    evidence: Grid  # (labels, rows, columns): what each cell adds to the probability

    @property
    def ranking(self) -> list[str]:
        """Labels explained, from the most to the least probable."""
        return sorted(self.labels, key=self.probabilities.__getitem__, reverse=True)

    def of(self, label: str) -> Grid:
        """Evidence for one label, `(rows, columns)`; negative where a cell spoke against it."""
        found: Grid = self.evidence[self.labels.index(label)]
        return found

    def on(self, hertz: npt.NDArray[np.float64], times: npt.NDArray[np.float64]) -> Grid:
        """Evidence summed into coarser cells between such edges, `(labels, rows, columns)`."""
        rows = np.searchsorted(hertz, _middles(self.hertz), "right") - 1
        columns = np.searchsorted(times, _middles(self.times), "right") - 1
        into_rows = np.eye(len(hertz) - 1)[rows.clip(0, len(hertz) - 2)]
        into_columns = np.eye(len(times) - 1)[columns.clip(0, len(times) - 2)]
        found: Grid = into_rows.T @ self.evidence @ into_columns
        return found

    def sentence(self) -> str:
        """Where the evidence for the answer lies, in words."""
        label = self.ranking[0]
        positive = np.maximum(self.of(label), 0)
        if not positive.any():
            return f"{label}: no single region carries it"
        low, high = _narrowest(positive.sum(1))
        first, last = _narrowest(positive.sum(0))
        return (
            f"{label} {self.probabilities[label]:.0%}: mostly {self.times[first]:.1f}–"
            f"{self.times[last]:.1f} s, {self.hertz[low]:.0f}–{self.hertz[high]:.0f} Hz"
        )


def explain(
    signal: npt.ArrayLike, sampling_rate: int, classifier: Classifier | None = None
) -> Explanation:
    """Which regions of a recording spoke for each emotion.

    Explains the first window of the voice, as long as the model hears at once.

    Args:
        signal: `(samples,)`; floats with full scale at 1, or integers with their own.
        sampling_rate: of `signal`, in Hz.
        classifier: the model; the shipped one if left out.

    Raises:
        AudioError: as `Classifier.__call__`.
    """
    classifier = classifier or Classifier()
    rate = classifier.sampling_rate
    start, voice = first_window(signal, sampling_rate, classifier)
    cells = Cells(voice, rate)
    plain = classifier.windows(cells.without(np.zeros(cells.shape, bool))[None])[0]
    masks = np.eye(cells.shape[0] * cells.shape[1], dtype=bool).reshape(-1, *cells.shape)
    lost = plain[:, None] - _heard(classifier, cells, masks).T  # (labels, cells)
    return Explanation(
        classifier.labels,
        dict(zip(classifier.labels, plain.tolist(), strict=True)),
        start / rate + cells.times,
        cells.hertz,
        lost.reshape(-1, *cells.shape).astype(np.float64),
    )


def first_window(
    signal: npt.ArrayLike, sampling_rate: int, classifier: Classifier
) -> tuple[int, Signal]:
    """What is explained of a recording: its first voiced sample, and the voice from there on, both
    at the model's rate, no longer than the model hears at once.

    Raises:
        AudioError: as `Classifier.__call__`.
    """
    rate = classifier.sampling_rate
    heard = resample(as_signal(signal, sampling_rate), sampling_rate, rate)
    start, length = classifier.extent(heard)
    return start, heard[start : start + min(length, to_samples(classifier.win_dur, rate))]


class Cells:
    """A signal whose regions of time and frequency can be silenced.

    Args:
        signal: `(samples,)`.
        sampling_rate: in Hz.
    """

    def __init__(self, signal: Signal, sampling_rate: int) -> None:
        self.samples = len(signal)
        self._window = np.hanning(FRAME + 1)[:-1]
        frames = 1 + -(-self.samples // HOP)
        padded = np.pad(signal, (FRAME // 2, frames * HOP + FRAME - self.samples))
        at = np.arange(frames)[:, None] * HOP + np.arange(FRAME)
        self._spectra = np.fft.rfft(padded[at] * self._window)  # (frames, bins)
        self._at = at
        duration = self.samples / sampling_rate
        columns = max(1, round(duration / CELL_DUR))
        self.times = np.linspace(0, duration, columns + 1)
        mel = np.linspace(0, _mel(sampling_rate / 2), BANDS + 1)
        self.hertz = 700 * np.expm1(mel / 1127)
        seconds = np.arange(frames) * HOP / sampling_rate
        bins = np.fft.rfftfreq(FRAME, 1 / sampling_rate)
        self._column = np.clip(np.searchsorted(self.times, seconds, "right") - 1, 0, columns - 1)
        self._row = np.clip(np.searchsorted(self.hertz, bins, "right") - 1, 0, BANDS - 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows of frequency and columns of time."""
        return BANDS, len(self.times) - 1

    def without(self, silenced: npt.NDArray[np.bool_]) -> Signal:
        """The signal with the cells of a mask, `(rows, columns)`, almost silent."""
        gain = np.where(silenced[self._row][:, self._column], QUIET, 1.0).T  # (frames, bins)
        frames = np.fft.irfft(self._spectra * gain, FRAME) * self._window
        total = np.zeros(self._at[-1, -1] + 1)
        weight = np.zeros_like(total)
        np.add.at(total, self._at, frames)
        np.add.at(weight, self._at, np.broadcast_to(self._window**2, frames.shape))
        middle = slice(FRAME // 2, FRAME // 2 + self.samples)
        return (total[middle] / np.maximum(weight[middle], 1e-8)).astype(np.float32)


def deletion(
    signal: npt.ArrayLike,
    sampling_rate: int,
    classifier: Classifier,
    found: Explanation | None = None,
    *,
    share: float = 0.1,
    draws: int = 10,
    seed: int = 0,
) -> tuple[float, float]:
    """Whether an explanation is faithful: what deleting its top cells costs the answer.

    Args:
        signal: `(samples,)`.
        sampling_rate: in Hz.
        classifier: the model.
        found: the explanation; by occlusion if left out.
        share: of the cells deleted at once.
        draws: random sets of as many cells to compare with.
        seed: of the draws.

    Returns:
        Probability lost without the top cells, and without random ones on average.
    """
    found = found or explain(signal, sampling_rate, classifier)
    start, voice = first_window(signal, sampling_rate, classifier)
    cells = Cells(voice, classifier.sampling_rate)
    label = found.ranking[0]
    coarse = found.on(cells.hertz, start / classifier.sampling_rate + cells.times)
    worth = coarse[found.labels.index(label)].ravel()
    count = max(1, round(share * worth.size))
    order = np.argsort(-worth, kind="stable")
    rng = np.random.default_rng(seed)
    picks = [order[:count], *(rng.choice(order, count, replace=False) for _ in range(draws))]
    masks = np.zeros((len(picks), order.size), bool)
    for mask, pick in zip(masks, picks, strict=True):
        mask[pick] = True
    rows = _heard(classifier, cells, masks.reshape(-1, *cells.shape))
    lost = found.probabilities[label] - rows[:, classifier.labels.index(label)]
    return float(lost[0]), float(lost[1:].mean())


def _heard(
    classifier: Classifier, cells: Cells, masks: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Probabilities without the cells of each mask, `(masks, labels)`."""
    batches = (masks[first : first + BATCH] for first in range(0, len(masks), BATCH))
    return np.concatenate(
        [classifier.windows(np.stack([cells.without(mask) for mask in batch])) for batch in batches]
    )


def _middles(edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    middles: npt.NDArray[np.float64] = (edges[:-1] + edges[1:]) / 2
    return middles


def _narrowest(weights: npt.NDArray[np.float64]) -> tuple[int, int]:
    """The shortest run of cells with half of the weight: its first, and one past its last."""
    sums = np.concatenate([[0], np.cumsum(weights)])
    runs = (
        (end - start, start, end)
        for start in range(len(weights))
        for end in range(start + 1, len(weights) + 1)
        if sums[end] - sums[start] >= HALF * sums[-1]
    )
    _, start, end = min(runs)
    return start, end


def _mel(hertz: float) -> float:
    return float(1127 * np.log1p(hertz / 700))
