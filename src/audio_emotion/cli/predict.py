"""`audio-emotion predict`: recordings in, a table out."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ..audio import MAX_DUR
from ..classifier import Classifier
from ..files import refuse_overwrite, write_text
from ..records import Row, expand, predict_row
from ..writers import CsvWriter, JsonWriter, TableWriter, Writer
from .options import Force, Model


def predict(
    sources: Annotated[
        list[str], typer.Argument(help="Files, folders, patterns, or - for standard input.")
    ],
    model: Model = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead.")] = None,
    force: Force = False,
    max_dur: Annotated[
        float, typer.Option(help="Seconds of each recording to read at most.", min=0.1)
    ] = MAX_DUR,
) -> None:
    """Name the emotion in each recording.

    A recording that cannot be read gets a row that says why; the exit code is then 1, after all
    others are done.

    Examples:

      audio-emotion predict clip.wav

      audio-emotion predict recordings/ --csv --out emotions.csv

      ffmpeg -i talk.mkv -f wav - | audio-emotion predict - --json
    """
    if json and csv:
        raise typer.BadParameter("choose one of --json and --csv")
    if out:
        refuse_overwrite(out, force)
    classifier = Classifier(model)
    rows = [_row(classifier, source, max_dur) for source in _progress(_named(sources))]
    writer = _writer(json, csv, to_terminal=out is None and sys.stdout.isatty())
    text = writer.text(rows)
    if out:
        write_text(out, text)
    else:
        typer.echo(text, nl=False)
    if any(row.error for row in rows):
        raise typer.Exit(1)


def _named(sources: list[str]) -> list[str | Path]:
    named: list[str | Path] = []
    for source in sources:
        named += [source] if source == "-" else expand([source])
    return named


def _row(classifier: Classifier, source: str | Path, max_dur: float) -> Row:
    if source != "-":
        return predict_row(classifier, source, max_dur=max_dur)
    row = predict_row(classifier, sys.stdin.buffer.read(), max_dur=max_dur)
    return Row("-", row.prediction, row.error)


def _progress(sources: list[str | Path]) -> Iterable[str | Path]:
    """A bar for long lists, on a terminal only."""
    from rich.console import Console
    from rich.progress import track

    hidden = len(sources) < 20 or not sys.stderr.isatty()
    return track(sources, "listening", console=Console(stderr=True), disable=hidden)


def _writer(json: bool, csv: bool, to_terminal: bool) -> Writer:
    if json:
        return JsonWriter()
    if csv:
        return CsvWriter()
    from rich.console import Console

    return TableWriter(Console().width if to_terminal else None, color=to_terminal)
