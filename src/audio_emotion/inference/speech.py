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

import numpy as np
import numpy.typing as npt

from ..audio import Signal
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


def speech_regions(signal: Signal) -> list[tuple[int, int]]:
    """Return first and last sample of each region of speech, a second or more apart.

    Args:
        signal: `(samples,)` at `RATE`.
    """
    detector = SpeechDetector(THRESHOLD, GAP_DUR, PAD_DUR)
    padded = np.pad(signal, (0, -len(signal) % CHUNK))
    found = [detector.push(padded[at : at + CHUNK], at) for at in range(0, len(padded), CHUNK)]
    ended = [*(region for region in found if region and region.end), detector.close(len(padded))]
    return [(r.start, min(r.end or 0, len(signal))) for r in ended if r]


def loud_part(signal: Signal) -> Signal:
    """Return the part of a signal that is not quiet, aligned to the model's grid of frames.

    Args:
        signal: `(samples,)` at the model's rate.
    """
    frames = np.pad(signal, (0, -len(signal) % FRAME)).reshape(-1, FRAME)
    around = np.pad(np.square(frames).mean(1), SMOOTH // 2)
    windows = np.lib.stride_tricks.sliding_window_view(around, SMOOTH)
    level = np.sort(windows, 1)[:, SMOOTH // 2]  # the median; numpy's is slow to import
    loud = np.flatnonzero(level >= level.max() * 10 ** (-QUIET_DB / 10))
    start = max(0, (loud[0] - MARGIN) * FRAME)
    end = min(len(signal), (loud[-1] + 1 + MARGIN) * FRAME)
    weight = np.square(signal[start:end], dtype=np.float64) ** 2  # of the loudest, not of hiss
    centre = weight @ np.arange(len(weight)) / max(weight.sum(), 1e-300)  # from `start`
    begin = start + (round(centre) - PHASE) % FRAME - FRAME
    return np.pad(signal[max(0, begin) : end], (max(0, -begin), 0))


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
