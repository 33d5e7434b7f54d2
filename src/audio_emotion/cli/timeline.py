"""`audio-emotion timeline`: emotions over the time of a long recording."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..classifier import Classifier
from ..files import refuse_overwrite, write_text
from ..segmenter import TimelineSettings
from ..timeline import timelines_of_file
from ..timeline_page import page
from ..timeline_writers import WRITERS, TableWriter, clock, get_writer
from .options import Force, Model, Plot

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

DEFAULTS = TimelineSettings()
PAGES = {".html", ".htm"}
CLIPPED = 1e-3  # share of samples at full scale from which it is said


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
    win_dur: Annotated[
        float, typer.Option(help="Seconds heard at a look, at most the model's.", min=0.1)
    ] = DEFAULTS.win_dur,
    hop_dur: Annotated[
        float, typer.Option(help="Seconds between two looks.", min=0.05)
    ] = DEFAULTS.hop_dur,
    min_dur: Annotated[
        float, typer.Option(help="Seconds that another emotion must last to be told.", min=0.05)
    ] = DEFAULTS.min_dur,
    speech_threshold: Annotated[
        float,
        typer.Option(help="Probability of a voice; higher where music is heard.", min=0, max=1),
    ] = DEFAULTS.speech_threshold,
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
    settings = TimelineSettings(
        win_dur=win_dur,
        hop_dur=hop_dur,
        min_dur=min_dur,
        speech_threshold=speech_threshold,
        uncertain_below=uncertain_below,
    )
    classifier = Classifier(model)
    with _bar() as bar:
        task = bar.add_task("", total=None, heard=clock(0))

        def show(heard: float, whole: float | None) -> None:
            bar.update(task, completed=heard, total=whole, heard=clock(heard))

        found = list(
            timelines_of_file(source, classifier, settings, separate=separate, progress=show)
        )
    broken = False
    clipped = max(result.clipped for result in found)
    if clipped > CLIPPED:
        typer.echo(
            f"audio-emotion: {clipped:.1%} of the samples stand at full scale: the recording is "
            "clipped, which sounds like another emotion; record it quieter if you can",
            err=True,
        )
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


def _bar() -> RichProgress:
    """How much is heard, and the time left; on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.fields[heard]} heard"),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
