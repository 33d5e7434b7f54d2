"""`audio-emotion explain`: which part of a recording spoke for the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..audio import read_audio
from ..classifier import Classifier
from ..explain import explain as explaining
from ..files import refuse_overwrite
from .options import Force, Model, Plot


def explain(
    source: Annotated[Path, typer.Argument(help="A recording.")],
    model: Model = None,
    plot: Plot = None,
    force: Force = False,
) -> None:
    """Say which seconds and frequencies spoke for the emotion.

    Each region is silenced in turn; what the answer's probability loses is what it was worth.

    Examples:

      audio-emotion explain clip.wav

      audio-emotion explain clip.wav --plot why.png
    """
    if plot:
        refuse_overwrite(plot, force)
    signal, sampling_rate = read_audio(source)
    found = explaining(signal, sampling_rate, Classifier(model))
    typer.echo(found.sentence())
    if plot:
        from ..lab.plots import draw_explanation

        draw_explanation(signal, sampling_rate, found, plot)
        typer.echo(plot)
