"""An evaluation as JSON for programs, Markdown for a repository, and a page to read or print."""

import json
from collections.abc import Sequence
from pathlib import Path

from ..evaluation.report import Result, sections, title
from ..files import refuse_overwrite, write_text
from .html import render
from .svg import Canvas
from .writers import one_line

CANVAS = Canvas(340, 260, margin=44, padding=10)
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def write_report(result: Result, folder: Path, force: bool = False) -> None:
    """Write `report.json`, `report.md` and `report.html` to `folder`.

    Args:
        result: as `evaluate` and `summarize` return it.
        folder: is made if it does not exist.
        force: overwrite a report.

    Raises:
        OutputError: `folder` exists already and `force` is false.
    """
    refuse_overwrite(folder, force)
    write_text(folder / "report.json", json.dumps(result, indent=2, allow_nan=False) + "\n")
    write_text(folder / "report.md", as_markdown(result))
    write_text(folder / "report.html", as_html(result))


def as_markdown(result: Result) -> str:
    """Return the report as Markdown."""
    parts = [f"# {_escape(title(result))}", _escape(_summary(result))]
    for section in sections(result):
        parts += [f"## {_escape(section.title)}", _escape(section.text)]
        if section.rows:
            parts.append(_table(section.header, section.rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(result: Result) -> str:
    """Return the report as one self-contained page."""
    return render(
        "report.html",
        title=title(result),
        summary=_summary(result),
        sections=sections(result),
        canvas=CANVAS,
        ticks=TICKS,
    )


def _summary(result: Result) -> str:
    return f"{result['clips']} clips: {result['protocol']}."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(header) - 1)]
    lines = [map(_escape, header), rule, *(map(_escape, row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escape(text: str) -> str:
    """Names of clips may hold anything; nothing may end a cell or begin a tag."""
    return one_line(text).replace("|", "\\|").replace("<", "&lt;")
