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
from audio_emotion.config import load_config
from audio_emotion.corpora import Clip, load_corpus
from audio_emotion.evaluation.conditions import condition, generator
from audio_emotion.lab.frontend import Frontend

CLIPS = 100
NOISES = ("pink-noise-20dB", "pink-noise-10dB")
TRIMS = (35, 30, 25, 20, 15)  # dB
RATE = load_config("shipped").frontend.sampling_rate


def ends(frontend: Frontend, clip: Clip, noise: str | None = None) -> np.ndarray:
    """Seconds at which the voice begins and ends."""
    signal, rate = clip.read()
    heard = resample(signal, rate, RATE)
    if noise:
        heard, _ = condition(noise)(heard, RATE, generator(clip.name))
    start, length = frontend.extent(torch.from_numpy(heard)[None])
    return np.array([start.item(), (start + length).item()]) / RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path, nargs="+")
    print("| corpus | `trim_db` | s of voice | ends moved by noise at 20 dB, s | at 10 dB, s |")
    print("|---|--:|--:|--:|--:|")
    for path in parser.parse_args().corpora:
        corpus = load_corpus(path)
        speech = [clip for clip in corpus.clips if clip.channel != "song"]
        clips = speech[:: max(1, len(speech) // CLIPS)]
        for trim in TRIMS:
            frontend = Frontend(load_config("shipped", [f"frontend.trim_db={trim}"]).frontend)
            clean = np.array([ends(frontend, clip) for clip in clips])
            moved = [
                np.abs(np.array([ends(frontend, clip, noise) for clip in clips]) - clean)
                for noise in NOISES
            ]
            cells = [f"{m.sum(1).mean():.2f}" for m in moved]
            print(
                f"| {corpus.name} | {trim} | {np.ptp(clean, 1).mean():.2f} | {' | '.join(cells)} |"
            )


if __name__ == "__main__":
    main()
