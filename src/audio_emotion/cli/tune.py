"""`audio-emotion tune`: search for settings on validation clips."""

from pathlib import Path
from typing import Annotated

import typer

from ..config import DEFAULT, load_config
from .corpora import Accelerator, ConfigName, Corpora, Overrides, read_corpora, trainer_options


def tune(
    data: Corpora,
    out: Annotated[Path, typer.Option(help="Folder of the search.")],
    space: Annotated[
        list[str],
        typer.Option(help="section.key=low..high, low..high:log or a,b,c; repeatable."),
    ],
    config: ConfigName = DEFAULT,
    set_: Overrides = [],  # noqa: B006  typer wants the default itself
    trials: Annotated[int, typer.Option(help="Trials in total.", min=1)] = 20,
    accelerator: Accelerator = "auto",
) -> None:
    """Search settings by their validation macro F1; the test split is never used.

    Unpromising trials end early. After a kill the same command continues; with more --trials it
    searches further. If every setting has a list of values, each combination is tried once.

    Examples:

      audio-emotion tune --data RAVDESS --out runs/tune
      --space train.lr=1e-4..1e-2:log --space network.dropout=0.3..0.5

      audio-emotion tune --data RAVDESS --out runs/weights --space train.class_weights=none,sqrt
    """
    settings = load_config(config, set_)
    corpus = read_corpora(data, settings.labels)
    from ..training.tune import parse_space
    from ..training.tune import tune as search

    study = search(
        corpus,
        settings,
        parse_space(space),
        out,
        trials=trials,
        trainer_options=trainer_options(accelerator),
    )
    typer.echo(
        f"best macro F1 {study.best_value:.3f} with {study.best_params}\n{out / 'best.yaml'}"
    )
