"""Whether a confidence means what it says, and what to do when it does not.

Temperature scaling and the expected calibration error as Guo et al., 2017 (arXiv:1706.04599).  Fit
on validation clips only, judge on test clips only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

BINS = 15  # of confidence, equally wide, as Guo et al.
TARGET_ACCURACY = 0.9  # that a confident answer is to have
TEMPERATURES = (0.05, 20.0)  # searched between
STEPS = 60  # of golden section; each leaves 0.618 of the interval
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Calibration:
    """What turns logits into confidences that can be believed, and how it was found."""

    temperature: float = 1.0  # logits are divided by it
    threshold: float = 1.0  # a confidence from which an answer counts as confident
    target_accuracy: float = TARGET_ACCURACY  # that the threshold was chosen for
    coverage: float = 0.0  # share of validation clips answered with confidence
    clips: int = 0  # of the validation part
    ece_before: float | None = None  # on validation clips
    ece_after: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """Plain values, for JSON."""
        return asdict(self)


def calibrate(
    logits: npt.NDArray[np.floating], labels: npt.ArrayLike, target: float = TARGET_ACCURACY
) -> Calibration:
    """Temperature and threshold from validation clips.

    Args:
        logits: `(clips, classes)`; -inf for a class that a clip cannot have.
        labels: class index of each clip.
        target: accuracy wanted of the confident answers.
    """
    truth = np.asarray(labels, np.int64)
    temperature = fit_temperature(logits, truth)
    before, after = softmax(logits), softmax(logits / temperature)
    right = after.argmax(1) == truth
    threshold = threshold_for(after.max(1), right, target)
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        target_accuracy=target,
        coverage=float((after.max(1) >= threshold).mean()),
        clips=len(truth),
        ece_before=expected_calibration_error(before.max(1), before.argmax(1) == truth),
        ece_after=expected_calibration_error(after.max(1), right),
    )


def softmax(logits: npt.NDArray[np.floating]) -> Vector:
    """`exp(logits)`, rows summing to one; -inf becomes 0."""
    shifted = np.exp(np.asarray(logits, np.float64) - np.max(logits, 1, keepdims=True))
    probabilities: Vector = shifted / shifted.sum(1, keepdims=True)
    return probabilities


def negative_log_likelihood(probabilities: Vector, labels: npt.NDArray[np.int64]) -> float:
    """Mean of `-log p(label)`, in nats."""
    likelihood = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(likelihood, 1e-12)).mean())


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> float:
    """The temperature whose softmax gives `labels` the greatest likelihood.

    The likelihood is concave in the inverse temperature, so a golden section finds its one peak.

    >>> scores = np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
    >>> round(fit_temperature(scores, np.array([0, 0, 0, 1])), 3)  # 2 / log(3)
    1.82
    """

    def loss(inverse: float) -> float:
        return negative_log_likelihood(softmax(logits * inverse), labels)

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(STEPS):
        width = GOLDEN * (high - low)
        left, right = high - width, low + width
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return 2 / (low + high)


def expected_calibration_error(
    confidences: npt.ArrayLike, right: npt.ArrayLike, bins: int = BINS
) -> float:
    """Mean gap between confidence and accuracy over bins of confidence, weighted by clips.

    >>> expected_calibration_error([0.8, 0.8, 0.8, 0.8], [1, 1, 1, 0])
    0.05
    """
    rows = reliability(confidences, right, bins)
    clips = sum(row["clips"] for row in rows)
    gap = sum(row["clips"] * abs(row["confidence"] - row["accuracy"]) for row in rows)
    return round(float(gap / clips), 12)


def reliability(
    confidences: npt.ArrayLike, right: npt.ArrayLike, bins: int = BINS
) -> list[dict[str, float]]:
    """Clips, mean confidence and accuracy of each bin that holds a clip."""
    confidence, hit = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        {
            "clips": int((index == b).sum()),
            "confidence": float(confidence[index == b].mean()),
            "accuracy": float(hit[index == b].mean()),
        }
        for b in range(bins)
        if (index == b).any()
    ]


def brier_score(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean squared distance of the probabilities from the truth, in [0, 2] (Brier, 1950)."""
    given = np.asarray(probabilities, np.float64)
    truth = np.eye(given.shape[1])[np.asarray(labels, np.int64)]
    return float(np.square(given - truth).sum(1).mean())


def coverage_curve(confidences: npt.ArrayLike, right: npt.ArrayLike) -> tuple[Vector, Vector]:
    """Accuracy of the most confident share of the clips, for each share, `(clips,)` each.

    Equal confidences are answered together, so the order of the clips does not matter.
    """
    confidence = np.asarray(confidences, np.float64)
    order = np.argsort(-confidence, kind="stable")
    ordered, hits = confidence[order], np.cumsum(np.asarray(right, np.float64)[order])
    last = np.append(ordered[1:] < ordered[:-1], True)
    count = np.arange(1, len(ordered) + 1)
    return count[last] / len(ordered), hits[last] / count[last]


def accuracy_at(coverage: float, confidences: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Accuracy where at least `coverage` of the clips, the most confident, are answered."""
    shares, accuracies = coverage_curve(confidences, right)
    return float(accuracies[np.searchsorted(shares, coverage - 1e-9)])


def threshold_for(confidences: npt.ArrayLike, right: npt.ArrayLike, target: float) -> float:
    """The least confidence from which on answers are right in `target` of the cases; 1 if none.

    >>> threshold_for([0.9, 0.8, 0.7, 0.6], [True, True, False, True], 0.75)
    0.6
    """
    confidence = np.sort(np.asarray(confidences, np.float64))[::-1]
    shares, accuracies = coverage_curve(confidences, right)
    good = np.flatnonzero(accuracies >= target)
    if not len(good):
        return 1.0
    return float(confidence[round(shares[good[-1]] * len(confidence)) - 1])
