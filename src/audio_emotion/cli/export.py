"""`audio-emotion export`: a run folder in, one model file out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..corpora import load_corpora
from ..files import refuse_overwrite
from .options import Force


class Precision(str, Enum):
    """How weights are stored."""

    fp16 = "fp16"
    fp32 = "fp32"
    int8 = "int8"


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training.")],
    out: Annotated[Path, typer.Option(help="Model file to write.")] = Path("model.onnx"),
    precision: Annotated[
        Precision, typer.Option(help="fp16 halves the file; int8 also computes in integers.")
    ] = Precision.fp16,
    data: Annotated[
        list[Path],
        typer.Option(help="For int8: the corpora trained on, whose clips show the ranges."),
    ] = [],  # noqa: B006  typer wants the default itself
    force: Force = False,
) -> None:
    """Write the best weights of a training as one ONNX model.

    Waveform in, probabilities out: the front end is inside, everything else in the metadata. Where
    --out ends in .safetensors, write the weights alone, for train --init.

    Examples:

      audio-emotion export runs/first --out model.onnx

      audio-emotion export runs/first --out small.onnx --precision int8 --data RAVDESS

      audio-emotion export runs/first --out weights.safetensors
    """
    refuse_overwrite(out, force)
    from ..lab import export as exporting
    from ..lab.run import stored_config

    if out.suffix == exporting.ENDING:
        exporting.export_weights(run, out)
        typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, to start other trainings from")
        return
    corpus = load_corpora(data, stored_config(run).labels) if data else None
    exporting.export(run, out, precision.value, corpus)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {precision.value} weights")
