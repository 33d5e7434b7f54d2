"""Which notes the songs of each emotion are sung on.

    python benchmarks/tunes.py RAVDESS

Of a few songs of each emotion, the share of voiced frames (pYIN) nearest each note of the scale,
whatever the octave, as a Markdown table: what a network can read off the tune, however it is sung.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import librosa
import numpy as np

from audio_emotion import resample
from audio_emotion.corpora import Clip, load_corpus
from audio_emotion.labels import EMOTIONS

SONGS = 8  # of each emotion
RATE = 16_000
NOTES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def shares(clips: Sequence[Clip]) -> np.ndarray:
    """Of the twelve notes, mean over clips."""
    found = []
    for clip in clips:
        signal = resample(*clip.read(), RATE)
        pitch, voiced, _ = librosa.pyin(
            signal, fmin=65, fmax=700, sr=RATE, frame_length=1024, hop_length=512
        )
        notes = np.round(librosa.hz_to_midi(pitch[voiced])).astype(int) % len(NOTES)
        found.append(np.bincount(notes, minlength=len(NOTES)) / max(1, len(notes)))
    mean: np.ndarray = np.mean(found, 0)
    return mean


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    songs = [clip for clip in load_corpus(parser.parse_args().data).clips if clip.channel == "song"]
    rng = np.random.default_rng(0)
    print(f"| % of frames on | {' | '.join(NOTES)} |\n|---|{'--:|' * len(NOTES)}")
    for emotion in EMOTIONS:
        own = [clip for clip in songs if clip.label.label == emotion]
        if own:
            drawn = [own[n] for n in rng.permutation(len(own))[:SONGS]]
            cells = [f"{100 * share:.0f}" for share in shares(drawn)]
            print(f"| {emotion} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
