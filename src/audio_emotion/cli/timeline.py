"""`audio-emotion timeline`: emotions over the time of a long recording."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..audio import CLIPPED, Source, open_audio
from ..files import refuse_overwrite, write_text
from ..formats.plot import draw_timeline
from ..formats.timelines import FORMATS, get_writer
from ..formats.writers import clock
from ..inference.classifier import Classifier
from ..timeline.recording import Timeline, timelines_of_file
from ..timeline.settings import TimelineSettings
from .options import (
    Force,
    Model,
    Out,
    Plot,
    SpeakerFile,
    Track,
    check_plot,
    format_option,
    opened_model,
    opened_source,
    say,
)

DEFAULTS = TimelineSettings()


def timeline(
    source: Annotated[Path, typer.Argument(help="A recording of any length; - is standard input.")],
    model: Model = None,
    format_: Annotated[str | None, format_option(FORMATS)] = None,
    out: Out = None,
    plot: Plot = None,
    channels: Annotated[
        Literal["mix", "separate"],
        typer.Option(help="Mix them, or write a timeline for each, as for phone calls."),
    ] = "mix",
    win_dur: Annotated[
        float, typer.Option(help="Seconds predicted at once, at most the model's.", min=0.1)
    ] = DEFAULTS.win_dur,
    hop_dur: Annotated[
        float, typer.Option(help="Seconds between two predictions.", min=0.05)
    ] = DEFAULTS.hop_dur,
    min_dur: Annotated[
        float, typer.Option(help="Seconds that an emotion lasts at least.", min=0.05)
    ] = DEFAULTS.min_dur,
    speech_threshold: Annotated[
        float,
        typer.Option(help="Probability of speech; raise it if there is music.", min=0, max=1),
    ] = DEFAULTS.speech_threshold,
    uncertain_below: Annotated[
        float, typer.Option(help="Confidence under which a segment is uncertain.", min=0, max=1)
    ] = DEFAULTS.uncertain_below,
    track: Track = None,
    speaker: SpeakerFile = None,
    force: Force = False,
) -> None:
    """Predict which emotion when, in segments; silence and uncertain speech are segments, too.

    Memory does not grow with the length of the recording. With --channels separate each channel is
    written to a file of its own: OUT-1 and so on. With --out call.html the result is a page that
    contains the sound.

    Examples:

      audio-emotion timeline call.m4a

      audio-emotion timeline call.m4a --out call.srt --plot call.png

      audio-emotion timeline call.m4a --out call.html

      audio-emotion timeline call.wav --channels separate --out call.json

      audio-emotion timeline talk.m4a --speaker me.json
    """
    writer = get_writer(format_, out)
    separate = channels == "separate"
    if plot and separate:
        raise typer.BadParameter("--plot draws one timeline; leave --channels separate out")
    check_plot(plot, force)
    refuse_overwrite(None if separate else out, force)
    settings = TimelineSettings(
        win_dur=win_dur,
        hop_dur=hop_dur,
        min_dur=min_dur,
        speech_threshold=speech_threshold,
        uncertain_below=uncertain_below,
    )
    classifier = opened_model(model, speaker, threads=1)
    recording = opened_source(source)
    outputs = [out]
    if separate and out:
        with open_audio(recording, track=track) as stream:
            numbers = range(1, stream.channels + 1)
        outputs = [out.with_stem(f"{out.stem}-{number}") for number in numbers]
        for path in outputs:
            refuse_overwrite(path, force)
    found = _predict(recording, classifier, settings, separate, track)
    for number, result in enumerate(found, 1):
        text = writer(result, recording)
        path = outputs[number - 1] if out else None
        if path is None:
            typer.echo((f"channel {number}\n" if separate else "") + text, nl=False)
            continue
        write_text(path, text)
        typer.echo(path)
    if plot:
        draw_timeline(found[0], plot)
        typer.echo(plot)
    _warn(found)


def _predict(
    source: Source,
    classifier: Classifier,
    settings: TimelineSettings,
    separate: bool,
    track: int | None,
) -> list[Timeline]:
    from rich.console import Console
    from rich.progress import Progress

    console, hidden = Console(stderr=True), not sys.stderr.isatty()
    with Progress(console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=None)

        def show(done: float, total: float | None) -> None:
            bar.update(task, completed=done, total=total, description=f"{clock(done)} done")

        return list(
            timelines_of_file(
                source, classifier, settings, separate=separate, track=track, progress=show
            )
        )


def _warn(found: list[Timeline]) -> None:
    """Say on stderr what is wrong with the recording; exit with 1 if it broke off."""
    clipped = max(result.clipped for result in found)
    if clipped > CLIPPED:
        say(
            f"{clipped:.1%} of the samples are at full scale, so the recording is clipped, which "
            "can change the emotion predicted; record at a lower level if you can"
        )
    for notice in dict.fromkeys(n for result in found for n in result.warnings):
        say(notice.message)
    broken = [result.broken for result in found if result.broken]
    for reason in broken:
        say(f"{reason}; the timeline up to there is kept")
    if broken:
        raise typer.Exit(1)
