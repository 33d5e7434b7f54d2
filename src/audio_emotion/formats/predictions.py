"""Predictions for people and programs: one function for each format.

table   columns for a terminal, once all files are done
json    a list with an object for each file, as `FileResult.as_dict` describes it
jsonl   the same objects, one on each line
csv     a line for each file, with a column for the probability of each label
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from ..inference.result import FileResult
from .writers import Formats, choose, csv_line, one_line

HEADER = ("file", "label", "confidence", "runner-up", "duration", "")
NUMBERS = {"confidence", "duration"}  # columns that end at the right

# Called with results as they come, the labels of the classifier, and whether a terminal shows the
# text, which it yields in parts; after the last one it is valid however many results there were.
PredictionWriter = Callable[[Iterable[FileResult], Sequence[str], bool], Iterator[str]]


def as_table(results: Iterable[FileResult], labels: Sequence[str], terminal: bool) -> Iterator[str]:
    """Aligned columns, which need all results to be known."""
    rows = [_cells(result) for result in results]
    text = _styled(rows) if terminal else _aligned([HEADER, *rows])
    yield "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _cells(result: FileResult) -> tuple[str, ...]:
    file, prediction = one_line(result.file), result.prediction
    if prediction is None:
        return file, "error", "", one_line(result.error or ""), "", ""
    confidence = runner_up = ""
    if prediction.probabilities:
        first, second = prediction.ranking[:2]
        confidence = f"{prediction.probabilities[first]:.0%}"
        runner_up = f"{second} {prediction.probabilities[second]:.0%}"
    notes = one_line("; ".join(notice.message for notice in prediction.warnings))
    return file, prediction.label, confidence, runner_up, f"{prediction.duration:.1f} s", notes


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if name in NUMBERS else cell.ljust(width)
            for name, cell, width in zip(HEADER, row, widths, strict=True)
        )
        for row in rows
    )


def _styled(rows: Sequence[tuple[str, ...]]) -> str:
    from rich.console import Console  # which is slow to import, so terminals alone wait for it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in HEADER:
        table.add_column(
            name,
            justify="right" if name in NUMBERS else "left",
            overflow="fold" if name == "file" else "ellipsis",
            no_wrap=name in {"label", "runner-up"},
        )
    for file, label, confidence, runner_up, duration, notes in rows:
        style = "bold" if duration else "red"
        cells = (Text(file), Text(label, style), confidence, Text(runner_up), duration)
        table.add_row(*cells, Text(notes, "yellow"))
    text = io.StringIO()
    width = Console().width
    Console(file=text, width=width, force_terminal=True, highlight=False).print(table)
    return text.getvalue()


def as_json(results: Iterable[FileResult], labels: Sequence[str], terminal: bool) -> Iterator[str]:
    """A list of objects, indented."""
    yield "["
    separator = "\n"
    for result in results:
        # Only line feeds are indented: file names may hold other line separators.
        text = _json(result, indent=2).replace("\n", "\n  ")
        yield f"{separator}  {text}"
        separator = ",\n"
    yield "]\n" if separator == "\n" else "\n]\n"


def as_json_lines(
    results: Iterable[FileResult], labels: Sequence[str], terminal: bool
) -> Iterator[str]:
    """An object on each line."""
    for result in results:
        yield f"{_json(result)}\n"


def as_csv(results: Iterable[FileResult], labels: Sequence[str], terminal: bool) -> Iterator[str]:
    """A line for each file, under a header."""
    facts = ("file", "label", "confidence", "confident", "duration", "speech_dur")
    yield csv_line([*facts, *labels, "warnings", "error"])
    for result in results:
        values = result.as_dict()
        probabilities = values["probabilities"] or {}
        codes = " ".join(notice["code"] for notice in values["warnings"] or ())
        cells = [*(values[name] for name in facts), *map(probabilities.get, labels)]
        yield csv_line(map(_cell, [*cells, codes, values["error"]]))


FORMATS: Formats[PredictionWriter] = {
    "table": (as_table, (".txt",)),
    "json": (as_json, (".json",)),
    "jsonl": (as_json_lines, (".jsonl", ".ndjson")),
    "csv": (as_csv, (".csv",)),
}

get_writer = partial(choose, formats=FORMATS)  # by a name or by the path of the output


def _json(result: FileResult, indent: int | None = None) -> str:
    return json.dumps(result.as_dict(), indent=indent, ensure_ascii=False, allow_nan=False)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6f}" if isinstance(value, float) else str(value)
