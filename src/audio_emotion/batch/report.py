"""A batch in figures: emotions by folder or column, what is unsure, and errors by kind."""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import OutputError
from ..files import write_text
from ..formats.html import render
from ..formats.writers import colour
from ..inference.prediction import NO_SPEECH, TOO_SHORT
from .parts import Parts
from .plan import Plan

PAGE, TABLE = "report.html", "report.parquet"
MOST_GROUPS = 200  # that the page shows, the largest; the table has all
COLUMNS = ["item", "uri", "label", "error", "duration"]
OURS = {"emotions": ["confident"], "timeline": ["start", "end"]}


@dataclass
class Group:
    """Recordings of one folder, or with one value of a column."""

    name: str
    files: int = 0
    seconds: float = 0.0  # of audio
    unconfident: int = 0  # files with a label of an emotion that is not confident
    errors: Counter[str] = field(default_factory=Counter)  # files by code
    labels: Counter[str] = field(default_factory=Counter)  # files, or seconds of a timeline

    @property
    def shares(self) -> list[tuple[str, float, str]]:
        """Label, share and colour of each label, the largest first."""
        total = sum(self.labels.values())
        return [(n, c / total, _colour(n)) for n, c in self.labels.most_common() if total]


def write_report(parts: Parts, by: str | None = None) -> None:
    """Write `report.html` and `report.parquet` to the folder of results.

    Args:
        parts: what is done so far.
        by: the carried column that groups recordings; by default their folder does.

    Raises:
        OutputError: there is no such column.
    """
    groups = sorted(_groups(parts, by), key=lambda group: -group.files)
    total = Group("all")
    for group in groups:
        _add(total, group)
    page = render(
        "batch_report.html",
        title=f"{total.files:,} recordings",
        complete=parts.complete,
        planned=parts.plan.files,
        unit="seconds" if parts.plan.task == "timeline" else "recordings",
        confidences=parts.plan.task == "emotions",
        by=by or "folder",
        total=total,
        groups=groups[:MOST_GROUPS],
        hidden=max(0, len(groups) - MOST_GROUPS),
        colours={name: _colour(name) for name in total.labels},
    )
    parts.folder.write(PAGE, lambda path: write_text(path, page))
    parts.folder.write(TABLE, lambda path: _write_table(path, groups))


def check_group(plan: Plan, by: str | None) -> None:
    """Refuse a column that no recording has.

    Raises:
        OutputError: it is none of those that the lists carry.
    """
    if by is not None and by not in plan.carried:
        known = ", ".join(plan.carried) or "none"
        raise OutputError(f"no list has a column {by!r}; there are: {known}")


def _groups(parts: Parts, by: str | None) -> list[Group]:
    check_group(parts.plan, by)
    columns = [*COLUMNS, *OURS[parts.plan.task], *([by] if by else [])]
    groups: dict[str, Group] = {}
    last = -1
    for batch in parts.tables(columns):
        for row in batch.to_pylist():
            name = str(row[by]) if by else posixpath.dirname(row["uri"])
            group = groups.setdefault(name, Group(name))
            if row["item"] != last:
                _count_file(group, row)
            last = row["item"]
            if row["label"] is not None:
                group.labels[row["label"]] += row.get("end", 1) - row.get("start", 0)
    return list(groups.values())


def _count_file(group: Group, row: dict[str, object]) -> None:
    group.files += 1
    group.seconds += float(str(row["duration"] or 0))
    if row["error"]:
        group.errors[str(row["error"])] += 1
    elif row.get("confident") is False and row["label"] not in {NO_SPEECH, TOO_SHORT}:
        group.unconfident += 1


def _add(total: Group, group: Group) -> None:
    total.files += group.files
    total.seconds += group.seconds
    total.unconfident += group.unconfident
    total.errors.update(group.errors)
    total.labels.update(group.labels)


def _write_table(path: Path, groups: list[Group]) -> None:
    """Write a row for each group, kind and name: how many files, or seconds."""
    rows: dict[str, list[object]] = defaultdict(list)
    for group in groups:
        for kind, name, value in _facts(group):
            for key, cell in (("group", group.name), ("kind", kind), ("name", name)):
                rows[key].append(cell)
            rows["value"].append(float(value))
    pq.write_table(pa.table(rows), path)


def _facts(group: Group) -> Iterator[tuple[str, str, float]]:
    yield "files", "all", group.files
    yield "files", "unconfident", group.unconfident
    yield "seconds", "audio", group.seconds
    yield from (("label", name, value) for name, value in group.labels.items())
    yield from (("error", name, value) for name, value in group.errors.items())


def _colour(label: str) -> str:
    return "#e8eaed" if label in {NO_SPEECH, TOO_SHORT} else colour(label)
