"""Arrange an evaluation for readers: titled tables, sentences and plots that any format draws.

Every plot and shading accompanies the numbers it shows, so a format without them loses nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..labels import EMOTIONS
from .analysis import COVERAGE, gap
from .published import REFERENCE_CONFUSION, REFERENCE_PROTOCOL, published_for

Result = dict[str, Any]
SCORE_NAMES = {"accuracy": "accuracy", "macro_f1": "macro F1", "uar": "UAR"}
HEADERS = {  # of columns whose header differs from the key
    **{name: f"{shown} %" for name, shown in SCORE_NAMES.items()},
    "confidence": "confidence %",
    "f1": "F1",
}
GROUP_NAMES = {"channel": "speech and song"}  # titles that differ from the key
SHARES = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1)  # coverages in the table
MIN_CLIPS = 200  # of a report that published figures stand in


@dataclass(frozen=True)
class LinePlot:
    """A line through points, with both axes from 0 to 1."""

    points: Sequence[tuple[float, float]]
    title: str  # alternative text
    x: str  # title of the horizontal axis
    y: str
    diagonal: bool = False  # mark the points, and draw the line where both axes are equal


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
    comparable = result["clips"] >= MIN_CLIPS  # with those that the figures were published for
    study = result.get("protocol_name", "") if comparable else "", result["corpus"]
    published_header = ("work", "protocol", "scores")
    made = [
        _table("Scores", _scores(result)),
        Section("Published on this protocol", published_header, published_for(*study)),
        _table("Folds", ({"fold": k, **fold} for k, fold in result.get("folds", {}).items())),
        _table("Emotions", _emotions(result)),
        _confusion("Confusion", result["labels"], np.array(result["scores"]["confusion"])),
        *([REFERENCE] if study == ("random", "RAVDESS") else []),
        _reliability(result["calibration"]),
        _coverage(result["calibration"]),
        *([_enrolment(result["enrolment"])] if result.get("enrolment") else []),
        *(_group(name, rows) for name, rows in result["groups"].items()),
        _table("Most confident mistakes", result["mistakes"]),
        _table("Unreadable clips", result["errors"]),
    ]
    return [section for section in made if section.rows]


def _table(title: str, found: Iterable[Mapping[str, Any]], **more: Any) -> Section:
    """Return a section with a column for each key; floats are shares."""
    records = list(found)
    header = [HEADERS.get(key, key) for key in records[0]] if records else []
    return Section(title, header, [list(map(_cell, row.values())) for row in records], **more)


def _cell(value: Any) -> str:
    return _percent(value) if value is None or isinstance(value, float) else str(value)


def _scores(result: Result) -> Iterator[dict[str, Any]]:
    scores, over = result["scores"], result.get("over_folds")
    unit = "speakers" if scores["clustered_by_speaker"] else "clips"
    for name, shown in SCORE_NAMES.items():
        found = scores[name]
        row = {"%": shown, "all clips": found["value"]}
        row[f"95 % interval over {unit}"] = _range(*found["interval"])
        if over and len(result["folds"]) > 1:
            mean, half = over[name]["mean"], over[name]["half_width"]
            row |= {"mean over folds": mean, "deviation": over[name]["deviation"]}
            row["95 % interval of the mean"] = _range(mean - half, mean + half)
        yield row


def _emotions(result: Result) -> Iterator[dict[str, Any]]:
    scores = result["scores"]
    for n, label in enumerate(result["labels"]):
        shares = {name: scores[name][n] for name in ("recall", "precision", "f1")}
        of_all = {"of all predictions": scores["predicted"][n]}
        yield {"%": label, **shares, **of_all, "clips": scores["support"][n]}


def _confusion(title: str, labels: Sequence[str], matrix: np.ndarray) -> Section:
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    rows = [
        [label, *(f"{count} ({100 * share:.0f} %)" for count, share in zip(*line, strict=True))]
        for label, *line in zip(labels, matrix.tolist(), shares.tolist(), strict=True)
    ]
    text = "Rows are true labels, columns predicted ones; percentages are of the row."
    return Section(title, ["", *labels], rows, text, shares.tolist())


REFERENCE = _confusion(
    f"Confusion of the reference system ({REFERENCE_PROTOCOL})", EMOTIONS, REFERENCE_CONFUSION
)


def _reliability(found: dict[str, Any]) -> Section:
    plot = LinePlot(
        [(row["confidence"], row["accuracy"]) for row in found["reliability"]],
        title="Accuracy by confidence; the dashed line is perfect calibration",
        x="confidence",
        y="accuracy",
        diagonal=True,
    )
    text = (
        f"The expected calibration error is {_percent(found['ece'])} %, the Brier score "
        f"{found['brier']:.3f}. Confidences are calibrated if they equal the accuracy."
    )
    return _table("Calibration", found["reliability"], text=text, plot=plot)


def _coverage(found: dict[str, Any]) -> Section:
    curve = [(share, accuracy) for share, accuracy in found["coverage"]]
    rows = [
        {"most confident %": share, "accuracy": next(a for s, a in curve if s >= share - 0.005)}
        for share in SHARES
    ]
    confident = found["confident_accuracy"]
    text = (
        f"Of the most confident {100 * COVERAGE:.0f} % of the predictions "
        f"{_percent(found['accuracy_at_half'])} % are correct. The model calls "
        f"{_percent(found['confident_share'])} % of its predictions confident"
        + (f"; {_percent(confident)} % of those are correct." if confident is not None else ".")
    )
    title = "Accuracy of the most confident predictions by their share"
    plot = LinePlot(curve, title, x="share of clips", y="accuracy")
    return _table("Accuracy of confident predictions", rows, text=text, plot=plot)


def _enrolment(found: dict[str, Any]) -> Section:
    rows = [
        {
            "enrolled from": f"{row['clips']} clips, {row['speech_dur']:.1f} s",
            "UAR %": row["uar"],
            "95 % interval": _range(*row["interval"]),
            "gain": row["gain"],
            "95 % interval of the gain": _range(*row["gain_interval"]),
            "neutral recall %": row["neutral"],
            "accuracy %": row["accuracy"],
            "ECE %": row["ece"],
        }
        for row in found["conditions"]
    ]
    text = (
        f"{found['speakers']} speakers are enrolled from neutral clips of their own, in "
        f"{found['draws']} draws. The {found['clips']} clips scored here are those that nobody is "
        "enrolled from, so these scores cannot be compared with those above. "
        f"{found['left_out']} speakers have too few neutral clips. Intervals are over speakers."
    )
    return _table("With a neutral voice", rows, text=text)


def _group(name: str, found: Sequence[dict[str, Any]]) -> Section:
    rows = [{name if key == "value" else key: row[key] for key in row} for row in found]
    text = f"The highest and the lowest UAR differ by {100 * gap(found):.1f} points."
    return _table(f"By {GROUP_NAMES.get(name, name)}", rows, text=text)


def _percent(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{100 * value:.2f}"


def _range(low: float, high: float) -> str:
    return f"{_percent(low)} – {_percent(high)}"
