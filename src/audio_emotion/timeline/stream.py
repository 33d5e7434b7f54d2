"""A timeline of samples that are still arriving, the same however they are cut."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..audio import FULL_SCALE, Resampler, Signal, as_signal, resample
from ..errors import AudioError
from ..inference.classifier import Classifier
from ..inference.vad import CHUNK, RATE, SpeechDetector, SpeechRegion
from .axis import Axis
from .segmenter import Segment, Segmenter
from .settings import TimelineSettings
from .windows import Windows

if TYPE_CHECKING:
    from ..inference.speaker import Speaker

Row: TypeAlias = npt.NDArray[np.float64]
Run: TypeAlias = Callable[[Callable[[tuple[int, int]], Row], list[tuple[int, int]]], Iterable[Row]]


@dataclass(frozen=True)
class Detected:
    """Samples at `RATE`, and the speech regions in them and in those before."""

    samples: Signal
    regions: list[tuple[SpeechRegion, int]]  # as known after so many samples of the stream
    processed: int  # samples of the stream that the detector has processed


class TimelineStream:
    """A timeline of samples that are still arriving.

    Args:
        classifier: the model.
        settings: how; the defaults if left out.
        speaker: who speaks, if enrolled with the same model.

    Raises:
        SpeakerError: the speaker was enrolled with another model.

    >>> from audio_emotion import Classifier
    >>> stream = TimelineStream(Classifier())
    >>> stream.push(np.zeros(32_000), 16_000)
    []
    >>> [segment.label for segment in stream.close()]
    ['no speech']
    """

    def __init__(
        self,
        classifier: Classifier,
        settings: TimelineSettings | None = None,
        *,
        speaker: "Speaker | None" = None,
    ) -> None:
        self.classifier = classifier.for_speaker(speaker) if speaker is not None else classifier
        self.settings = chosen = settings or TimelineSettings()
        # `detect` changes these, and `predict` those below, so that both can run in parallel.
        self._detector = SpeechDetector(chosen.speech_threshold, chosen.gap_dur, chosen.pad_dur)
        self._resampler: Resampler | None = None
        self._rest = np.zeros(0, np.float32)  # less than a chunk, not yet processed
        self._processed = 0
        self._clipped = 0  # samples pushed at full scale

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
        """Share of the samples pushed that are at full scale, in [0, 1]."""
        return self._clipped / self._resampler.samples if self._resampler else 0.0

    def push(self, signal: npt.ArrayLike, sampling_rate: int) -> list[Segment]:
        """Take more samples and return the segments that are final now.

        Args:
            signal: `(samples,)`, possibly none; floats with full scale at 1, or integers.
            sampling_rate: of `signal`, in Hz; the same in every call.

        Raises:
            AudioError: the samples are bad, or the rate has changed.
        """
        return self.predict(self.detect(signal, sampling_rate))

    def close(self) -> list[Segment]:
        """Return the remaining segments, up to the last sample pushed."""
        segments = []
        if self._resampler:
            segments = self.predict(self._detect(self._resampler.flush()))
        end = self._offset + len(self._kept)
        region = self._detector.close(end)
        if region:
            segments += self.predict(Detected(np.zeros(0, np.float32), [(region, end)], end))
        return segments + self._segmenter.close(self.duration)

    def detect(self, signal: npt.ArrayLike, sampling_rate: int) -> Detected:
        """Do the first half of `push`: find speech."""
        if not np.size(signal):
            return Detected(np.zeros(0, np.float32), [], self._processed)
        mono = as_signal(signal, sampling_rate, whole=False)
        resampler = self._resampler = self._resampler or Resampler(sampling_rate, RATE)
        if sampling_rate != resampler.sampling_rate:
            raise AudioError(
                f"the stream began at {resampler.sampling_rate} Hz and continues at {sampling_rate}"
                " Hz; resample it, or begin another stream"
            )
        samples = resampler.push(mono)
        self._clipped += int((np.abs(mono) >= FULL_SCALE).sum())
        return self._detect(samples)

    def predict(self, detected: Detected, run: Run = map) -> list[Segment]:
        """Do the second half of `push`: run the model, in the order of detection.

        Args:
            detected: what `detect` returned.
            run: as `map`, but perhaps with threads.
        """
        self._kept = np.concatenate([self._kept, detected.samples])
        planned = [(r, self._windows.of(r, available)) for r, available in detected.regions]
        rows = iter(run(self._probabilities, [span for _, spans in planned for span in spans]))
        segments: list[Segment] = []
        for region, spans in planned:
            for span in spans:
                self.axis.add(span, next(rows))
            if spans or region.end is not None:
                end = region.end if region.end is not None else spans[-1][0]
                segments += self._segmenter.push(region, self.axis.finish(end))
        self._forget(detected.processed)
        return segments

    def _detect(self, samples: Signal) -> Detected:
        waiting = np.concatenate([self._rest, samples])
        whole = len(waiting) // CHUNK * CHUNK
        regions = []
        for region in self._detector.push(waiting[:whole].reshape(-1, CHUNK), self._processed):
            self._processed += CHUNK
            if region:
                regions.append((region, self._processed))
        self._rest = waiting[whole:]
        return Detected(samples, regions, self._processed)

    def _probabilities(self, span: tuple[int, int]) -> Row:
        """Predict one window alone: in a batch its last digits would depend on its neighbours."""
        start, end = (sample - self._offset for sample in span)
        window = resample(self._kept[start:end], RATE, self.classifier.sampling_rate)
        row: Row = self.classifier.windows(window[None])[0].astype(np.float64)
        return row

    def _forget(self, processed: int) -> None:
        """Drop the samples that no later window can need."""
        slack = round((self.settings.gap_dur + self.settings.pad_dur) * RATE) + CHUNK
        drop = max(0, self._windows.needed(processed) - slack - self._offset)
        self._kept = self._kept[drop:]
        self._offset += drop
