"""The rows of a whole batch as csv or jsonl."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..errors import OutputError
from ..formats.writers import csv_line
from .parts import Parts

Rows = Iterable[dict[str, Any]]


def write_output(parts: Parts, name: str) -> str:
    """Write all rows to `results.csv` or `results.jsonl` in the folder; return its name.

    Raises:
        OutputError: as `check_format`, or the batch is not complete.
    """
    check_format(name)
    if not parts.complete:
        raise OutputError(f"{parts.folder.name} is not complete, so no {name} of it is written")
    columns = parts.plan.schema(parts.folder).names
    target = f"results.{name}"

    def save(path: Any) -> None:
        rows = (row for batch in parts.tables() for row in batch.to_pylist())
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.writelines(FORMATS[name](rows, columns))

    parts.folder.write(target, save)
    return target


def check_format(name: str) -> None:
    """Refuse a format that is unknown.

    Raises:
        OutputError: it is.
    """
    if name not in FORMATS:
        raise OutputError(f"there is no format {name!r}; choose one of {', '.join(FORMATS)}")


def as_csv(rows: Rows, columns: list[str]) -> Iterator[str]:
    """A line for each row, under a header; warnings lie between spaces."""
    yield csv_line(columns)
    for row in rows:
        yield csv_line(map(_cell, map(row.get, columns)))


def as_json_lines(rows: Rows, columns: list[str]) -> Iterator[str]:
    """An object on each line."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, allow_nan=False, default=str) + "\n"


FORMATS: Mapping[str, Callable[[Rows, list[str]], Iterator[str]]] = {
    "csv": as_csv,
    "jsonl": as_json_lines,
}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:.6f}" if isinstance(value, float) else str(value)
