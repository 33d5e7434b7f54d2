"""Speech detection: where somebody speaks or sings in a stream.

Silero's detector gives a probability for each 32 ms.  A speech region begins where it is high
enough and ends after a silence.  The threshold is permissive, because shouting and singing count as
speech here.

Only the detector's LSTM takes one chunk after the other; `training.networks.silero` has laid out
the layers before it as products of matrices over many chunks at once.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..audio import Signal
from .session import open_session, packaged

DETECTOR = "speech.onnx"  # see `training.networks.silero`
RATE = 16_000  # Hz of the detector
CHUNK = 512  # samples of one detection
CONTEXT = 64  # samples before a chunk that the detector takes with it
AT_ONCE = 64  # chunks, which fit the processor's cache
HYSTERESIS = 0.15  # a region continues at a probability lower by this than the one that begins it


@dataclass(frozen=True)
class SpeechRegion:
    """Samples from `start` up to `end` that hold speech; `end` is None while it continues."""

    start: int
    end: int | None = None


class SpeechProbabilities:
    """Probabilities of speech of consecutive chunks, the same however they are grouped."""

    def __init__(self) -> None:
        self._session = _session()
        self._context = np.zeros(CONTEXT, np.float32)
        self._state = np.zeros((2, 1, 128), np.float32)

    def __call__(self, chunks: Signal) -> npt.NDArray[np.float32]:
        """Map `(chunks, 512)` at `RATE` to `(chunks,)`."""
        found = [np.zeros(0, np.float32)]
        for at in range(0, len(chunks), AT_ONCE):
            few = np.clip(chunks[at : at + AT_ONCE], -1, 1)
            ends = np.vstack([self._context, few[:, -CONTEXT:]])
            self._context = ends[-1]
            inputs = {"chunks": np.hstack([ends[:-1], few]), "state": self._state}
            probabilities, self._state = self._session.run(None, inputs)
            found.append(probabilities)
        return np.concatenate(found)


class SpeechDetector:
    """Speech regions of a stream, chunk by chunk.

    Args:
        threshold: probability from which a chunk begins a region, in (0, 1).
        gap_dur: seconds of silence that end a region.
        pad_dur: seconds kept before and after the speech, at most half a gap.
    """

    def __init__(self, threshold: float, gap_dur: float, pad_dur: float) -> None:
        self._probabilities = SpeechProbabilities()
        self._threshold = threshold
        self._gap = round(gap_dur * RATE)
        self._pad = round(min(pad_dur, gap_dur / 2) * RATE)
        self._start: int | None = None
        self._speech_until = 0

    def push(self, chunks: Signal, position: int) -> list[SpeechRegion | None]:
        """Take the next chunks.

        Args:
            chunks: `(chunks, 512)` at `RATE`.
            position: of their first sample in the stream.

        Returns:
            For each chunk the region that continues or has just ended; None in silence.
        """
        starts = range(position, position + chunks.size, CHUNK)
        return list(map(self._step, self._probabilities(chunks).tolist(), starts))

    def _step(self, probability: float, position: int) -> SpeechRegion | None:
        needed = self._threshold if self._start is None else self._threshold - HYSTERESIS
        end = position + CHUNK
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


@cache
def _session() -> Any:
    return open_session(packaged(DETECTOR), threads=1)
