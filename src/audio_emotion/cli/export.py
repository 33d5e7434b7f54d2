"""`audio-emotion export`: a trained model in, one model file out."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..files import refuse_overwrite
from .corpora import read_corpora
from .options import Force


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training, or a safetensors file.")],
    out: Annotated[Path, typer.Option(help="Model file to write.")] = Path("model.onnx"),
    precision: Annotated[
        Literal["fp16", "fp32", "int8"],
        typer.Option(help="fp16 halves the file; int8 also computes in integers."),
    ] = "fp16",
    data: Annotated[
        list[Path],
        typer.Option(
            help="The training corpora: for int8, whose value ranges their clips give, and for a "
            "run that has no reference of neutral speech yet."
        ),
    ] = [],  # noqa: B006  typer wants the default itself
    calibration: Annotated[
        Path | None,
        typer.Option(help="calibration.json of crossval --protocol leave-one-corpus-out."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a trained model as one ONNX file.

    The file maps a waveform to probabilities: the front end is part of it, and its metadata
    describe it. With --calibration its confidences also suit recordings unlike the training
    corpora. An --out that ends in .safetensors gets the weights for train --init instead.

    Examples:

      audio-emotion export runs/first --out model.onnx

      audio-emotion export runs/first --out small.onnx --precision int8 --data RAVDESS

      audio-emotion export runs/first --out model.onnx --calibration runs/across/calibration.json

      audio-emotion export runs/first --out weights.safetensors
    """
    refuse_overwrite(out, force)
    from ..evaluation.transfer import Transfer
    from ..training import export as exports
    from ..training.checkpoints import SUFFIX
    from ..training.model import find_model

    transfer = Transfer.load(calibration) if calibration else None
    corpus = read_corpora(data, find_model(run).architecture.labels) if data else None
    if out.suffix == SUFFIX:
        exports.export_weights(run, out, corpus, transfer)
        contents = "weights for train --init"
    else:
        exports.export(run, out, precision, corpus, transfer)
        contents = f"{precision} weights"
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {contents}")
