"""Everything that a list of answered clips can tell: scores, doubt, groups, mistakes.

A row is one clip: `truth`, `answer`, `confidence`, `probabilities` (by label) and whether the
model is `confident`; and what the corpus says of the clip: `speaker`, `gender`, `channel`,
`intensity`, `statement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import calibration, metrics

Row = dict[str, Any]
GROUPS = ("gender", "channel", "intensity", "statement", "speaker")
MISTAKES = 10
COVERAGE = 0.5


def analyse(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Scores with intervals, calibration, groups and the most confident mistakes.

    Args:
        rows: answered clips, at least one.
        labels: of the answers, in the model's order.
    """
    return {
        "clips": len(rows),
        "labels": list(labels),
        "scores": scores(rows, labels),
        "calibration": doubt(rows, labels),
        "groups": {name: found for name in GROUPS if (found := group(rows, labels, name))},
        "mistakes": mistakes(rows),
    }


def restrict(rows: Sequence[Row], labels: Sequence[str]) -> list[Row]:
    """`rows` as answered among `labels` only, the rest of the probability shared in proportion."""
    restricted = []
    for row in rows:
        kept = {label: row["probabilities"][label] for label in labels}
        total = sum(kept.values()) or 1.0
        probabilities = {label: value / total for label, value in kept.items()}
        answer = max(probabilities, key=probabilities.__getitem__)
        restricted.append(
            row
            | {
                "answer": answer,
                "confidence": probabilities[answer],
                "probabilities": probabilities,
            }
        )
    return restricted


def scores(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Each of `metrics.SCORES` with its interval, each class, and the confusion matrix."""
    truth, answers = _indices(rows, labels)
    matrix = metrics.confusion_matrix(truth, answers, len(labels))
    speakers = [row["speaker"] for row in rows if row.get("speaker")]
    clusters = speakers if len(speakers) == len(rows) and len(set(speakers)) > 1 else None
    intervals = metrics.bootstrap_intervals(truth, answers, len(labels), clusters=clusters)
    return {
        **{
            name: {"value": score(matrix), "interval": list(intervals[name])}
            for name, score in metrics.SCORES.items()
        },
        "clustered_by_speaker": clusters is not None,
        "recall": _plain(metrics.recall(matrix)),
        "precision": _plain(metrics.precision(matrix)),
        "f1": _plain(metrics.f1(matrix)),
        "support": matrix.sum(1).tolist(),
        "confusion": matrix.tolist(),
    }


def doubt(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Reliability, ECE, Brier score, accuracy against coverage, answers called confident."""
    truth, answers = _indices(rows, labels)
    right = truth == answers
    confidence = np.array([row["confidence"] for row in rows])
    probabilities = np.array([[row["probabilities"][label] for label in labels] for row in rows])
    shares, accuracies = calibration.coverage_curve(confidence, right)
    confident = np.array([bool(row["confident"]) for row in rows])
    points = np.unique(np.linspace(0, len(shares) - 1, 101).round().astype(int))
    return {
        "ece": calibration.expected_calibration_error(confidence, right),
        "brier": calibration.brier_score(probabilities, truth),
        "reliability": calibration.reliability(confidence, right),
        "coverage": [[float(shares[p]), float(accuracies[p])] for p in points],
        "accuracy_at_half": calibration.accuracy_at(COVERAGE, confidence, right),
        "confident_share": float(confident.mean()),
        "confident_accuracy": float(right[confident].mean()) if confident.any() else None,
    }


def group(rows: Sequence[Row], labels: Sequence[str], name: str) -> list[dict[str, Any]]:
    """Clips, accuracy and UAR for each value of a fact; nothing where fewer than two are known."""
    values = sorted({row[name] for row in rows if row.get(name)})
    if len(values) < 2:
        return []
    found = []
    for value in values:
        members = [row for row in rows if row.get(name) == value]
        matrix = metrics.confusion_matrix(*_indices(members, labels), len(labels))
        found.append(
            {
                "value": value,
                "clips": len(members),
                "accuracy": metrics.accuracy(matrix),
                "uar": metrics.unweighted_average_recall(matrix),
            }
        )
    return found


def gap(found: Sequence[dict[str, Any]]) -> float:
    """Points of UAR between the best and the worst value of a fact, in [0, 1]."""
    return float(max(row["uar"] for row in found) - min(row["uar"] for row in found))


def mistakes(rows: Sequence[Row]) -> list[Row]:
    """The wrong answers given with the most confidence."""
    wrong = [row for row in rows if row["answer"] != row["truth"]]
    worst = sorted(wrong, key=lambda row: (-row["confidence"], row["clip"]))[:MISTAKES]
    return [{k: row[k] for k in ("clip", "truth", "answer", "confidence")} for row in worst]


def _indices(rows: Sequence[Row], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    position = {label: number for number, label in enumerate(labels)}
    return (
        np.array([position[row["truth"]] for row in rows]),
        np.array([position[row["answer"]] for row in rows]),
    )


def _plain(values: metrics.Vector) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
