"""`audio-emotion explain`: which part of a recording spoke for the answer."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..audio import read_audio
from ..classifier import Classifier
from ..errors import ConfigError
from ..explain import explain as explaining
from ..files import refuse_overwrite
from .options import Force, Model, Plot


class Method(str, Enum):
    """How evidence is found."""

    occlusion = "occlusion"
    gradients = "gradients"


def explain(
    source: Annotated[Path, typer.Argument(help="A recording.")],
    model: Model = None,
    method: Annotated[
        Method,
        typer.Option(help="Silence each region in turn, or follow gradients (extra train)."),
    ] = Method.occlusion,
    run: Annotated[
        Path | None,
        typer.Option(help="For gradients: the training that --model was exported from."),
    ] = None,
    plot: Plot = None,
    force: Force = False,
) -> None:
    """Say which seconds and frequencies spoke for the emotion.

    Each region is silenced in turn; what the answer's probability loses is what it was worth. By
    gradients the regions are finer: each frame of each mel band.

    Examples:

      audio-emotion explain clip.wav

      audio-emotion explain clip.wav --plot why.png

      audio-emotion explain clip.wav --method gradients --plot why.png
    """
    if run and method is Method.occlusion:
        raise ConfigError("--run is for --method gradients; occlusion needs the model file only")
    if plot:
        refuse_overwrite(plot, force)
    signal, sampling_rate = read_audio(source)
    classifier = Classifier(model)
    if method is Method.gradients:
        from ..lab.attribution import attribute

        found = attribute(signal, sampling_rate, classifier, run)
    else:
        found = explaining(signal, sampling_rate, classifier)
    typer.echo(found.sentence())
    if plot:
        from ..lab.plots import draw_explanation

        draw_explanation(signal, sampling_rate, found, classifier, plot)
        typer.echo(plot)
