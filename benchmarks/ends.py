"""How long a front end finds the voice in a clip, and how far noise moves its ends.

    python benchmarks/ends.py RAVDESS CREMA-D

For each corpus and each `trim_db`: seconds of voice, and by how many seconds its two ends move
together once pink noise is added, means over some clips of speech.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from audio_emotion import resample
from audio_emotion.audio import Signal
from audio_emotion.config import load_config
from audio_emotion.corpora import Clip, load_corpus
from audio_emotion.evaluation.conditions import condition, generator
from audio_emotion.lab.frontend import Frontend

CLIPS = 100
NOISES = ("pink-noise-20dB", "pink-noise-10dB")
TRIMS = (35, 30, 25, 20, 15)  # dB
RATE = load_config("shipped").frontend.sampling_rate


def recordings(clip: Clip) -> list[Signal]:
    """The clip, and the clip with each of the noises."""
    clean = resample(*clip.read(), RATE)
    return [clean, *(condition(n)(clean, RATE, generator(clip.name))[0] for n in NOISES)]


def ends(frontend: Frontend, heard: Signal) -> tuple[float, float]:
    """Seconds at which the voice begins and ends."""
    start, length = frontend.extent(torch.from_numpy(heard)[None])
    return start.item() / RATE, (start + length).item() / RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path, nargs="+")
    print("| corpus | `trim_db` | s of voice | ends moved by noise at 20 dB, s | at 10 dB, s |")
    print("|---|--:|--:|--:|--:|")
    for path in parser.parse_args().corpora:
        corpus = load_corpus(path)
        speech = [clip for clip in corpus.clips if clip.channel != "song"]
        heard = [recordings(clip) for clip in speech[:: max(1, len(speech) // CLIPS)]]
        for trim in TRIMS:
            frontend = Frontend(load_config("shipped", [f"frontend.trim_db={trim}"]).frontend)
            found = np.array([[ends(frontend, signal) for signal in each] for each in heard])
            clean, noisy = found[:, :1], found[:, 1:]  # (clips, conditions, 2)
            moved = np.abs(noisy - clean).sum(2).mean(0)
            cells = " | ".join(f"{s:.2f}" for s in (np.ptp(clean, 2).mean(), *moved))
            print(f"| {corpus.name} | {trim} | {cells} |")


if __name__ == "__main__":
    main()
