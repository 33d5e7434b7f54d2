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

WIDE = 1000  # columns of a table that no terminal limits

# Called with results as they come, the labels of the classifier, and whether a terminal shows the
# text, which it yields in parts; after the last one it is valid however many results there were.
PredictionWriter = Callable[[Iterable[FileResult], Sequence[str], bool], Iterator[str]]


def as_table(results: Iterable[FileResult], labels: Sequence[str], terminal: bool) -> Iterator[str]:
    """Aligned columns, which need all results to be known."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("label", no_wrap=True)
    table.add_column("confidence", justify="right")
    table.add_column("runner-up", no_wrap=True)
    table.add_column("duration", justify="right")
    table.add_column("")
    for result in results:
        file, prediction = Text(one_line(result.file)), result.prediction
        if prediction is None:
            table.add_row(file, Text("error", "red"), "", Text(one_line(result.error or "")))
            continue
        cells: list[Text | str] = [Text(prediction.label, "bold"), "", ""]
        if prediction.probabilities:
            first, second = prediction.ranking[:2]
            cells[1] = f"{prediction.probabilities[first]:.0%}"
            cells[2] = Text(f"{second} {prediction.probabilities[second]:.0%}")
        notes = "; ".join(notice.message for notice in prediction.warnings)
        table.add_row(file, *cells, f"{prediction.duration:.1f} s", Text(one_line(notes), "yellow"))
    width, text = Console().width if terminal else WIDE, io.StringIO()
    Console(file=text, width=width, force_terminal=terminal, highlight=False).print(table)
    yield "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


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
