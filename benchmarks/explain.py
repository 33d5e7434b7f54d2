"""Whether explanations are faithful, and how long they take.

    python benchmarks/explain.py RAVDESS CREMA-D

Clips of the speakers held back from the shipped model's training.  Of each, the tenth of the cells
that a map says speaks most for the answer is silenced, and for comparison ten random tenths.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from audio_emotion import Classifier, explain
from audio_emotion.audio import Signal
from audio_emotion.corpora import load_corpora
from audio_emotion.evaluation.evaluate import select
from audio_emotion.explain import Explanation, deletion
from audio_emotion.lab.attribution import attribute

CLIPS, SEED, DRAWS = 40, 0, 1000
METHODS: dict[str, Callable[[Signal, int, Classifier], Explanation]] = {
    "occlusion": explain,
    "integrated gradients": attribute,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    arguments = parser.parse_args()
    model, rng = Classifier(), np.random.default_rng(SEED)
    held_back, _ = select(model, load_corpora(arguments.data), "val")
    chosen = rng.choice(len(held_back), CLIPS, replace=False)
    recordings = [held_back[n].read() for n in chosen]
    print("| | top tenth | random tenth | times as much | seconds |")
    print("|---|--:|--:|--:|--:|")
    for name, method in METHODS.items():
        seconds, lost = [], []
        for signal, sampling_rate in recordings:
            began = time.perf_counter()
            found = method(signal, sampling_rate, model)
            seconds.append(time.perf_counter() - began)
            lost.append(deletion(signal, sampling_rate, model, found))
        top, chance = 100 * np.mean(lost, 0)
        draws = rng.integers(0, CLIPS, (DRAWS, CLIPS))
        tops, chances = np.moveaxis(np.array(lost)[draws].mean(1), 1, 0)
        low, high = np.percentile(tops / chances, [2.5, 97.5])
        print(
            f"| {name} | {top:.1f} | {chance:.1f} | {top / chance:.1f} ({low:.1f} – {high:.1f}) "
            f"| {median(seconds):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
