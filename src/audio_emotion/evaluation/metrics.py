"""What can be read off a confusion matrix, each in its closed form.

Rows of a matrix are the truth, columns the answers; entry `[i, j]` counts clips of class i that
were called j.  Averages over classes leave out classes that the truth does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]
Vector = npt.NDArray[np.float64]


def confusion_matrix(truth: npt.ArrayLike, answers: npt.ArrayLike, classes: int) -> Matrix:
    """Counts `(classes, classes)` from class indices, each `(clips,)`.

    Raises:
        ValueError: lengths differ, there is no clip, or an index is not in `[0, classes)`.

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    rows, columns = np.asarray(truth, np.int64), np.asarray(answers, np.int64)
    if rows.shape != columns.shape or rows.ndim != 1 or not rows.size:
        raise ValueError(f"truth {rows.shape} and answers {columns.shape} must be equal, not empty")
    if min(rows.min(), columns.min()) < 0 or max(rows.max(), columns.max()) >= classes:
        raise ValueError(f"a class index is outside 0 … {classes - 1}")
    flat = np.bincount(rows * classes + columns, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def accuracy(matrix: Matrix) -> float:
    """Share of clips called right."""
    return float(np.trace(matrix) / matrix.sum())


def recall(matrix: Matrix) -> Vector:
    """Share of each class' clips called right, `(classes,)`; NaN for a class without clips."""
    return _ratio(np.diag(matrix), matrix.sum(1))


def precision(matrix: Matrix) -> Vector:
    """Share of each class' calls that were right, `(classes,)`; 0 for a class never called."""
    return np.nan_to_num(_ratio(np.diag(matrix), matrix.sum(0)))


def f1(matrix: Matrix) -> Vector:
    """`2 TP / (2 TP + FP + FN)` of each class, `(classes,)`; NaN for a class without clips."""
    doubled = 2 * np.diag(matrix)
    scores = _ratio(doubled, matrix.sum(0) + matrix.sum(1))
    return np.where(matrix.sum(1) > 0, scores, np.nan)


def macro_f1(matrix: Matrix) -> float:
    """Mean of `f1` over the classes that occur."""
    return float(np.nanmean(f1(matrix)))


def unweighted_average_recall(matrix: Matrix) -> float:
    """UAR: mean of `recall` over the classes that occur; balanced accuracy by another name."""
    return float(np.nanmean(recall(matrix)))


SCORES = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "uar": unweighted_average_recall,
}


def bootstrap_intervals(
    truth: npt.ArrayLike,
    answers: npt.ArrayLike,
    classes: int,
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of each of `SCORES` over clips drawn again with replacement.

    Efron, 1979.  With `clusters`, one name a clip, whole clusters are drawn instead: clips of one
    speaker rise and fall together, so intervals over single clips would be too narrow.  They tell
    how much a figure owes to the choice of these clips or speakers; they do not cover another
    training seed or other microphones.
    """
    rows, columns = np.asarray(truth), np.asarray(answers)
    names = np.arange(len(rows)) if clusters is None else np.asarray(clusters)
    _, member = np.unique(names, return_inverse=True)
    units = member.max() + 1
    counts = np.zeros((units, classes, classes), np.int64)  # a confusion matrix for each unit
    np.add.at(counts, (member, rows, columns), 1)
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in SCORES}
    for _ in range(resamples):
        times = np.bincount(rng.integers(units, size=units), minlength=units)
        matrix = np.tensordot(times, counts, 1)
        for name, score in SCORES.items():
            drawn[name].append(score(matrix))
    tails = [50 * (1 - level), 50 * (1 + level)]
    return {name: tuple(np.percentile(values, tails).tolist()) for name, values in drawn.items()}


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> Vector:
    ratio: Vector = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
