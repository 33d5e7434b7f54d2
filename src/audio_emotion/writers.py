"""Rows for people and programs: one class a format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Protocol

from .labels import EMOTIONS
from .records import Row


class Writer(Protocol):
    """Turns all rows into one text."""

    def text(self, rows: Sequence[Row]) -> str:
        """The whole output, ending in a line break."""
        ...


class TableWriter:
    """Columns for a terminal; `width` is that of the terminal, None for as wide as it takes."""

    def __init__(self, width: int | None = None, color: bool = False) -> None:
        self.width = width
        self.color = color

    def text(self, rows: Sequence[Row]) -> str:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("file", overflow="fold")
        table.add_column("emotion", no_wrap=True)
        table.add_column("confidence", justify="right")
        table.add_column("runner-up", no_wrap=True)
        table.add_column("duration", justify="right")
        for row in rows:
            table.add_row(*_cells(row))
        stream = io.StringIO()
        width = self.width or 1000
        console = Console(file=stream, width=width, force_terminal=self.color, highlight=False)
        console.print(table)
        return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


class JsonWriter:
    """A list with an object a row, as `Row.as_dict`."""

    def text(self, rows: Sequence[Row]) -> str:
        return json.dumps([row.as_dict() for row in rows], indent=2, ensure_ascii=False) + "\n"


class CsvWriter:
    """A line a row, with a column for each emotion's probability."""

    def text(self, rows: Sequence[Row]) -> str:
        labels = next((list(r.prediction.probabilities) for r in rows if r.prediction), EMOTIONS)
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", "emotion", "confidence", "duration", *labels, "error"])
        for row in rows:
            values = row.as_dict()
            shares = (values["probabilities"] or {}).get
            probabilities = [_rounded(shares(label)) for label in labels]
            writer.writerow(
                [
                    row.file,
                    values["emotion"] or "",
                    _rounded(values["confidence"]),
                    _rounded(values["duration"]),
                    *probabilities,
                    row.error or "",
                ]
            )
        return stream.getvalue()


def _cells(row: Row) -> list[str]:
    from rich.markup import escape

    prediction = row.prediction
    if prediction is None:
        return [escape(row.file), "[red]error[/]", "", escape(row.error or ""), ""]
    second = prediction.ranking[1] if len(prediction.ranking) > 1 else ""
    share = prediction.probabilities.get(second, 0)
    return [
        escape(row.file),
        f"[bold]{prediction.label}[/]",
        f"{prediction.confidence:.0%}",
        f"{second} {share:.0%}" if second else "",
        f"{prediction.duration:.1f} s",
    ]


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
