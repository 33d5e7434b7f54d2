"""An evaluation for people: Markdown for a repository, one HTML file for a browser or a printer.

Both are made of the same sections.  Every plot and shading stands beside the numbers it draws,
so nothing is lost without the colour; the page needs no script, no network and no font of its own.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..files import refuse_overwrite, write_text
from ..labels import EMOTIONS
from . import published
from .analysis import COVERAGE, gap
from .figures import line_plot

Result = dict[str, Any]
SCORE_NAMES = {"accuracy": "accuracy", "macro_f1": "macro F1", "uar": "UAR"}
GROUP_NAMES = {"channel": "speech and song"}  # others are called by their own name
SHARES = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1)  # coverages that the table lists
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --bar: #2f6fde }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --bar: #6ea8fe } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left } .shaded td { text-align: center }
.protocol { border-left: 4px solid var(--bar); padding: .4rem 1rem }
svg { width: 100%; max-width: 26rem; height: auto } svg text { font-size: 11px; fill: var(--ink) }
.grid { stroke: var(--line) } .ideal { stroke: var(--ink); stroke-dasharray: 4 4; fill: none }
.curve { stroke: var(--bar); stroke-width: 2; fill: none } circle { fill: var(--bar) }
@media print { body { margin: 0; max-width: none } section { break-inside: avoid } }
"""


@dataclass(frozen=True)
class Section:
    """A title, a table, a sentence, and what a page adds: cells shaded in [0, 1], a plot."""

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    text: str = ""
    shades: Sequence[Sequence[float]] = field(default=())
    plot: str = ""


def write_report(result: Result, folder: Path, force: bool = False) -> None:
    """`report.json`, `report.md` and `report.html` in `folder`.

    Raises:
        OutputError: `folder` exists already and `force` is not given.
    """
    refuse_overwrite(folder, force)
    write_text(folder / "report.json", json.dumps(result, indent=2) + "\n")
    write_text(folder / "report.md", as_markdown(result))
    write_text(folder / "report.html", as_html(result))


def as_markdown(result: Result) -> str:
    """The sections as Markdown tables."""
    parts = [f"# {_title(result)}", f"{result['clips']} clips: {result['protocol']}."]
    for section in sections(result):
        parts += [f"## {section.title}", section.text]
        if section.rows:
            parts.append(_markdown_table(section.header, section.rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(result: Result) -> str:
    """The same as one self-contained page."""
    title = html.escape(_title(result))
    body = [
        f"<h1>{title}</h1>",
        f"<p class=protocol>{result['clips']} clips: {html.escape(result['protocol'])}.</p>",
        *map(_html_section, sections(result)),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def sections(result: Result) -> list[Section]:
    """What there is to say, in order; a section without content is left out."""
    made: list[Callable[[Result], Section]] = [
        *(_scores, _published, _folds, _emotions, _confusion, _source_confusion),
        *(_reliability, _coverage),
    ]
    groups = [_group(name, rows) for name, rows in result["groups"].items()]
    found = [*(make(result) for make in made), *groups, _mistakes(result), _unread(result)]
    return [section for section in found if section.rows or section.text]


def _title(result: Result) -> str:
    return f"{result['model']} on {result['corpus']}, {result['part']} part"


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
            row += [
                _percent(mean),
                _percent(over[name]["deviation"]),
                _range(mean - half, mean + half),
            ]
    return Section("Scores", header, rows)


def _published(result: Result) -> Section:
    figures = published.figures_for(result.get("protocol_name", ""), result["corpus"])
    rows = [[figure.work, figure.protocol, figure.scores] for figure in figures]
    return Section("Published on this protocol", ["work", "protocol", "figures"], rows)


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


def _source_confusion(result: Result) -> Section:
    if not _beside_source(result):
        return Section("")
    title = f"The source system's, published ({published.SOURCE_PROTOCOL})"
    return _confusion_of(title, EMOTIONS, published.SOURCE_CONFUSION)


def _beside_source(result: Result) -> bool:
    return bool(published.figures_for(result.get("protocol_name", ""), result["corpus"])) and (
        result["protocol_name"] == "random"
    )


def _confusion_of(title: str, labels: Sequence[str], matrix: np.ndarray) -> Section:
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    rows = [
        [label, *(f"{count} ({100 * share:.0f} %)" for count, share in zip(*line, strict=True))]
        for label, *line in zip(labels, matrix.tolist(), shares.tolist(), strict=True)
    ]
    text = "Rows are the truth, columns the answers; in brackets the share of the row."
    return Section(title, ["", *labels], rows, text, shares.tolist())


def _reliability(result: Result) -> Section:
    doubt = result["calibration"]
    rows = [
        [_percent(row["confidence"]), _percent(row["accuracy"]), str(row["clips"])]
        for row in doubt["reliability"]
    ]
    points = [(row["confidence"], row["accuracy"]) for row in doubt["reliability"]]
    plot = line_plot(
        points,
        title="Accuracy against confidence; on the dashed line a confidence is what it says",
        x="confidence",
        y="accuracy",
        diagonal=True,
        dots=True,
    )
    text = (
        f"Expected calibration error {_percent(doubt['ece'])} %, Brier score {doubt['brier']:.3f}: "
        "does a confidence mean what it says?"
    )
    return Section("Calibration", ["confidence %", "accuracy %", "clips"], rows, text, plot=plot)


def _coverage(result: Result) -> Section:
    doubt = result["calibration"]
    curve = doubt["coverage"]
    rows = [
        [_percent(share), _percent(next(a for s, a in curve if s >= share - 0.005))]
        for share in SHARES
    ]
    confident = doubt["confident_accuracy"]
    text = (
        f"Where only the most confident {100 * COVERAGE:.0f} % are answered, "
        f"{_percent(doubt['accuracy_at_half'])} % are right. The model calls "
        f"{_percent(doubt['confident_share'])} % of its answers confident"
        + (f"; {_percent(confident)} % of those are right." if confident is not None else ".")
    )
    plot = line_plot(
        [(share, accuracy) for share, accuracy in curve],
        title="Accuracy where only the most confident share of the clips is answered",
        x="share answered",
        y="accuracy",
    )
    return Section(
        "Leaving doubtful clips out", ["answered %", "accuracy %"], rows, text, plot=plot
    )


def _group(name: str, found: Sequence[dict[str, Any]]) -> Section:
    rows = [
        [row["value"], str(row["clips"]), _percent(row["accuracy"]), _percent(row["uar"])]
        for row in found
    ]
    text = f"Between the best and the worst lie {100 * gap(found):.1f} points of UAR."
    title = f"By {GROUP_NAMES.get(name, name)}"
    return Section(title, [name, "clips", "accuracy %", "UAR %"], rows, text)


def _mistakes(result: Result) -> Section:
    rows = [
        [row["clip"], row["truth"], row["answer"], _percent(row["confidence"])]
        for row in result["mistakes"]
    ]
    return Section("Most confident mistakes", ["clip", "truth", "answer", "confidence %"], rows)


def _unread(result: Result) -> Section:
    rows = [[entry["clip"], entry["error"]] for entry in result["errors"]]
    return Section("Not read", ["clip", "why"], rows)


def _percent(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{100 * value:.2f}"


def _range(low: float, high: float) -> str:
    return f"{_percent(low)} – {_percent(high)}"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *rows])


def _html_section(section: Section) -> str:
    text = f"<p>{html.escape(section.text)}</p>" if section.text else ""
    table = _html_table(section) if section.rows else ""
    return f"<section><h2>{html.escape(section.title)}</h2>{text}{section.plot}{table}</section>"


def _html_table(section: Section) -> str:
    head = "".join(f"<th scope=col>{html.escape(cell)}</th>" for cell in section.header)
    lines = []
    for number, (first, *rest) in enumerate(section.rows):
        shades = section.shades[number] if section.shades else [None] * len(rest)
        cells = (
            f"<td{_style(shade)}>{html.escape(cell)}</td>"
            for cell, shade in zip(rest, shades, strict=True)
        )
        lines.append(f"<tr><th scope=row>{html.escape(first)}</th>{''.join(cells)}</tr>")
    kind = " class=shaded" if section.shades else ""
    return f"<div class=scroll><table{kind}><tr>{head}</tr>{''.join(lines)}</table></div>"


def _style(shade: float | None) -> str:
    return "" if shade is None else f" style='background:rgb(47 111 222 / {shade:.2f})'"
