"""The trained model at work: a signal in, a label out.  Needs numpy and ONNX Runtime only."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ..audio import MAX_DUR, Signal, Source, StoredSignal, as_signal, store_audio, to_samples
from ..errors import AudioError, ModelError, translated
from ..notices import Code, Notice
from .prediction import Prediction
from .speech import VOICED, Part, speech_regions

if TYPE_CHECKING:
    from .enrolment import Recording
    from .model_file import Enrolment, ModelInfo
    from .speaker import Speaker

Rows = npt.NDArray[np.float32]

WHOLE_DUR = 30.0  # s up to which silent ends of a recording are looked for
HOP_SHARE = 0.5  # of a window, between two windows of a longer recording
BATCH = 16  # windows at a time: bounded memory however long the recording
MIN_DUR = 0.1  # s of speech that a prediction needs
GUESS_DUR = 0.5  # s below which it is a guess
BLOCK = 1 << 19  # samples of an array resampled at a time
MIN_SAMPLES = 2  # at the model's rate, that its front end can place


class Classifier:
    """A model file, ready for signals.

    Args:
        model: an ONNX file written by `audio-emotion export`; by default the shipped model.
        threads: processor threads that the model may use; 0 lets ONNX Runtime choose.

    Attributes:
        path: of the model file.
        info: its metadata.
        factors: of the probability of each label, `(labels,)`, for a speaker; None for nobody.

    Raises:
        ModelError: the file is missing, damaged or not a model file of this package.

    >>> import numpy as np
    >>> Classifier()(np.zeros(22_050, np.float32), 22_050).duration
    1.0
    """

    def __init__(self, model: str | PathLike[str] | None = None, *, threads: int = 0) -> None:
        from .model_file import default_model, open_model

        self.path = default_model() if model is None else Path(model)
        self._threads = threads
        self.info: ModelInfo
        self._session, self.info = open_model(self.path, threads)
        self.factors: npt.NDArray[np.float64] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path, the threads and the speaker; a copy opens the file again."""
        build = partial(Classifier, threads=self._threads)
        return build, (self.path,), {"factors": self.factors}

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

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model file, in hexadecimal."""
        with translated(ModelError, self.path):
            return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def enrolment(self) -> "Enrolment":
        """What speakers are enrolled with.

        Raises:
            ModelError: the file has no reference of neutral speech.
        """
        if self.info.enrolment is None:
            raise ModelError(
                f"nobody can be enrolled with {self.path}: it has no reference of neutral speech; "
                "export its run again with --data and the corpora it was trained on"
            )
        return self.info.enrolment

    def enroll(self, recordings: "Iterable[Recording]") -> "Speaker":
        """Learn how the model predicts the neutral speech of one person.

        Args:
            recordings: of somebody who speaks normally, 3 to 60 s of speech in sum, with the
                microphone that will be used: paths, bytes or binary files, or pairs of a mono
                signal `(samples,)` and its sampling rate in Hz.

        Returns:
            The speaker, for `for_speaker` and every `speaker=`.  Its `warnings` say if recordings
            are clipped, of very different levels, longer than needed, or far from neutral.

        Raises:
            AudioError: there is no recording, or one cannot be read, holds no speech or is there
                twice, or there is less than 3 s of speech in all of them.
            ModelError: as `enrolment`.
        """
        from .enrolment import enroll

        return enroll(self.for_speaker(None), recordings)

    def for_speaker(self, speaker: "Speaker | None") -> Self:
        """Return a classifier that adjusts every prediction to a speaker; None: to nobody.

        Both share the opened model.

        Raises:
            SpeakerError: it is no speaker, or one who was enrolled with another model.
            ModelError: as `enrolment`.
        """
        adjusted = object.__new__(type(self))
        adjusted.__dict__.update(self.__dict__)
        adjusted.factors = None
        if speaker is not None:
            from .speaker import as_speaker

            as_speaker(speaker).check(self.digest, self.labels)
            adjusted.factors = speaker.factors(self.enrolment)
        return adjusted

    def __call__(
        self, signal: npt.ArrayLike, sampling_rate: float, *, speaker: "Speaker | None" = None
    ) -> Prediction:
        """Predict the emotion of a mono signal.

        Silence around and between speech counts for nothing; `speech` states the rule.

        Args:
            signal: `(samples,)`; floats with full scale at 1, or integers with their own.
            sampling_rate: of `signal`, in Hz.
            speaker: who speaks, if enrolled.

        Raises:
            AudioError: as `as_signal`.
            SpeakerError: as `for_speaker`.
        """
        if speaker is not None:
            return self.for_speaker(speaker)(signal, sampling_rate)
        mono = as_signal(signal, sampling_rate)
        blocks = (mono[at : at + BLOCK] for at in range(0, len(mono), BLOCK))
        return self.stored(StoredSignal(blocks, round(sampling_rate), self.sampling_rate))

    def file(
        self,
        source: Source,
        *,
        max_dur: float = MAX_DUR,
        track: int | None = None,
        speaker: "Speaker | None" = None,
    ) -> Prediction:
        """Predict the emotion of a recording: a path, the bytes of a file, or a binary file.

        Args:
            source: the recording.
            max_dur: seconds of it to read at most.
            track: number of the audio track, from 1; by default the default track, or if that is
                silent the first that is not.
            speaker: who speaks, if enrolled.

        Raises:
            AudioError: as `read_audio`.
            SpeakerError: as `for_speaker`.
        """
        if speaker is not None:
            return self.for_speaker(speaker).file(source, max_dur=max_dur, track=track)
        stored, notices = store_audio(source, self.sampling_rate, max_dur=max_dur, track=track)
        prediction = self.stored(stored)
        return replace(prediction, warnings=(*notices, *prediction.warnings))

    def stored(self, signal: StoredSignal) -> Prediction:
        """Predict a signal that was stored, and so levelled, at the model's `sampling_rate`.

        Detector and the floor of the logarithm depend on levels.
        """
        regions = self.speech(signal)
        speech = sum(seconds for seconds, _ in regions)
        notice = _judge(signal.duration, speech)
        if notice and notice.code is not Code.SHORT_SPEECH:
            return Prediction(None, signal.duration, speech_dur=speech, warnings=(notice,))
        means = [np.mean(rows, 0, np.float64) for _, rows in regions]
        mean = np.average(means, 0, [seconds for seconds, _ in regions])
        probabilities = dict(zip(self.labels, (mean / mean.sum()).tolist(), strict=True))
        threshold, notices = self.info.calibration.threshold, (notice,) if notice else ()
        return Prediction(probabilities, signal.duration, threshold, speech, notices)

    def speech(self, signal: StoredSignal) -> list[tuple[float, Rows]]:
        """Return the seconds of each region of speech, and the rows of the windows over it.

        Rows are probabilities `(windows, labels)`; without speech there is no region.
        """
        usable = not signal.silent and len(signal) >= MIN_SAMPLES
        return self._regions(signal) if usable else []

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

    def _regions(self, signal: StoredSignal) -> list[tuple[float, Rows]]:
        """Return the seconds of each region of speech, and the rows of its windows."""
        rate = self.sampling_rate
        if len(signal) <= to_samples(WHOLE_DUR, rate):
            rows, extents, voicing = self._run(signal[:][None])
            length = int(extents[0, 1])
            if voicing[0, 0] >= VOICED and length <= to_samples(self.win_dur, rate):
                return [(length / rate, rows)]
        spans = speech_regions(signal, rate)
        return [self._predict(Part(signal, start, end)) for start, end in spans]

    def _predict(self, part: Part) -> tuple[float, Rows]:
        """Return the seconds of the loud part, and the rows of the windows over it."""
        rate = self.sampling_rate
        if len(part) <= to_samples(WHOLE_DUR, rate):  # else too long for one look
            rows, extents, _ = self._run(part[:][None])
            start, length = map(int, extents[0])
            if length <= to_samples(self.win_dur, rate):
                return length / rate, rows
            part = Part(part, start, start + length)
        rows = np.concatenate([self._run(batch)[0] for batch in self._batches(part)])
        return len(part) / rate, rows

    def _batches(self, part: Part) -> Iterator[Signal]:
        window = to_samples(self.win_dur, self.sampling_rate)
        hop = to_samples(self.win_dur * HOP_SHARE, self.sampling_rate)
        starts = window_starts(len(part), window, hop)
        for first in range(0, len(starts), BATCH):
            rows = [part[start : start + window] for start in starts[first : first + BATCH]]
            yield np.stack(rows)

    def _run(self, waveforms: Signal) -> tuple[Rows, npt.NDArray[np.int64], Rows]:
        """Map `(batch, samples)` to probabilities, extents `(batch, 2)` and voicing `(batch, 1)`.

        Probabilities are `(batch, labels)`.
        """
        if waveforms.shape[1] < MIN_SAMPLES:
            raise AudioError(
                f"the signal has {waveforms.shape[1]} samples at {self.sampling_rate} Hz; a "
                f"prediction needs {MIN_SAMPLES}"
            )
        with translated(ModelError, self.path):
            probabilities, extents, voicing = self._session.run(None, {"waveform": waveforms})
        if not np.isfinite(probabilities).all():
            raise ModelError(f"{self.path} gives probabilities that are not finite")
        if probabilities.shape != (len(waveforms), len(self.labels)):
            raise ModelError(
                f"{self.path} gives probabilities of shape {probabilities.shape} for "
                f"{len(waveforms)} signals and {len(self.labels)} labels"
            )
        if self.factors is not None:
            from .speaker import adjust

            probabilities = adjust(probabilities, self.factors)
        return probabilities, extents, voicing


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


def _judge(duration: float, speech: float) -> Notice | None:
    """Say whether there is too little speech for a prediction, or hardly enough."""
    if duration < MIN_DUR or 0 < speech < MIN_DUR:
        shortest = speech or duration
        return Notice(Code.TOO_SHORT, f"{1000 * shortest:.0f} ms of speech are too short")
    if not speech:
        return Notice(Code.NO_SPEECH, "nobody speaks or sings")
    if speech < GUESS_DUR:
        return Notice(Code.SHORT_SPEECH, f"a guess from {speech:.2f} s of speech")
    return None
