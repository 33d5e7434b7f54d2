"""A timeline of samples that are still coming, the same however they are cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .audio import Signal, resample
from .classifier import Classifier, as_signal
from .errors import AudioError
from .segmenter import EmotionSegment, Segmenter, TimelineSettings
from .timeline_grid import Axis, Windows
from .voice import CHUNK, RATE, Stretch, VoiceActivity

FULL_SCALE = 0.999  # amplitude from which a sample counts as clipped


@dataclass(frozen=True)
class Detected:
    """Samples at RATE, and where a voice is heard in them and in those before."""

    samples: Signal
    stretches: list[tuple[Stretch, int]]  # as known after so many samples of the stream
    judged: int  # samples of the stream that the detector has heard


class TimelineStream:
    """A timeline of samples that are still coming.

    Args:
        classifier: the model.
        settings: how; the defaults if left out.
    """

    def __init__(self, classifier: Classifier, settings: TimelineSettings | None = None) -> None:
        self.classifier = classifier
        self.settings = settings or TimelineSettings()
        chosen = self.settings
        # What `detect` changes, and
        self._voice = VoiceActivity(chosen.speech_threshold, chosen.gap_dur, chosen.pad_dur)
        self._resampler: _Resampler | None = None
        self._rest = np.zeros(0, np.float32)  # less than a chunk, not yet judged
        self._judged = 0  # samples that are
        self._clipped = 0  # samples pushed at full scale
        # what `tell` changes, so that they can work side by side.
        win_dur = min(chosen.win_dur, classifier.win_dur)
        self._windows = Windows(win_dur, min(chosen.hop_dur, win_dur))
        self.axis = Axis(chosen.step_dur, len(classifier.labels))
        self._segmenter = Segmenter(chosen, classifier.labels)
        self._kept = np.zeros(0, np.float32)  # from `_offset` on, at RATE
        self._offset = 0

    @property
    def duration(self) -> float:
        """Seconds pushed so far."""
        return self._resampler.duration if self._resampler else 0.0

    @property
    def clipped(self) -> float:
        """Share of the samples pushed that stand at full scale."""
        return self._clipped / self._resampler.samples if self._resampler else 0.0

    def push(self, signal: npt.ArrayLike, sampling_rate: int) -> list[EmotionSegment]:
        """Segments that are final after more samples.

        Raises:
            AudioError: the samples are bad, or their rate is not that of those before.
        """
        return self.tell(self.detect(signal, sampling_rate))

    def close(self) -> list[EmotionSegment]:
        """The segments that are left, to the last sample pushed."""
        segments = []
        if self._resampler:
            segments = self.tell(self._detect(self._resampler.flush()))
        end = self._offset + len(self._kept)
        stretch = self._voice.close(end)
        if stretch:
            segments += self.tell(Detected(np.zeros(0, np.float32), [(stretch, end)], end))
        return segments + self._segmenter.close(self.duration)

    def detect(self, signal: npt.ArrayLike, sampling_rate: int) -> Detected:
        """The first half of `push`: where somebody is heard."""
        mono = as_signal(signal, sampling_rate)
        if self._resampler is None:
            self._resampler = _Resampler(sampling_rate)
        samples = self._resampler.push(mono, sampling_rate)
        self._clipped += int((np.abs(mono) >= FULL_SCALE).sum())
        return self._detect(samples)

    def tell(self, detected: Detected) -> list[EmotionSegment]:
        """The second half of `push`: what the model makes of it, in the order detected."""
        self._kept = np.concatenate([self._kept, detected.samples])
        segments: list[EmotionSegment] = []
        for stretch, judged in detected.stretches:
            spans = self._windows.of(stretch, judged)
            for span in spans:
                self.axis.add(span, self._probabilities(span))
            if spans or stretch.end is not None:
                final = stretch.end if stretch.end is not None else spans[-1][0]
                told = self.axis.final(stretch.start, final)
                segments += self._segmenter.push(stretch, told)
        self._forget(detected.judged)
        return segments

    def _detect(self, samples: Signal) -> Detected:
        waiting = np.concatenate([self._rest, samples])
        stretches = []
        for at in range(0, len(waiting) - CHUNK + 1, CHUNK):
            stretch = self._voice.push(waiting[at : at + CHUNK], self._judged)
            self._judged += CHUNK
            if stretch:
                stretches.append((stretch, self._judged))
        self._rest = waiting[len(waiting) // CHUNK * CHUNK :]
        return Detected(samples, stretches, self._judged)

    def _probabilities(self, span: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Of one window alone: in a batch, its last digits would depend on how samples arrive."""
        start, end = (sample - self._offset for sample in span)
        heard = resample(self._kept[start:end], RATE, self.classifier.sampling_rate)
        row: npt.NDArray[np.float64] = self.classifier.windows(heard[None])[0].astype(np.float64)
        return row

    def _forget(self, judged: int) -> None:
        """Samples that no window can ask for any more."""
        slack = round((self.settings.gap_dur + self.settings.pad_dur) * RATE) + CHUNK
        keep = self._windows.needed(judged) - slack
        drop = max(0, keep - self._offset)
        self._kept = self._kept[drop:]
        self._offset += drop


class _Resampler:
    """A stream at RATE, the same however it is cut."""

    def __init__(self, sampling_rate: int) -> None:
        import soxr

        self.sampling_rate = sampling_rate
        self.samples = 0
        self._given = 0
        same = sampling_rate == RATE
        self._stream = None if same else soxr.ResampleStream(sampling_rate, RATE, 1, "float32")

    @property
    def duration(self) -> float:
        return self.samples / self.sampling_rate

    def push(self, signal: Signal, sampling_rate: int) -> Signal:
        if sampling_rate != self.sampling_rate:
            raise AudioError(
                f"the stream began at {self.sampling_rate} Hz and goes on at {sampling_rate} Hz; "
                "resample it, or begin another stream"
            )
        self.samples += len(signal)
        if self._stream is None:
            return signal
        heard: Signal = self._stream.resample_chunk(signal)
        return heard

    def flush(self) -> Signal:
        if self._stream is None:
            return np.zeros(0, np.float32)
        rest: Signal = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return rest
