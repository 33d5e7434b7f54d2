"""`audio-emotion tune`: settings searched for on validation clips."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..config import load_config
from ..corpora import load_corpora
from .options import Accelerator, ConfigName, Corpora, Overrides


def tune(
    data: Corpora,
    out: Annotated[Path, typer.Option(help="Folder of the search.")],
    space: Annotated[
        list[str],
        typer.Option(help="section.key=low..high, low..high:log or a,b,c; again for further ones."),
    ],
    config: ConfigName = "source",
    set_: Overrides = [],  # noqa: B006  typer wants the default itself
    trials: Annotated[int, typer.Option(help="Trials in all.", min=1)] = 20,
    accelerator: Accelerator = "auto",
) -> None:
    """Search settings by their validation macro F1; the test part is never touched.

    Trials that will not win are cut short. After a kill the same command goes on; more --trials
    go further. Where every setting is a choice, each combination is tried once.

    Examples:

      audio-emotion tune --data RAVDESS --config voice --out runs/tune
      --space train.lr=1e-4..1e-2:log --space network.dropout=0.3..0.5

      audio-emotion tune --data RAVDESS --out runs/tune --space train.class_weights=none,root
    """
    settings = load_config(config, set_)
    corpus = load_corpora(data, settings.labels)
    from ..lab import tune as tuning

    study = tuning.tune(
        corpus,
        settings,
        [tuning.parse_space(text) for text in space],
        out,
        trials=trials,
        trainer_options={
            "accelerator": accelerator,
            "devices": 1,
            "enable_progress_bar": sys.stderr.isatty(),
        },
    )
    typer.echo(
        f"best macro F1 {study.best_value:.3f} with {study.best_params}\n{out / 'best.yaml'}"
    )
