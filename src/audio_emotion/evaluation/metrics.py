"""Scores that are computed from a confusion matrix.

Rows are true classes, columns predicted ones: entry `[i, j]` counts clips of class i predicted as
j.  Means over classes leave out classes without clips.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]
Vector = npt.NDArray[np.float64]


def confusion_matrix(truth: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> Matrix:
    """Return counts `(classes, classes)` from class indices, each `(clips,)`.

    Raises:
        ValueError: the shapes differ, there is no clip, or an index is not in `[0, classes)`.

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    rows, columns = np.asarray(truth, np.int64), np.asarray(predicted, np.int64)
    if rows.shape != columns.shape or rows.ndim != 1 or not rows.size:
        raise ValueError(
            f"truth {rows.shape} and predicted {columns.shape} must be equal, not empty"
        )
    if min(rows.min(), columns.min()) < 0 or max(rows.max(), columns.max()) >= classes:
        raise ValueError(f"a class index is outside 0 … {classes - 1}")
    flat = np.bincount(rows * classes + columns, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def accuracy(matrix: Matrix) -> float:
    """Return the share of clips predicted correctly."""
    return float(np.trace(matrix) / matrix.sum())


def recall(matrix: Matrix) -> Vector:
    """Return the share of each class predicted correctly, `(classes,)`; NaN without clips."""
    return _ratio(np.diag(matrix), matrix.sum(1))


def precision(matrix: Matrix) -> Vector:
    """Return the share of correct predictions of each class, `(classes,)`; 0 if never predicted."""
    return np.nan_to_num(_ratio(np.diag(matrix), matrix.sum(0)))


def f1(matrix: Matrix) -> Vector:
    """Return `2 TP / (2 TP + FP + FN)` of each class, `(classes,)`; NaN without clips."""
    doubled = 2 * np.diag(matrix)
    scores = _ratio(doubled, matrix.sum(0) + matrix.sum(1))
    return np.where(matrix.sum(1) > 0, scores, np.nan)


def macro_f1(matrix: Matrix) -> float:
    """Return the mean of `f1` over the classes that occur."""
    return float(np.nanmean(f1(matrix)))


def unweighted_average_recall(matrix: Matrix) -> float:
    """Return the UAR, the mean of `recall` over the classes that occur (balanced accuracy)."""
    return float(np.nanmean(recall(matrix)))


SCORES = {"accuracy": accuracy, "macro_f1": macro_f1, "uar": unweighted_average_recall}


def bootstrap_intervals(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    classes: int,
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return 95 % bootstrap percentile intervals (Efron, 1979) of each of `SCORES`.

    An interval shows how much a score depends on the choice of these clips or speakers.  It does
    not cover another training seed or other microphones.

    Args:
        truth: class index of each clip, `(clips,)`.
        predicted: predicted class index of each clip, `(clips,)`.
        classes: number of classes.
        clusters: name of each clip's cluster, such as its speaker.  Whole clusters are resampled,
            since clips of one speaker are not independent; single clips if None.
        resamples: number of samples drawn with replacement.
        seed: of the resampling.
    """
    rows, columns = np.asarray(truth), np.asarray(predicted)
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
    return {
        name: tuple(np.percentile(values, [2.5, 97.5]).tolist()) for name, values in drawn.items()
    }


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> Vector:
    ratio: Vector = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
