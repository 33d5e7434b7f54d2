"""The trained model at work: a signal in, a label out.  Needs numpy and ONNX Runtime only."""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..audio import MAX_DUR, Signal, Source, as_signal, read_audio, resample, to_samples
from ..errors import ModelError
from .prediction import Prediction

if TYPE_CHECKING:
    from .model_file import ModelInfo

WHOLE_DUR = 30.0  # s up to which silent ends of a recording are looked for
HOP_SHARE = 0.5  # of a window, between two windows of a longer recording
BATCH = 16  # windows at a time: bounded memory however long the recording


class Classifier:
    """A model file, ready for signals.

    Args:
        model: an ONNX file written by `audio-emotion export`; by default the shipped model.
        threads: processor threads that the model may use; 0 lets ONNX Runtime choose.

    Attributes:
        path: of the model file.
        info: its metadata.

    Raises:
        ModelError: the file is missing, damaged or not a model file of this package.

    >>> import numpy as np
    >>> Classifier()(np.zeros(22_050, np.float32), 22_050).duration
    1.0
    """

    def __init__(self, model: str | PathLike[str] | None = None, *, threads: int = 0) -> None:
        from .model_file import default_model, open_model

        self.path = default_model() if model is None else Path(model)
        self.info: ModelInfo
        self._session, self.info = open_model(self.path, threads)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the probabilities."""
        return self.info.labels

    @property
    def sampling_rate(self) -> int:
        """Sampling rate in Hz that the model computes at."""
        return self.info.sampling_rate

    @property
    def win_dur(self) -> float:
        """Seconds that the model takes at once."""
        return self.info.win_dur

    def __call__(self, signal: npt.ArrayLike, sampling_rate: int) -> Prediction:
        """Predict the emotion of a mono signal.

        If the signal without its silent ends is longer than the model's window, half-overlapping
        windows are predicted and their probabilities averaged.

        Args:
            signal: `(samples,)`; floats with full scale at 1, or integers with their own.
            sampling_rate: of `signal`, in Hz.

        Raises:
            AudioError: as `as_signal`.
        """
        mono = as_signal(signal, sampling_rate)
        resampled = resample(mono, sampling_rate, self.sampling_rate)
        mean = self._predict(resampled).mean(0, dtype=np.float64)
        probabilities = dict(zip(self.labels, (mean / mean.sum()).tolist(), strict=True))
        threshold = self.info.calibration.threshold
        return Prediction(probabilities, len(mono) / sampling_rate, threshold)

    def file(self, source: Source, *, max_dur: float = MAX_DUR) -> Prediction:
        """Predict the emotion of a recording: a path, the bytes of a file, or a binary file.

        Args:
            source: the recording.
            max_dur: seconds of it to read at most.

        Raises:
            AudioError: as `read_audio`.
        """
        return self(*read_audio(source, max_dur=max_dur))

    def windows(self, signals: Signal) -> npt.NDArray[np.float32]:
        """Predict each of several signals from one window.

        Args:
            signals: `(batch, samples)` float32 at the model's `sampling_rate`, at most `win_dur`.

        Returns:
            Probabilities `(batch, labels)`.
        """
        return self._run(signals)[0]

    def extent(self, signal: Signal) -> tuple[int, int]:
        """Return the first sample and the number of samples between the silent ends.

        Args:
            signal: `(samples,)` at the model's rate.
        """
        start, length = self._run(signal[None])[1][0]
        return int(start), int(length)

    def _predict(self, signal: Signal) -> npt.NDArray[np.float32]:
        """Return the probabilities of each window, `(windows, labels)`."""
        if len(signal) <= to_samples(WHOLE_DUR, self.sampling_rate):
            probabilities, voiced = self._run(signal[None])
            start, length = voiced[0]
            if length <= to_samples(self.win_dur, self.sampling_rate):
                return probabilities
            signal = signal[start : start + length]
        return np.concatenate([self._run(batch)[0] for batch in self._batches(signal)])

    def _batches(self, signal: Signal) -> Iterator[Signal]:
        window = to_samples(self.win_dur, self.sampling_rate)
        hop = to_samples(self.win_dur * HOP_SHARE, self.sampling_rate)
        starts = window_starts(len(signal), window, hop)
        for first in range(0, len(starts), BATCH):
            rows = [signal[start : start + window] for start in starts[first : first + BATCH]]
            yield np.stack(rows)

    def _run(self, waveforms: Signal) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Map `(batch, samples)` to probabilities `(batch, labels)` and extents `(batch, 2)`."""
        probabilities, voiced = self._session.run(
            ["probabilities", "voiced"], {"waveform": waveforms}
        )
        if probabilities.shape != (len(waveforms), len(self.labels)):
            raise ModelError(
                f"{self.path} gives probabilities of shape {probabilities.shape} for "
                f"{len(waveforms)} signals and {len(self.labels)} labels"
            )
        return probabilities, voiced


def window_starts(samples: int, window: int, hop: int) -> list[int]:
    """Return the first samples of windows that cover a recording, the last flush with its end.

    >>> window_starts(samples=10, window=4, hop=4)
    [0, 4, 6]
    >>> window_starts(samples=3, window=4, hop=4)
    [0]
    """
    if samples <= window:
        return [0]
    last = samples - window
    return [*range(0, last, hop), last]
