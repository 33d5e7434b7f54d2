"""An evaluation for people: Markdown for a repository, one HTML file for a browser or a printer.

Tables carry their shading as colour *and* as numbers, so nothing is lost without the colour; the
page needs no script, no network and no font of its own.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import refuse_overwrite, write_text
from ..labels import EMOTIONS
from . import published

SCORE_NAMES = {"accuracy": "accuracy", "macro_f1": "macro F1", "uar": "UAR"}
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --bar: #2f6fde }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --bar: #6ea8fe } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left } .cell { text-align: center; min-width: 2.6rem }
.protocol { border-left: 4px solid var(--bar); padding: .4rem 1rem }
.track { display: inline-block; width: 10rem; height: .8rem; border: 1px solid var(--line) }
.fill { display: block; height: 100%; background: var(--bar) }
@media print { body { margin: 0; max-width: none } }
"""


def write_report(result: dict[str, Any], folder: Path, force: bool = False) -> None:
    """`report.json`, `report.md` and `report.html` in `folder`.

    Raises:
        OutputError: `folder` exists already and `force` is not given.
    """
    refuse_overwrite(folder, force)
    write_text(folder / "report.json", json.dumps(result, indent=2) + "\n")
    write_text(folder / "report.md", as_markdown(result))
    write_text(folder / "report.html", as_html(result))


def as_markdown(result: dict[str, Any]) -> str:
    """Scores, classes, confusion matrix and the published figures as Markdown tables."""
    parts = [
        f"# {result['model']} on {result['corpus']}, {result['part']} part",
        f"{result['clips']} clips: {result['protocol']}.",
        _markdown_table(*_score_table(result)),
        _markdown_table(*_class_table(result)),
        "Confusion: rows are the truth, columns the answers.",
        _markdown_table(*_confusion_table(result)),
        f"Published confusion of the source system ({published.SOURCE_PROTOCOL}):",
        _markdown_table(*_confusion_table(_source_as_result())),
        *_errors(result),
    ]
    return "\n\n".join(parts) + "\n"


def as_html(result: dict[str, Any]) -> str:
    """The same as one self-contained page."""
    title = html.escape(f"{result['model']} on {result['corpus']}, {result['part']} part")
    source = _source_as_result()
    body = [
        f"<h1>{title}</h1>",
        f"<p class=protocol>{result['clips']} clips: {html.escape(result['protocol'])}.</p>",
        "<h2>Scores</h2>" + _html_table(*_score_table(result)),
        "<h2>Emotions</h2>" + _html_table(*_class_table(result)),
        "<h2>Recall of each emotion</h2>" + _bars(result),
        "<h2>Confusion: rows are the truth, columns the answers</h2>" + _heat_map(result),
        f"<h2>The source system's, published</h2><p>{published.SOURCE_PROTOCOL}</p>"
        + _heat_map(source),
        *(f"<p>{html.escape(line)}</p>" for line in _errors(result)),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


Table = tuple[list[str], list[list[str]]]


def _score_table(result: dict[str, Any]) -> Table:
    source = {"accuracy": published.SOURCE_ACCURACY, "macro_f1": published.SOURCE_MACRO_F1}
    rows = []
    for name, shown in SCORE_NAMES.items():
        score = result["scores"][name]
        low, high = score["interval"]
        published_value = _percent(source[name]) if name in source else "–"
        interval = f"{_percent(low)} – {_percent(high)}"
        rows.append([shown, _percent(score["value"]), interval, published_value])
    return ["%", "this model", "95 % interval over clips", "source system, published"], rows


def _class_table(result: dict[str, Any]) -> Table:
    scores = result["scores"]
    source = dict(zip(EMOTIONS, published.SOURCE_RECALL, strict=True))
    rows = [
        [label, *map(_percent, values), str(support), _percent(source.get(label))]
        for label, *values, support in zip(
            result["labels"],
            scores["recall"],
            scores["precision"],
            scores["f1"],
            scores["support"],
            strict=True,
        )
    ]
    header = ["%", "accuracy (recall)", "precision", "F1", "clips", "source accuracy, published"]
    return header, rows


def _confusion_table(result: dict[str, Any]) -> Table:
    rows = [
        [label, *map(str, counts)]
        for label, counts in zip(result["labels"], result["scores"]["confusion"], strict=True)
    ]
    return ["", *result["labels"]], rows


def _source_as_result() -> dict[str, Any]:
    return {
        "labels": list(EMOTIONS),
        "scores": {"confusion": published.SOURCE_CONFUSION.tolist()},
    }


def _errors(result: dict[str, Any]) -> list[str]:
    return [f"Not read: {entry['clip']}: {entry['error']}" for entry in result["errors"]]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *rows])


def _html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th scope=col>{html.escape(cell)}</th>" for cell in header)
    lines = [
        f"<tr><th scope=row>{html.escape(first)}</th>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    ]
    return f"<div class=scroll><table><tr>{head}</tr>{''.join(lines)}</table></div>"


def _bars(result: dict[str, Any]) -> str:
    rows = []
    for label, value in zip(result["labels"], result["scores"]["recall"], strict=True):
        fill = f"<span class=fill style='width:{100 * (value or 0):.1f}%'></span>"
        rows.append(
            f"<tr><th scope=row>{html.escape(label)}</th>"
            f"<td><span class=track>{fill}</span></td><td>{_percent(value)} %</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _heat_map(result: dict[str, Any]) -> str:
    matrix = np.array(result["scores"]["confusion"])
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    header, rows = _confusion_table(result)
    head = "".join(f"<th scope=col>{html.escape(cell)}</th>" for cell in header)
    lines = []
    for (label, *counts), line in zip(rows, shares, strict=True):
        cells = "".join(
            f"<td class=cell style='background:rgb(47 111 222 / {share:.2f})'>{count}</td>"
            for count, share in zip(counts, line, strict=True)
        )
        lines.append(f"<tr><th scope=row>{html.escape(label)}</th>{cells}</tr>")
    return f"<div class=scroll><table><tr>{head}</tr>{''.join(lines)}</table></div>"
