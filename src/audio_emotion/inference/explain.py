"""Explanations by occlusion: which regions of time and frequency support a prediction.

The spectrogram is cut into cells.  Each cell is made almost silent in turn, and its evidence is
what the label's probability loses (Zeiler and Fergus, 2014, arXiv:1311.2901).  The model runs
exactly as users run it.  `training.explanation.gradients` does the same by gradients where torch is
installed.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..audio import Signal, as_signal, resample, to_samples
from ..errors import AudioError
from .classifier import Classifier

if TYPE_CHECKING:
    from .speaker import Speaker

FRAME = 1024  # samples of a frame of the spectrogram that is cut into cells
HOP = FRAME // 4
CELL_DUR = 0.25  # s of a cell, approximately
BANDS = 10  # cells along the frequency axis, equally high on a mel scale
QUIET = 0.01  # amplitude that an occluded cell keeps, 40 dB down
BATCH = 16  # occluded signals predicted at a time
HALF = 0.5  # share of the evidence inside the region that `sentence` names

Grid = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Explanation:
    """Evidence for each label, cell by cell."""

    labels: tuple[str, ...]  # the labels explained
    probabilities: dict[str, float]  # of every label, for the window explained
    times: npt.NDArray[np.float64]  # (columns + 1,) edges in seconds of the recording
    hertz: npt.NDArray[np.float64]  # (rows + 1,) edges
    evidence: Grid  # (labels, rows, columns): what each cell adds to the probability

    @property
    def ranking(self) -> list[str]:
        """The labels explained, from the most to the least probable."""
        return sorted(self.labels, key=self.probabilities.__getitem__, reverse=True)

    def of(self, label: str) -> Grid:
        """Return the evidence for a label, `(rows, columns)`; negative cells count against it."""
        found: Grid = self.evidence[self.labels.index(label)]
        return found

    def sentence(self) -> str:
        """Say in words where the evidence for the predicted label lies."""
        label = self.ranking[0]
        positive = np.maximum(self.of(label), 0)
        if not positive.any():
            return f"{label}: no single region supports it"
        low, high = _narrowest(positive.sum(1))
        first, last = _narrowest(positive.sum(0))
        return (
            f"{label} {self.probabilities[label]:.0%}: mostly {self.times[first]:.1f}–"
            f"{self.times[last]:.1f} s, {self.hertz[low]:.0f}–{self.hertz[high]:.0f} Hz"
        )


def explain(
    signal: npt.ArrayLike,
    sampling_rate: int,
    classifier: Classifier | None = None,
    *,
    speaker: "Speaker | None" = None,
) -> Explanation:
    """Find which regions of a recording support each label.

    The explanation covers one window: the first `win_dur` seconds between the silent ends.

    Args:
        signal: `(samples,)`; floats with full scale at 1, or integers with their own.
        sampling_rate: of `signal`, in Hz.
        classifier: the model; by default the shipped one.
        speaker: who speaks, if enrolled.

    Raises:
        AudioError: as `as_signal`, or there is no prediction to explain.
        SpeakerError: as `Classifier.for_speaker`.
    """
    classifier = classifier or Classifier()
    if speaker is not None:
        classifier = classifier.for_speaker(speaker)
    rate = classifier.sampling_rate
    start, window = first_window(signal, sampling_rate, classifier)
    cells = Cells(window, rate)
    plain = classifier.windows(cells.without(np.zeros(cells.shape, bool))[None])[0]
    masks = np.eye(cells.shape[0] * cells.shape[1], dtype=bool).reshape(-1, *cells.shape)
    lost = plain[:, None] - predict_without(classifier, cells, masks).T  # (labels, cells)
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
    """Return the window of a recording that is explained.

    Returns:
        The index of its first sample and the samples, at most `win_dur`, both at the model's rate.

    Raises:
        AudioError: as `as_signal`, or there is no prediction to explain.
    """
    prediction, rate = classifier(signal, sampling_rate), classifier.sampling_rate
    if prediction.probabilities is None:
        raise AudioError(f"{prediction.warnings[0].message}, so there is nothing to explain")
    resampled = resample(as_signal(signal, sampling_rate), sampling_rate, rate)
    start, length = classifier.extent(resampled)
    return start, resampled[start : start + min(length, to_samples(classifier.win_dur, rate))]


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
        """Number of rows (frequency) and columns (time)."""
        return BANDS, len(self.times) - 1

    def without(self, silenced: npt.NDArray[np.bool_]) -> Signal:
        """Return the signal with the cells of a mask, `(rows, columns)`, almost silent."""
        gain = np.where(silenced[self._row][:, self._column], QUIET, 1.0).T  # (frames, bins)
        frames = np.fft.irfft(self._spectra * gain, FRAME) * self._window
        total = np.zeros(self._at[-1, -1] + 1)
        weight = np.zeros_like(total)
        np.add.at(total, self._at, frames)
        np.add.at(weight, self._at, np.broadcast_to(self._window**2, frames.shape))
        middle = slice(FRAME // 2, FRAME // 2 + self.samples)
        return (total[middle] / np.maximum(weight[middle], 1e-8)).astype(np.float32)


def predict_without(
    classifier: Classifier, cells: Cells, masks: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Predict the signal without the cells of each mask: `(masks, labels)`."""
    batches = (masks[first : first + BATCH] for first in range(0, len(masks), BATCH))
    return np.concatenate(
        [classifier.windows(np.stack([cells.without(mask) for mask in batch])) for batch in batches]
    )


def _narrowest(weights: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Return the first cell, and one past the last, of the shortest run with half of the weight.

    Of runs of equal length it is the one with the most weight.
    """
    sums = np.concatenate([[0], np.cumsum(weights)])
    runs = (
        (end - start, sums[start] - sums[end], start, end)
        for start in range(len(weights))
        for end in range(start + 1, len(weights) + 1)
        if sums[end] - sums[start] >= HALF * sums[-1]
    )
    *_, start, end = min(runs)
    return start, end


def _mel(hertz: float) -> float:
    return float(1127 * np.log1p(hertz / 700))
