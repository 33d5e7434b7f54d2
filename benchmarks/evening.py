"""What it would bring to take a speaker's recordings to hold every emotion equally often.

    python benchmarks/evening.py runs/actors

The probabilities of each speaker's clips are weighed by one factor a label, so that their mean is
even (matrix scaling, after Sinkhorn and Knopp, 1967), from the answers of a cross-validation.  UAR
and accuracy in percent of all clips of each speaker, and accuracy of draws of which one emotion
makes a half, as a Markdown table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from audio_emotion.evaluation.analysis import Row, restrict
from audio_emotion.evaluation.metrics import confusion_matrix, unweighted_average_recall
from committee import answers

ROUNDS = 100  # of the scaling, which has settled long before
DRAWS, DRAWN = 4, 80  # for each speaker and emotion, and clips in each
SEED = 0


def evened(probabilities: np.ndarray) -> np.ndarray:
    """Answers `(clips, labels)` scaled until each label has the same mean."""
    factors = np.ones(probabilities.shape[1])
    for _ in range(ROUNDS):
        scaled = probabilities * factors
        scaled /= scaled.sum(1, keepdims=True)
        factors /= scaled.mean(0)
    return scaled


def skewed(truth: np.ndarray, often: int, rng: np.random.Generator) -> np.ndarray:
    """Clips drawn with replacement, half of them of the label `often`."""
    present = np.unique(truth)
    share = np.where(present == often, 0.5, 0.5 / (len(present) - 1))
    labels = rng.choice(present, DRAWN, p=share)
    return np.array([rng.choice(np.flatnonzero(truth == label)) for label in labels])


def line(rows: list[Row]) -> str:
    """Figures of one corpus: as answered, and evened by speaker."""
    truths = {row["truth"] for row in rows}
    labels = [name for name in rows[0]["probabilities"] if name in truths]
    rows = restrict(rows, labels)
    rng = np.random.default_rng(SEED)
    matrices = np.zeros((2, len(labels), len(labels)), np.int64)
    right, drawn = np.zeros(2), 0
    for speaker in sorted({row["speaker"] for row in rows}):
        own = [row for row in rows if row["speaker"] == speaker]
        truth = np.array([labels.index(row["truth"]) for row in own])
        plain = np.array([list(row["probabilities"].values()) for row in own])
        for n, answered in enumerate((plain, evened(plain))):
            matrices[n] += confusion_matrix(truth, answered.argmax(1), len(labels))
        for often in np.repeat(np.unique(truth), DRAWS):
            draw = skewed(truth, int(often), rng)
            for n, answered in enumerate((plain[draw], evened(plain[draw]))):
                right[n] += (answered.argmax(1) == truth[draw]).sum()
            drawn += DRAWN
    scores = [(unweighted_average_recall(m), np.trace(m) / m.sum()) for m in matrices]
    figures = [f"{100 * uar:.1f}, {100 * accuracy:.1f}" for uar, accuracy in scores]
    return " | ".join([str(len(rows)), *figures, *(f"{100 * n / drawn:.1f}" for n in right)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of a cross-validation")
    rows = list(answers(parser.parse_args().folder).values())
    print("| % | clips | UAR, accuracy | evened | one emotion a half: accuracy | evened |")
    print("|---|--:|--:|--:|--:|--:|")
    for corpus in sorted({row["corpus"] for row in rows}):
        print(f"| {corpus} | {line([row for row in rows if row['corpus'] == corpus])} |")


if __name__ == "__main__":
    main()
