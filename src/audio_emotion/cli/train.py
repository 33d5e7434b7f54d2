"""`audio-emotion train`: a corpus and a configuration in, a run folder out."""

from pathlib import Path
from typing import Annotated

import typer

from ..config import DEFAULT, load_config
from ..errors import ConfigError
from .corpora import Accelerator, ConfigName, Corpora, Overrides, read_corpora, trainer_options

FINETUNE = "finetune"  # the configuration that makes no sense from random weights


def train(
    data: Corpora,
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    config: ConfigName = DEFAULT,
    set_: Overrides = [],  # noqa: B006  typer wants the default itself
    init: Annotated[
        Path | None,
        typer.Option(
            help="Trained weights to start from: a run, a safetensors file, or default, "
            "the shipped ones."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue after the last whole epoch of the run.")
    ] = False,
    devices: Annotated[str, typer.Option(help="How many devices, or which.")] = "auto",
    accelerator: Accelerator = "auto",
    strategy: Annotated[str, typer.Option(help="Lightning's strategy, such as ddp.")] = "auto",
    num_nodes: Annotated[int, typer.Option(help="Machines that train together.", min=1)] = 1,
) -> None:
    """Train a model on a corpus.

    Ctrl-C, or a kill, loses the current epoch only; --resume continues.

    Examples:

      audio-emotion train --data RAVDESS --out runs/first

      audio-emotion train --data RAVDESS --out runs/first --resume

      audio-emotion train --data RAVDESS --data CREMA-D --out runs/half --set network.width=0.5

      audio-emotion train --data RAVDESS --out runs/reference --config reference

      audio-emotion train --data MINE --out runs/mine --config finetune --init default

      audio-emotion train --data MINE --out runs/mine --init default --set labels=bored,engaged
    """
    settings = load_config(config, set_)
    if resume and (set_ or config != DEFAULT):
        raise ConfigError(
            "--resume continues with the run's own settings; leave --set, --config out"
        )
    if settings.name == FINETUNE and not (init or resume):
        raise ConfigError("finetune starts from trained weights: add --init default, or a run")
    from ..training.model import find_model
    from ..training.run import stored_config
    from ..training.train import train as train_model

    labels = stored_config(out).labels if resume else settings.labels
    corpus = read_corpora(data, labels)
    trained = train_model(
        corpus,
        settings,
        out,
        resume=resume,
        init=find_model(init) if init else None,
        trainer_options=trainer_options(
            accelerator, devices=devices, strategy=strategy, num_nodes=num_nodes
        ),
    )
    typer.echo(f"trained model: {trained}\nnext: audio-emotion export {out} --out model.onnx")
