"""Arrange an evaluation for readers: titled tables, sentences and plots that any format draws.

Every plot and shading accompanies the numbers it shows, so a format without them loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..labels import EMOTIONS
from . import published
from .analysis import COVERAGE, gap

Result = dict[str, Any]
SCORE_NAMES = {"accuracy": "accuracy", "macro_f1": "macro F1", "uar": "UAR"}
GROUP_NAMES = {"channel": "speech and song"}  # titles that differ from the key
SHARES = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1)  # coverages in the table


@dataclass(frozen=True)
class LinePlot:
    """A line through points, with both axes from 0 to 1."""

    points: Sequence[tuple[float, float]]
    title: str  # alternative text
    x: str  # title of the horizontal axis
    y: str
    diagonal: bool = False  # draw the line where both are equal
    dots: bool = False  # mark the points


@dataclass(frozen=True)
class Section:
    """A titled table with a sentence, and for formats that show them shaded cells and a plot."""

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    text: str = ""
    shades: Sequence[Sequence[float]] = ()  # of each row's cells after the first, in [0, 1]
    plot: LinePlot | None = None


def title(result: Result) -> str:
    """Return the title of a report."""
    return f"{result['model']} on {result['corpus']}, {result['split']} split"


def sections(result: Result) -> list[Section]:
    """Return the sections of a report in order, without empty ones."""
    makers: list[Callable[[Result], Section]] = [
        *(_scores, _published, _folds, _emotions, _confusion, _reference_confusion),
        *(_reliability, _coverage),
    ]
    groups = [_group(name, rows) for name, rows in result["groups"].items()]
    made = [*(make(result) for make in makers), *groups, _mistakes(result), _unread(result)]
    return [section for section in made if section.rows or section.text]


def _scores(result: Result) -> Section:
    scores, over = result["scores"], result.get("over_folds")
    unit = "speakers" if scores["clustered_by_speaker"] else "clips"
    header = ["%", "all clips", f"95 % interval over {unit}"]
    rows = [
        [shown, _percent(scores[name]["value"]), _range(*scores[name]["interval"])]
        for name, shown in SCORE_NAMES.items()
    ]
    if over and len(result["folds"]) > 1:
        header += ["mean over folds", "deviation", "95 % interval of the mean"]
        for row, name in zip(rows, SCORE_NAMES, strict=True):
            mean, half = over[name]["mean"], over[name]["half_width"]
            deviation = _percent(over[name]["deviation"])
            row += [_percent(mean), deviation, _range(mean - half, mean + half)]
    return Section("Scores", header, rows)


def _published(result: Result) -> Section:
    figures = published.published_for(result.get("protocol_name", ""), result["corpus"])
    rows = [[figure.work, figure.protocol, figure.scores] for figure in figures]
    return Section("Published on this protocol", ["work", "protocol", "scores"], rows)


def _folds(result: Result) -> Section:
    rows = [
        [name, str(fold["clips"]), *(_percent(fold[score]) for score in SCORE_NAMES)]
        for name, fold in result.get("folds", {}).items()
    ]
    return Section("Folds", ["fold", "clips", *(f"{s} %" for s in SCORE_NAMES.values())], rows)


def _emotions(result: Result) -> Section:
    scores = result["scores"]
    columns = (scores["recall"], scores["precision"], scores["f1"])
    rows = [
        [label, *map(_percent, values), str(support)]
        for label, *values, support in zip(
            result["labels"], *columns, scores["support"], strict=True
        )
    ]
    return Section("Emotions", ["%", "recall", "precision", "F1", "clips"], rows)


def _confusion(result: Result) -> Section:
    return _confusion_of("Confusion", result["labels"], np.array(result["scores"]["confusion"]))


def _reference_confusion(result: Result) -> Section:
    if (result.get("protocol_name"), result["corpus"]) != ("random", "RAVDESS"):
        return Section("")
    title = f"Confusion of the reference system ({published.REFERENCE_PROTOCOL})"
    return _confusion_of(title, EMOTIONS, published.REFERENCE_CONFUSION)


def _confusion_of(title: str, labels: Sequence[str], matrix: np.ndarray) -> Section:
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    rows = [
        [label, *(f"{count} ({100 * share:.0f} %)" for count, share in zip(*line, strict=True))]
        for label, *line in zip(labels, matrix.tolist(), shares.tolist(), strict=True)
    ]
    text = "Rows are true labels, columns predicted ones; percentages are of the row."
    return Section(title, ["", *labels], rows, text, shares.tolist())


def _reliability(result: Result) -> Section:
    found = result["calibration"]
    rows = [
        [_percent(row["confidence"]), _percent(row["accuracy"]), str(row["clips"])]
        for row in found["reliability"]
    ]
    plot = LinePlot(
        [(row["confidence"], row["accuracy"]) for row in found["reliability"]],
        title="Accuracy by confidence; the dashed line is perfect calibration",
        x="confidence",
        y="accuracy",
        diagonal=True,
        dots=True,
    )
    text = (
        f"The expected calibration error is {_percent(found['ece'])} %, the Brier score "
        f"{found['brier']:.3f}. Confidences are calibrated if they equal the accuracy."
    )
    return Section("Calibration", ["confidence %", "accuracy %", "clips"], rows, text, plot=plot)


def _coverage(result: Result) -> Section:
    found = result["calibration"]
    curve = [(share, accuracy) for share, accuracy in found["coverage"]]
    rows = [
        [_percent(share), _percent(next(a for s, a in curve if s >= share - 0.005))]
        for share in SHARES
    ]
    confident = found["confident_accuracy"]
    text = (
        f"Of the most confident {100 * COVERAGE:.0f} % of the predictions "
        f"{_percent(found['accuracy_at_half'])} % are correct. The model calls "
        f"{_percent(found['confident_share'])} % of its predictions confident"
        + (f"; {_percent(confident)} % of those are correct." if confident is not None else ".")
    )
    plot = LinePlot(
        curve,
        title="Accuracy of the most confident predictions by their share",
        x="share of clips",
        y="accuracy",
    )
    header = ["most confident %", "accuracy %"]
    return Section("Accuracy of confident predictions", header, rows, text, plot=plot)


def _group(name: str, found: Sequence[dict[str, Any]]) -> Section:
    rows = [
        [row["value"], str(row["clips"]), _percent(row["accuracy"]), _percent(row["uar"])]
        for row in found
    ]
    text = f"The highest and the lowest UAR differ by {100 * gap(found):.1f} points."
    title = f"By {GROUP_NAMES.get(name, name)}"
    return Section(title, [name, "clips", "accuracy %", "UAR %"], rows, text)


def _mistakes(result: Result) -> Section:
    rows = [
        [row["clip"], row["label"], row["predicted"], _percent(row["confidence"])]
        for row in result["mistakes"]
    ]
    header = ["clip", "label", "predicted", "confidence %"]
    return Section("Most confident mistakes", header, rows)


def _unread(result: Result) -> Section:
    rows = [[entry["clip"], entry["error"]] for entry in result["errors"]]
    return Section("Unreadable clips", ["clip", "error"], rows)


def _percent(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{100 * value:.2f}"


def _range(low: float, high: float) -> str:
    return f"{_percent(low)} – {_percent(high)}"
