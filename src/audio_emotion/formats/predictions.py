"""Predictions for people and programs: one class for each format.

table   columns for a terminal, once all files are done
json    a list with an object for each file, as `FileResult.as_dict` describes it
jsonl   the same objects, one on each line
csv     a line for each file, with a column for the probability of each label
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from ..inference.result import FileResult
from .writers import Formats, choose, csv_line, one_line

WIDE = 1000  # columns of a table that no terminal limits


class PredictionWriter:
    """Write results to a text stream as they come.

    Call `begin` once, `write` for each result and `end` once, after which the output is valid
    however many results there were.

    Args:
        stream: to write to.
        labels: of the classifier.
    """

    def __init__(self, stream: TextIO, labels: Sequence[str]) -> None:
        self.stream = stream
        self.labels = labels

    def begin(self) -> None:
        """Write what precedes the first result."""

    def write(self, result: FileResult) -> None:
        """Write one result."""
        raise NotImplementedError

    def end(self) -> None:
        """Write what follows the last result."""

    def _put(self, text: str) -> None:
        """Write at once, so that readers get each result when it is there."""
        self.stream.write(text)
        self.stream.flush()


class TableWriter(PredictionWriter):
    """Aligned columns, which need all results to be known."""

    def begin(self) -> None:
        from rich.table import Table

        self._table = Table(box=None, header_style="bold", pad_edge=False)
        self._table.add_column("file", overflow="fold")
        self._table.add_column("label", no_wrap=True)
        self._table.add_column("confidence", justify="right")
        self._table.add_column("runner-up", no_wrap=True)
        self._table.add_column("duration", justify="right")

    def write(self, result: FileResult) -> None:
        from rich.text import Text

        file, prediction = Text(one_line(result.file)), result.prediction
        if prediction is None:
            self._table.add_row(file, Text("error", "red"), "", Text(one_line(result.error or "")))
            return
        second = prediction.ranking[1]
        self._table.add_row(
            file,
            Text(prediction.label, "bold"),
            f"{prediction.confidence:.0%}",
            Text(f"{second} {prediction.probabilities[second]:.0%}"),
            f"{prediction.duration:.1f} s",
        )

    def end(self) -> None:
        from rich.console import Console

        terminal, text = self.stream.isatty(), io.StringIO()
        width = Console().width if terminal else WIDE
        Console(file=text, width=width, force_terminal=terminal, highlight=False).print(self._table)
        self._put("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


class JsonWriter(PredictionWriter):
    """A list of objects, indented."""

    def begin(self) -> None:
        self._put("[")
        self._separator = "\n"

    def write(self, result: FileResult) -> None:
        # Only line feeds are indented: file names may hold other line separators.
        text = _json(result, indent=2).replace("\n", "\n  ")
        self._put(f"{self._separator}  {text}")
        self._separator = ",\n"

    def end(self) -> None:
        self._put("]\n" if self._separator == "\n" else "\n]\n")


class JsonLinesWriter(PredictionWriter):
    """An object on each line."""

    def write(self, result: FileResult) -> None:
        self._put(f"{_json(result)}\n")


class CsvWriter(PredictionWriter):
    """A line for each file, under a header."""

    def begin(self) -> None:
        facts = ("file", "label", "confidence", "confident", "duration")
        self._put(csv_line([*facts, *self.labels, "error"]))

    def write(self, result: FileResult) -> None:
        values = result.as_dict()
        probabilities = values.pop("probabilities") or {}
        error = values.pop("error")
        shares = [probabilities.get(label) for label in self.labels]
        self._put(csv_line(map(_cell, [*values.values(), *shares, error])))


FORMATS: Formats[type[PredictionWriter]] = {
    "table": (TableWriter, (".txt",)),
    "json": (JsonWriter, (".json",)),
    "jsonl": (JsonLinesWriter, (".jsonl", ".ndjson")),
    "csv": (CsvWriter, (".csv",)),
}


def get_writer(name: str | None, out: Path | None) -> type[PredictionWriter]:
    """Return the writer of a format, or else of the suffix of `out`, or else of the table.

    Raises:
        OutputError: as `choose`.
    """
    return choose(name, out, FORMATS)


def _json(result: FileResult, indent: int | None = None) -> str:
    return json.dumps(result.as_dict(), indent=indent, ensure_ascii=False, allow_nan=False)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6f}" if isinstance(value, float) else str(value)
