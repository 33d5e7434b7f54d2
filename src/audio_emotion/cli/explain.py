"""`audio-emotion explain`: which part of a recording supports the prediction."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..audio import read_audio
from ..errors import ConfigError
from ..inference.explain import explain as explain_by_occlusion
from .options import Force, Model, Plot, SpeakerFile, check_plot, opened_model, opened_source


def explain(
    source: Annotated[Path, typer.Argument(help="A recording; - is standard input.")],
    model: Model = None,
    method: Annotated[
        Literal["occlusion", "gradients"],
        typer.Option(help="Silence each region in turn, or follow gradients (extra train)."),
    ] = "occlusion",
    run: Annotated[
        Path | None,
        typer.Option(help="For gradients: the run or safetensors file that --model comes from."),
    ] = None,
    plot: Plot = None,
    speaker: SpeakerFile = None,
    force: Force = False,
) -> None:
    """Find which seconds and frequencies support the predicted emotion.

    Occlusion silences each region in turn and measures how much probability the emotion loses.
    Gradients resolve single frames and mel bands.

    Examples:

      audio-emotion explain clip.wav

      audio-emotion explain clip.wav --plot why.png

      audio-emotion explain clip.wav --speaker me.json

      audio-emotion explain clip.wav --method gradients --plot why.png

      audio-emotion explain clip.wav --model mine.onnx --method gradients --run runs/mine
    """
    if run and method == "occlusion":
        raise ConfigError("--run is for --method gradients; occlusion needs the model file only")
    check_plot(plot, force)
    signal, sampling_rate = read_audio(opened_source(source))
    classifier = opened_model(model, speaker)
    if method == "gradients":
        from ..training.explanation.gradients import attribute

        found = attribute(signal, sampling_rate, classifier, run)
    else:
        found = explain_by_occlusion(signal, sampling_rate, classifier)
    typer.echo(found.sentence())
    if plot:
        from ..training.explanation.plot import draw_explanation

        draw_explanation(signal, sampling_rate, found, classifier, plot)
        typer.echo(plot)
