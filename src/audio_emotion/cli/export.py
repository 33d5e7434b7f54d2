"""`audio-emotion export`: a run folder in, one model file out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..files import refuse_overwrite


class Precision(str, Enum):
    """How weights are stored."""

    fp16 = "fp16"
    fp32 = "fp32"


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training.")],
    out: Annotated[Path, typer.Option(help="Model file to write.")] = Path("model.onnx"),
    precision: Annotated[
        Precision, typer.Option(help="How weights are stored; fp16 halves the file.")
    ] = Precision.fp16,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
) -> None:
    """Write the best weights of a training as one ONNX model.

    Waveform in, probabilities out: the front end is inside, everything else in the metadata.

    Example:

      audio-emotion export runs/first --out model.onnx
    """
    refuse_overwrite(out, force)
    from ..lab import export as exporting

    exporting.export(run, out, precision.value)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {precision.value} weights")
