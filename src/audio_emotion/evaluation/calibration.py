"""Measure and correct the calibration of confidences.

Temperature scaling and the expected calibration error follow Guo et al., 2017 (arXiv:1706.04599).
Fit on validation clips only and evaluate on test clips only.
"""

import numpy as np
import numpy.typing as npt

from ..inference.model_file import Calibration

Vector = npt.NDArray[np.float64]

BINS = 15  # of confidence, equally wide, as in Guo et al.
TARGET_ACCURACY = 0.9  # of confident predictions
TEMPERATURES = (0.05, 20.0)  # limits of the search
STEPS = 60  # of the golden-section search; each leaves 0.618 of the interval
GOLDEN = (5**0.5 - 1) / 2


def calibrate(logits: npt.NDArray[np.floating], labels: npt.ArrayLike) -> Calibration:
    """Fit the temperature and the threshold on validation clips.

    Args:
        logits: `(clips, classes)`; -inf for a class that a clip cannot have.
        labels: class index of each clip, `(clips,)`.
    """
    truth = np.asarray(labels, np.int64)
    temperature = fit_temperature(logits, truth)
    before, after = softmax(logits), softmax(logits / temperature)
    correct = after.argmax(1) == truth
    threshold = threshold_for(after.max(1), correct, TARGET_ACCURACY)
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        target_accuracy=TARGET_ACCURACY,
        coverage=float((after.max(1) >= threshold).mean()),
        clips=len(truth),
        ece_before=expected_calibration_error(before.max(1), before.argmax(1) == truth),
        ece_after=expected_calibration_error(after.max(1), correct),
    )


def softmax(logits: npt.NDArray[np.floating]) -> Vector:
    """Return `exp(logits)` scaled so that each row sums to 1; -inf becomes 0."""
    shifted = np.exp(np.asarray(logits, np.float64) - np.max(logits, 1, keepdims=True))
    probabilities: Vector = shifted / shifted.sum(1, keepdims=True)
    return probabilities


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> float:
    """Return the temperature that gives `labels` the greatest likelihood.

    The log-likelihood is concave in the inverse temperature, so a golden-section search finds its
    only maximum.

    >>> scores = np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
    >>> round(fit_temperature(scores, np.array([0, 0, 0, 1])), 3)  # 2 / log(3)
    1.82
    """

    def loss(inverse: float) -> float:  # mean of -log p(label), in nats
        likelihood = softmax(logits * inverse)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(likelihood, 1e-12)).mean())

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(STEPS):
        width = GOLDEN * (high - low)
        left, correct = high - width, low + width
        low, high = (low, correct) if loss(left) <= loss(correct) else (left, high)
    return 2 / (low + high)


def spare_bias(logits: npt.NDArray[np.floating], label: int, recall: float) -> float:
    """Return what can be taken from a label's logit while it stays the answer for enough clips.

    Args:
        logits: `(clips, classes)`, of clips whose label it is.
        label: index of the class.
        recall: share of the clips that must keep it as their answer.

    Returns:
        0 if they are fewer already.

    >>> round(spare_bias(np.array([[3.0, 0], [2, 0], [1, 0], [0, 1]]), 0, 0.5), 3)
    2.0
    """
    rivals = np.delete(logits, label, 1).max(1)
    margins = np.sort(logits[:, label] - rivals)[::-1]
    kept = int(np.ceil(recall * len(margins)))
    return max(0.0, float(margins[kept - 1] - np.spacing(np.float32(abs(margins[kept - 1])))))


def expected_calibration_error(confidences: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Return the mean difference of confidence and accuracy over bins, weighted by clips.

    >>> expected_calibration_error([0.8, 0.8, 0.8, 0.8], [1, 1, 1, 0])
    0.05
    """
    rows = reliability(confidences, correct)
    clips = sum(row["clips"] for row in rows)
    gap = sum(row["clips"] * abs(row["confidence"] - row["accuracy"]) for row in rows)
    return round(float(gap / clips), 12)


def reliability(confidences: npt.ArrayLike, correct: npt.ArrayLike) -> list[dict[str, float]]:
    """Return the mean confidence, accuracy and clips of each bin that holds a clip."""
    confidence, hit = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    index = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return [
        {
            "confidence": float(confidence[index == b].mean()),
            "accuracy": float(hit[index == b].mean()),
            "clips": int((index == b).sum()),
        }
        for b in np.unique(index)
    ]


def brier_score(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the mean squared distance of probabilities and truth, in [0, 2] (Brier, 1950)."""
    predicted = np.asarray(probabilities, np.float64)
    truth = np.eye(predicted.shape[1])[np.asarray(labels, np.int64)]
    return float(np.square(predicted - truth).sum(1).mean())


def coverage_curve(confidences: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[Vector, Vector]:
    """Return shares of the clips, and the accuracy of the most confident ones of each share.

    Equal confidences are counted together, so the order of the clips does not matter.
    """
    _, level = np.unique(-np.asarray(confidences, np.float64), return_inverse=True)
    clips = np.bincount(level).cumsum()
    hits = np.bincount(level, np.asarray(correct, np.float64)).cumsum()
    return clips / clips[-1], hits / clips


def accuracy_at(coverage: float, confidences: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Return the accuracy of the most confident clips, at least the share `coverage` of all."""
    shares, accuracies = coverage_curve(confidences, correct)
    return float(accuracies[np.searchsorted(shares, coverage - 1e-9)])


def threshold_for(confidences: npt.ArrayLike, correct: npt.ArrayLike, target: float) -> float:
    """Return the lowest confidence above which the accuracy reaches `target`; 1 if there is none.

    >>> threshold_for([0.9, 0.8, 0.7, 0.6], [True, True, False, True], 0.75)
    0.6
    """
    _, accuracies = coverage_curve(confidences, correct)
    reached = np.unique(confidences)[::-1][accuracies >= target]
    return float(reached[-1]) if len(reached) else 1.0
