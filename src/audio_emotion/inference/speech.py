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

import numpy as np

from ..audio import Signal
from .vad import CHUNK, SpeechDetector

THRESHOLD = 0.35  # probability of speech that begins a region; singing and shouting count
GAP_DUR = 1.0  # s of silence that end one
PAD_DUR = 0.5  # s kept around it, from which the model's extent is cut
VOICED = 0.28  # voicing of a loud part in which somebody speaks or sings; noise stays below


def speech_regions(signal: Signal) -> list[tuple[int, int]]:
    """Return first and last sample of each region of speech, a second or more apart.

    Args:
        signal: `(samples,)` at `vad.RATE`.
    """
    detector = SpeechDetector(THRESHOLD, GAP_DUR, PAD_DUR)
    padded = np.pad(signal, (0, -len(signal) % CHUNK))
    found = [detector.push(padded[at : at + CHUNK], at) for at in range(0, len(padded), CHUNK)]
    ended = [*(region for region in found if region and region.end), detector.close(len(padded))]
    return [(r.start, min(r.end or 0, len(signal))) for r in ended if r]
