"""Whether explanations are faithful, and how long they take.

    python benchmarks/explain.py RAVDESS CREMA-D

Clips of the speakers held back from the shipped model's training.  In each, the tenth of the cells
with the most evidence is silenced, and for comparison ten random tenths.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from audio_emotion import Classifier, Explanation, explain
from audio_emotion.audio import Signal
from audio_emotion.datasets import load_corpora
from audio_emotion.evaluation.evaluate import select
from audio_emotion.inference.explain import Cells, first_window, predict_without
from audio_emotion.training.explanation.gradients import attribute

CLIPS, SEED, DRAWS = 40, 0, 1000
SHARE, SETS = 0.1, 10  # of the cells deleted at once; random sets of as many
METHODS: dict[str, Callable[[Signal, int, Classifier], Explanation]] = {
    "occlusion": explain,
    "integrated gradients": attribute,
}


def deletion(
    signal: npt.ArrayLike, sampling_rate: int, classifier: Classifier, found: Explanation
) -> tuple[float, float]:
    """Return the probability lost without the top cells, and the mean loss without random ones."""
    start, window = first_window(signal, sampling_rate, classifier)
    cells = Cells(window, classifier.sampling_rate)
    label = found.ranking[0]
    evidence = regrid(found, label, cells.hertz, start / classifier.sampling_rate + cells.times)
    count = max(1, round(SHARE * evidence.size))
    order = np.argsort(-evidence.ravel(), kind="stable")
    rng = np.random.default_rng(SEED)
    picks = [order[:count], *(rng.choice(order, count, replace=False) for _ in range(SETS))]
    masks = np.zeros((len(picks), order.size), bool)
    for mask, pick in zip(masks, picks, strict=True):
        mask[pick] = True
    rows = predict_without(classifier, cells, masks.reshape(-1, *cells.shape))
    lost = found.probabilities[label] - rows[:, classifier.labels.index(label)]
    return float(lost[0]), float(lost[1:].mean())


def regrid(found: Explanation, label: str, hertz: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Sum the evidence for a label into coarser cells with these edges, `(rows, columns)`."""
    into = []
    for fine, coarse in ((found.hertz, hertz), (found.times, times)):
        cell = np.searchsorted(coarse, (fine[:-1] + fine[1:]) / 2, "right") - 1
        into.append(np.eye(len(coarse) - 1)[cell.clip(0, len(coarse) - 2)])
    regridded: np.ndarray = into[0].T @ found.of(label) @ into[1]
    return regridded


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
