"""The parts of a recording that a prediction rests on.

Pauses of a second and more separate regions, and silence around them counts for nothing, so what is
predicted does not depend on how much of it there is.  The rule, for any length:

1.  A recording whose loud part is voiced and fits one window of the model is predicted from it.
2.  Any other is divided by the speech detector; the loud part of each region is predicted, from
    half-overlapping windows where it is longer than one.  Regions are weighted by their seconds.
3.  Without a region there is no speech.

The loud part is found by a level that clicks and thumps do not change, and begins so that its
centre lies at the same place in a frame of the model, wherever it was in the recording.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..audio import Resampler, Signal
from .vad import CHUNK, RATE, SpeechDetector

THRESHOLD = 0.35  # probability of speech that begins a region; singing and shouting count
GAP_DUR = 1.0  # s of silence that end one
PAD_DUR = 0.5  # s kept around it, from which the model's extent is cut
FRAME = 512  # samples of a frame that level and voicing are measured in; the model's grid
SMOOTH = 5  # frames of the running median of the level; what is shorter is no speech
QUIET_DB = 45.0  # below the loudest level; the model itself trims at less
MARGIN = 4  # frames kept around the loud part
PHASE = 384  # samples from the beginning of a frame to the centre; chosen on validation speakers
BAND = (150, 3500)  # Hz in which a voice repeats itself, by telephone too
LAGS = slice(RATE // 500, RATE // 70)  # periods of voices, 70 to 500 Hz
VOICED = 0.28  # autocorrelation of a voiced frame; noise of any colour stays below
FRAMES = 3  # that have to be voiced


BLOCK = 512 * FRAME  # samples looked at together


class Samples(Protocol):
    """What can be sliced like a signal, such as an array, a `StoredSignal` or a `Part`."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Signal: ...


@dataclass(frozen=True)
class Part:
    """The samples from `start` up to `end`; those before the first are zeros."""

    signal: Samples
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, part: slice) -> Signal:
        start, end, _ = part.indices(len(self))
        inside = self.signal[max(0, self.start + start) : max(0, self.start + end)]
        return np.pad(inside, (end - start - len(inside), 0))


def speech_regions(signal: Samples, sampling_rate: int = RATE) -> list[tuple[int, int]]:
    """Return first and last sample of each region of speech, a second or more apart.

    Args:
        signal: of `sampling_rate` Hz.
        sampling_rate: of `signal`.
    """
    detector, end = SpeechDetector(THRESHOLD, GAP_DUR, PAD_DUR), 0
    found = []
    for chunk in _chunks(signal, Resampler(sampling_rate, RATE)):
        region = detector.push(chunk, end)
        end += CHUNK
        if region and region.end:
            found.append(region)
    ended = [(r.start, r.end or 0) for r in (*found, detector.close(end)) if r]
    ours = ((start * sampling_rate // RATE, end * sampling_rate // RATE) for start, end in ended)
    return [(start, min(end, len(signal))) for start, end in ours]


def loud_part(signal: Samples) -> Part:
    """Return the part of a signal that is not quiet, aligned to the model's grid of frames.

    Args:
        signal: at the model's rate.
    """
    padded = (np.pad(block, (0, -len(block) % FRAME)) for block in _blocks(signal))
    power = np.concatenate([np.square(b.reshape(-1, FRAME)).mean(1) for b in padded])
    around = np.pad(power, SMOOTH // 2)
    windows = np.lib.stride_tricks.sliding_window_view(around, SMOOTH)
    level = np.sort(windows, 1)[:, SMOOTH // 2]  # the median; numpy's is slow to import
    loud = np.flatnonzero(level >= level.max() * 10 ** (-QUIET_DB / 10))
    start = max(0, (loud[0] - MARGIN) * FRAME)
    end = min(len(signal), (loud[-1] + 1 + MARGIN) * FRAME)
    begin = start + (round(_centre(Part(signal, start, end))) - PHASE) % FRAME - FRAME
    return Part(signal, begin, end)


def _blocks(signal: Samples) -> Iterator[Signal]:
    for at in range(0, len(signal), BLOCK):
        yield signal[at : at + BLOCK]


def _chunks(signal: Samples, resampler: Resampler) -> Iterator[Signal]:
    """Yield the chunks of a signal at the detector's rate, the last one filled up with zeros."""
    rest = np.zeros(0, np.float32)
    for block in _blocks(signal):
        rest = np.concatenate([rest, resampler.push(block)])
        whole = len(rest) // CHUNK * CHUNK
        yield from rest[:whole].reshape(-1, CHUNK)
        rest = rest[whole:]
    rest = np.concatenate([rest, resampler.flush()])
    yield from np.pad(rest, (0, -len(rest) % CHUNK)).reshape(-1, CHUNK)


def _centre(signal: Samples) -> float:
    """Return where the energy of a signal lies: that of its loudest part, not of hiss."""
    total = moment = 0.0
    for number, block in enumerate(_blocks(signal)):
        weight = np.square(block, dtype=np.float64) ** 2
        total += float(weight.sum())
        moment += float(weight @ np.arange(number * BLOCK, number * BLOCK + len(weight)))
    return moment / max(total, 1e-300)


def is_voiced(signal: Signal) -> bool:
    """Return whether some loud frames repeat themselves as voices do and noise does not.

    The autocorrelation is that of the amplitudes, not the powers, of the spectrum (Tolonen and
    Karjalainen, 2000), so the colour of a noise hardly matters.

    Args:
        signal: `(samples,)` at `RATE`.
    """
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME) * np.hanning(FRAME)
    power = np.square(frames).sum(1)
    loud = frames[power >= 0.05 * power.max(initial=0)]
    hertz = np.fft.rfftfreq(2 * FRAME, 1 / RATE)
    inside = (hertz >= BAND[0]) & (hertz <= BAND[1])
    alike: npt.NDArray[np.float64] = np.fft.irfft(np.abs(np.fft.rfft(loud, 2 * FRAME)) * inside)
    best = alike[:, LAGS].max(1, initial=0) / np.maximum(alike[:, 0], 1e-12)
    return int((best > VOICED).sum()) >= FRAMES
