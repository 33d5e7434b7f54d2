"""`audio-emotion timeline`: emotions over the time of a long recording."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..classifier import Classifier
from ..files import refuse_overwrite, write_text
from ..segmenter import TimelineSettings
from ..timeline import Timeline, timelines_of_file
from ..timeline_page import page
from ..timeline_writers import WRITERS, TableWriter, get_writer
from .options import Force, Model, Plot

DEFAULTS = TimelineSettings()
PAGES = {".html", ".htm"}


class Channels(str, Enum):
    """What becomes of a recording's channels."""

    mix = "mix"
    separate = "separate"


def timeline(
    source: Annotated[Path, typer.Argument(help="A recording, however long.")],
    model: Model = None,
    format_: Annotated[
        str | None, typer.Option("--format", help=f"One of {', '.join(WRITERS)}.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead; its ending tells the format.")
    ] = None,
    plot: Plot = None,
    channels: Annotated[
        Channels, typer.Option(help="Mix them, or a timeline of each, as of a stereo phone call.")
    ] = Channels.mix,
    hop_dur: Annotated[
        float, typer.Option(help="Seconds between two looks.", min=0.05)
    ] = DEFAULTS.hop_dur,
    min_dur: Annotated[
        float, typer.Option(help="Seconds that another emotion must last to be told.", min=0.05)
    ] = DEFAULTS.min_dur,
    uncertain_below: Annotated[
        float, typer.Option(help="Confidence under which a segment stays unnamed.", min=0, max=1)
    ] = DEFAULTS.uncertain_below,
    force: Force = False,
) -> None:
    """Tell who feels what when: segments with times, silence and doubt told apart.

    Memory stays the same however long the recording is. With --channels separate each channel is
    written to its own file, OUT-1 and so on. An --out that ends in .html is a page with the sound
    in it, to look at and listen to.

    Examples:

      audio-emotion timeline call.m4a

      audio-emotion timeline call.m4a --out call.srt --plot call.png

      audio-emotion timeline call.m4a --out call.html

      audio-emotion timeline call.wav --channels separate --out call.json
    """
    as_page = format_ is None and out is not None and out.suffix.lower() in PAGES
    writer = TableWriter() if as_page else get_writer(format_, out)
    separate = channels is Channels.separate
    if plot and separate:
        raise typer.BadParameter("--plot draws one timeline: leave --channels separate out")
    for path in (out, plot):
        if path and not separate:
            refuse_overwrite(path, force)
    settings = TimelineSettings(hop_dur=hop_dur, min_dur=min_dur, uncertain_below=uncertain_below)
    found = _shown(timelines_of_file(source, Classifier(model), settings, separate=separate))
    broken = False
    for number, result in enumerate(found, 1):
        broken |= result.broken is not None
        if out:
            path = out.with_stem(f"{out.stem}-{number}") if separate else out
            refuse_overwrite(path, force)
            write_text(path, page(result, source) if as_page else writer.text(result))
            typer.echo(path)
        else:
            typer.echo((f"channel {number}\n" if separate else "") + writer.text(result), nl=False)
        if plot:
            from ..lab.plots import draw_timeline

            draw_timeline(result, plot)
            typer.echo(plot)
        if result.broken:
            typer.echo(f"audio-emotion: {result.broken}; what came before is kept", err=True)
    if broken:
        raise typer.Exit(1)


def _shown(results: Iterator[Timeline]) -> Iterator[Timeline]:
    """A line that moves while a long recording is heard, on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield from results
        return
    while True:
        with console.status("listening"):
            result = next(results, None)
        if result is None:
            return
        yield result
