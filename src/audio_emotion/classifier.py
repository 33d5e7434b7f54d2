"""The trained model at work: a signal in, an emotion out.  Needs numpy and ONNX Runtime only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .audio import MAX_DUR, Signal, Source, read_audio, resample
from .errors import AudioError, ModelError
from .segments import to_samples, window_starts

FORMAT = "audio-emotion-1"
WHOLE_DUR = 30.0  # s up to which a recording's silent ends are looked for
HOP_SHARE = 0.5  # of a window between two windows of a longer recording
BATCH = 16  # windows at a time: bounded memory however long the recording


@dataclass(frozen=True)
class Prediction:
    """What the model makes of one recording.

    >>> Prediction({"calm": 0.25, "happy": 0.75}, duration=3.0).label
    'happy'
    """

    probabilities: dict[str, float]  # by label, in the model's order; they sum to 1
    duration: float  # s of the recording
    threshold: float = 1.0  # confidence from which the model is to be trusted

    @property
    def ranking(self) -> list[str]:
        """Labels from the most to the least probable."""
        return sorted(self.probabilities, key=self.probabilities.__getitem__, reverse=True)

    @property
    def label(self) -> str:
        """The most probable emotion."""
        return self.ranking[0]

    @property
    def confidence(self) -> float:
        """Its probability, in [0, 1]."""
        return self.probabilities[self.label]

    @property
    def confident(self) -> bool:
        """Whether answers of this confidence were right often enough on validation clips.

        How often is `target_accuracy` in the model's calibration; without one nothing is confident.
        """
        return self.confidence >= self.threshold


class Classifier:
    """A model file, ready for signals.

    Args:
        model: an ONNX file that `audio-emotion export` wrote; the shipped one if left out.
        threads: processor threads the model may use; 0 leaves the choice to ONNX Runtime.

    Raises:
        ModelError: the file is missing, damaged or not one of this package's.

    >>> import numpy as np
    >>> Classifier()(np.zeros(22_050, np.float32), 22_050).duration
    1.0
    """

    def __init__(self, model: str | PathLike[str] | None = None, *, threads: int = 0) -> None:
        self.path = default_model() if model is None else Path(model)
        self._session = _load(self.path, threads)
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        if self.metadata.get("format") != FORMAT:
            raise ModelError(
                f"{self.path} is an ONNX model, but not one of format {FORMAT!r}; "
                "make one with 'audio-emotion export RUN'"
            )
        self.labels: tuple[str, ...] = tuple(json.loads(self.metadata["labels"]))
        self.sampling_rate = int(self.metadata["sampling_rate"])
        self.win_dur = float(self.metadata["win_dur"])
        self.calibration: dict[str, Any] = json.loads(self.metadata.get("calibration", "{}"))
        self.threshold = float(self.calibration.get("threshold", 1.0))

    def __call__(self, signal: npt.ArrayLike, sampling_rate: int) -> Prediction:
        """The emotion of a mono signal.

        Where the voice, silence at both ends left out, is longer than the model's window, it is
        heard in half-overlapping windows, whose probabilities are averaged.

        Args:
            signal: `(samples,)`; floats with full scale at 1, or integers with their own.
            sampling_rate: of `signal`, in Hz.

        Raises:
            AudioError: the signal is empty, not one-dimensional, or holds NaN or infinity, or the
                rate is not positive.
        """
        mono = as_signal(signal, sampling_rate)
        heard = resample(mono, sampling_rate, self.sampling_rate)
        mean = self._hear(heard).mean(0, dtype=np.float64)
        probabilities = dict(zip(self.labels, (mean / mean.sum()).tolist(), strict=True))
        return Prediction(probabilities, len(mono) / sampling_rate, self.threshold)

    def file(self, source: Source, *, max_dur: float = MAX_DUR) -> Prediction:
        """The emotion of a recording: a path, the bytes of a file, or a binary file.

        Raises:
            AudioError: as `read_audio`.
        """
        return self(*read_audio(source, max_dur=max_dur))

    def windows(self, signals: Signal) -> npt.NDArray[np.float32]:
        """Probabilities of signals that are heard one by one, each in one window.

        Args:
            signals: `(batch, samples)` float32 at the model's `sampling_rate`, at most `win_dur`.

        Returns:
            `(batch, labels)`.
        """
        return self._run(signals)[0]

    def extent(self, signal: Signal) -> tuple[int, int]:
        """First sample and number of samples of the voice in a signal at the model's rate."""
        start, length = self._run(signal[None])[1][0]
        return int(start), int(length)

    def _hear(self, signal: Signal) -> npt.NDArray[np.float32]:
        """Probabilities of each window that the voice takes, `(windows, labels)`."""
        if len(signal) <= to_samples(WHOLE_DUR, self.sampling_rate):
            probabilities, voiced = self._run(signal[None])
            start, length = voiced[0]
            if length <= to_samples(self.win_dur, self.sampling_rate):
                return probabilities
            signal = signal[start : start + length]
        return np.concatenate([self._run(batch)[0] for batch in self._batches(signal)])

    def _batches(self, signal: Signal) -> Iterator[Signal]:
        window = to_samples(self.win_dur, self.sampling_rate)
        starts = window_starts(
            len(signal), window, to_samples(self.win_dur * HOP_SHARE, self.sampling_rate)
        )
        for first in range(0, len(starts), BATCH):
            rows = [signal[start : start + window] for start in starts[first : first + BATCH]]
            yield np.stack(rows)

    def _run(self, waveforms: Signal) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """`(batch, samples)` → probabilities `(batch, labels)`, voiced extent `(batch, 2)`."""
        probabilities, voiced = self._session.run(
            ["probabilities", "voiced"], {"waveform": waveforms}
        )
        return probabilities, voiced


def default_model() -> Path:
    """The model that comes with the package."""
    return Path(str(resources.files(__package__) / "models" / "default.onnx"))


def as_signal(signal: npt.ArrayLike, sampling_rate: int) -> Signal:
    """`signal` as float32 with full scale at 1, checked."""
    array = np.asarray(signal)
    if array.ndim != 1:
        raise AudioError(
            f"the signal has shape {array.shape}; give one channel, (samples,), such as the mean"
        )
    if not array.size:
        raise AudioError("the signal holds no samples")
    if sampling_rate <= 0:
        raise AudioError(f"the sampling rate is {sampling_rate} Hz; it must be positive")
    if array.dtype.kind in "iu":
        middle = 0 if array.dtype.kind == "i" else np.iinfo(array.dtype).max // 2 + 1
        array = (array.astype(np.float64) - middle) / (np.iinfo(array.dtype).max - middle)
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise AudioError("the signal holds NaN, infinite or non-numeric samples")
    return np.ascontiguousarray(array, np.float32)


def _load(path: Path, threads: int) -> Any:
    import onnxruntime

    if not path.is_file():
        raise ModelError(f"there is no model file {path}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no public base
        raise ModelError(f"{path} is not a readable ONNX model: {error}") from error
