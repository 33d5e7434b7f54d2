"""Scores, uncertainty, groups and mistakes of a list of predictions.

A row is one clip: its `label`, the `predicted` label, its `confidence`, whether that is
`confident`, and `probabilities` by label; and what the corpus states: `speaker`, `gender`,
`channel`, `intensity`, `statement`.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import calibration, metrics

Row = dict[str, Any]
GROUPS = ("gender", "channel", "intensity", "statement", "speaker")
MISTAKES = 10
COVERAGE = 0.5


def analyse(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Return scores with intervals, calibration, groups and the most confident mistakes.

    Args:
        rows: predictions, at least one.
        labels: that were predicted, in the order of the model.
    """
    return {
        "clips": len(rows),
        "labels": list(labels),
        "scores": scores(rows, labels),
        "calibration": uncertainty(rows, labels),
        "groups": {name: found for name in GROUPS if (found := group(rows, labels, name))},
        "mistakes": mistakes(rows),
    }


def restrict(rows: Sequence[Row], labels: Sequence[str]) -> list[Row]:
    """Return the rows whose label is one of `labels`, with predictions among them.

    The probabilities of `labels` are scaled to sum to 1.
    """
    if not rows or list(rows[0]["probabilities"]) == list(labels):
        return list(rows)
    restricted = []
    for row in (row for row in rows if row["label"] in labels):
        kept = {label: row["probabilities"][label] for label in labels}
        total = sum(kept.values()) or 1.0
        probabilities = {label: value / total for label, value in kept.items()}
        best = max(probabilities, key=probabilities.__getitem__)
        new = {"predicted": best, "confidence": probabilities[best], "probabilities": probabilities}
        restricted.append(row | new)
    return restricted


def scores(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Return each of `metrics.SCORES` with its interval, each class and the confusion matrix."""
    truth, predicted = _indices(rows, labels)
    matrix = metrics.confusion_matrix(truth, predicted, len(labels))
    speakers = [row["speaker"] for row in rows if row.get("speaker")]
    clusters = speakers if len(speakers) == len(rows) and len(set(speakers)) > 1 else None
    intervals = metrics.bootstrap_intervals(truth, predicted, len(labels), clusters=clusters)
    return {
        **{
            name: {"value": score(matrix), "interval": list(intervals[name])}
            for name, score in metrics.SCORES.items()
        },
        "clustered_by_speaker": clusters is not None,
        **{
            by_class.__name__: [None if np.isnan(x) else float(x) for x in by_class(matrix)]
            for by_class in (metrics.recall, metrics.precision, metrics.f1)
        },
        "support": matrix.sum(1).tolist(),
        "predicted": (matrix.sum(0) / matrix.sum()).tolist(),  # share of all predictions
        "confusion": matrix.tolist(),
    }


def uncertainty(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Return ECE, Brier score, reliability, accuracy by coverage, and confident predictions."""
    truth, predicted = _indices(rows, labels)
    correct = truth == predicted
    confidence = np.array([row["confidence"] for row in rows])
    probabilities = np.array([[row["probabilities"][label] for label in labels] for row in rows])
    shares, accuracies = calibration.coverage_curve(confidence, correct)
    confident = np.array([bool(row["confident"]) for row in rows])
    points = np.unique(np.linspace(0, len(shares) - 1, 101).round().astype(int))
    return {
        "ece": calibration.expected_calibration_error(confidence, correct),
        "brier": calibration.brier_score(probabilities, truth),
        "reliability": calibration.reliability(confidence, correct),
        "coverage": [[float(shares[p]), float(accuracies[p])] for p in points],
        "accuracy_at_half": calibration.accuracy_at(COVERAGE, confidence, correct),
        "confident_share": float(confident.mean()),
        "confident_accuracy": float(correct[confident].mean()) if confident.any() else None,
    }


def rates(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Return the number of clips and each of `metrics.SCORES`."""
    matrix = metrics.confusion_matrix(*_indices(rows, labels), len(labels))
    return {"clips": len(rows)} | {name: of(matrix) for name, of in metrics.SCORES.items()}


def group(rows: Sequence[Row], labels: Sequence[str], name: str) -> list[dict[str, Any]]:
    """Return `rates` for each value of a fact; empty if there is only one."""
    members: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.get(name):
            members[row[name]].append(row)
    if len(members) < 2:
        return []
    return [{"value": value, **rates(members[value], labels)} for value in sorted(members)]


def gap(found: Sequence[dict[str, Any]]) -> float:
    """Return the difference of the highest and the lowest UAR of a group, in [0, 1]."""
    return float(max(row["uar"] for row in found) - min(row["uar"] for row in found))


def mistakes(rows: Sequence[Row]) -> list[Row]:
    """Return the wrong predictions of highest confidence."""
    wrong = [row for row in rows if row["predicted"] != row["label"]]
    worst = sorted(wrong, key=lambda row: (-row["confidence"], row["clip"]))[:MISTAKES]
    return [{k: row[k] for k in ("clip", "label", "predicted", "confidence")} for row in worst]


def _indices(rows: Sequence[Row], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    position = {label: number for number, label in enumerate(labels)}
    indices = [(position[row["label"]], position[row["predicted"]]) for row in rows]
    truth, predicted = np.array(indices).T
    return truth, predicted
