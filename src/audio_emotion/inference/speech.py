"""The parts of a recording that a prediction rests on.

Pauses of a second and more separate regions, and silence around them counts for nothing, so what is
predicted does not depend on how much of it there is.  The rule, for any length:

1.  The model file states the extent of the loud part of a recording of up to 30 s, by a level that
    clicks and knocks do not change, and how voiced it is.  If its voicing is at least `VOICED`, and
    it fits one window of the model, its probabilities are the prediction.
2.  Any other recording is divided by the speech detector.  The loud part of each region is
    predicted, from half-overlapping windows where it is longer than one.  Regions are weighted by
    their seconds.
3.  Without a region there is no speech.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..audio import Resampler, Signal
from .vad import CHUNK, RATE, SpeechDetector, SpeechRegion

THRESHOLD = 0.35  # probability of speech that begins a region; singing and shouting count
GAP_DUR = 1.0  # s of silence that end one
PAD_DUR = 0.5  # s kept around it, from which the model's extent is cut
VOICED = 0.28  # voicing of a loud part in which somebody speaks or sings; noise stays below
BLOCK = 2**18  # samples looked at together


class Samples(Protocol):
    """What can be sliced like a signal, such as an array, a `StoredSignal` or a `Part`."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Signal: ...


@dataclass(frozen=True)
class Part:
    """The samples from `start` up to `end`."""

    signal: Samples
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, part: slice) -> Signal:
        start, end, _ = part.indices(len(self))
        return self.signal[self.start + start : self.start + end]


def speech_regions(signal: Samples, sampling_rate: int = RATE) -> list[tuple[int, int]]:
    """Return first and last sample of each region of speech, a second or more apart.

    Args:
        signal: of `sampling_rate` Hz.
        sampling_rate: of `signal`.
    """
    detector, end = SpeechDetector(THRESHOLD, GAP_DUR, PAD_DUR), 0
    found: list[SpeechRegion] = []
    for chunks in _chunks(signal, Resampler(sampling_rate, RATE)):
        found += [r for r in detector.push(chunks, end) if r and r.end]
        end += chunks.size
    ended = [(r.start, r.end or 0) for r in (*found, detector.close(end)) if r]
    ours = ((start * sampling_rate // RATE, end * sampling_rate // RATE) for start, end in ended)
    return [(start, min(end, len(signal))) for start, end in ours]


def _blocks(signal: Samples) -> Iterator[Signal]:
    for at in range(0, len(signal), BLOCK):
        yield signal[at : at + BLOCK]


def _chunks(signal: Samples, resampler: Resampler) -> Iterator[Signal]:
    """Yield `(chunks, CHUNK)` at the detector's rate, the last chunk filled up with zeros."""
    rest = np.zeros(0, np.float32)
    for block in _blocks(signal):
        rest = np.concatenate([rest, resampler.push(block)])
        whole = len(rest) // CHUNK * CHUNK
        yield rest[:whole].reshape(-1, CHUNK)
        rest = rest[whole:]
    rest = np.concatenate([rest, resampler.flush()])
    yield np.pad(rest, (0, -len(rest) % CHUNK)).reshape(-1, CHUNK)
