"""`audio-emotion train`: a corpus and a configuration in, a run folder out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..classifier import default_model
from ..config import load_config
from ..corpora import load_corpora
from .options import Accelerator, ConfigName, Corpora, Overrides

DEFAULT = "default"  # as --init: the shipped model's weights


def train(
    data: Corpora,
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    config: ConfigName = "source",
    set_: Overrides = [],  # noqa: B006  typer wants the default itself
    init: Annotated[
        list[Path],
        typer.Option(
            help="Start from a run's best weights, a checkpoint, or the word default; given again, "
            "from the mean of them all (train.epochs=0: to be that mean)."
        ),
    ] = [],  # noqa: B006  typer wants the default itself
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after the run's last whole epoch.")
    ] = False,
    devices: Annotated[str, typer.Option(help="How many, or which, devices.")] = "auto",
    accelerator: Accelerator = "auto",
    strategy: Annotated[str, typer.Option(help="Lightning's strategy, such as ddp.")] = "auto",
    num_nodes: Annotated[int, typer.Option(help="Machines that train together.", min=1)] = 1,
) -> None:
    """Train a network on a corpus.

    Ctrl-C, or a kill, loses the epoch under way and nothing else: --resume goes on.

    Examples:

      audio-emotion train --data RAVDESS --out runs/first

      audio-emotion train --data RAVDESS --out runs/half --set network.width=0.5

      audio-emotion train --data RAVDESS --out runs/first --resume

      audio-emotion train --data RAVDESS --data CREMA-D --out runs/voice --config voice

      audio-emotion train --data MINE --out runs/mine --config adapt --init default

      audio-emotion train --data MINE --out runs/mine --config adapt --init default
      --set labels=bored,engaged
    """
    settings = load_config(config, set_)
    from ..lab import train as training
    from ..lab.run import stored_config

    labels = stored_config(out).labels if resume else settings.labels
    corpus = load_corpora(data, labels)
    shipped = default_model().with_suffix(".safetensors")
    begun = [shipped if path == Path(DEFAULT) else path for path in init]
    options = {
        "devices": devices,
        "accelerator": accelerator,
        "strategy": strategy,
        "num_nodes": num_nodes,
        "enable_progress_bar": sys.stderr.isatty(),
    }
    best = training.train(corpus, settings, out, resume=resume, init=begun, trainer_options=options)
    typer.echo(f"best weights: {best}\nnext: audio-emotion export {out} --out model.onnx")
