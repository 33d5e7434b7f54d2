"""`audio-emotion crossval`: a protocol's every fold trained and judged, one report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..config import load_config
from ..corpora import load_corpora
from ..evaluation import crossval as summary
from ..evaluation.protocols import NAMES, REPEATS, build
from ..evaluation.report import write_report
from ..evaluation.robustness import as_markdown, compare
from ..files import write_text
from .options import Accelerator, ConfigName, Corpora, Overrides


def crossval(
    data: Corpora,
    out: Annotated[Path, typer.Option(help="Folder of the folds and the report.")],
    protocol: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "random",
    config: ConfigName = "source",
    set_: Overrides = [],  # noqa: B006  typer wants the default itself
    folds: Annotated[
        str, typer.Option(help="Only these, such as 1,3; those done before are kept.")
    ] = "",
    init: Annotated[
        list[Path],
        typer.Option(
            help="Another cross-validation's folder: each fold goes on from its weights; given "
            "again, from the mean of them all."
        ),
    ] = [],  # noqa: B006  typer wants the default itself
    seed: Annotated[int, typer.Option(help="Of the protocol random.", min=0)] = 0,
    repeats: Annotated[int, typer.Option(help="Of the protocol random.", min=1)] = REPEATS,
    robustness: Annotated[
        bool,
        typer.Option("--robustness", help="Also hear the test clips by telephone, in noise, …."),
    ] = False,
    jobs: Annotated[int, typer.Option(help="Folds trained at once.", min=1)] = 1,
    accelerator: Accelerator = "auto",
) -> None:
    """Train and judge every fold of a protocol; write mean, deviation and interval over folds.

    After a kill the same command goes on where it stopped. Figures on voices that were heard and
    figures on voices that were not are different protocols, and never in one table.

    Examples:

      audio-emotion crossval --protocol actors --config voice --data RAVDESS --out runs/actors

      audio-emotion crossval --protocol actors --config voice --data RAVDESS --data CREMA-D
      --out runs/joint --jobs 2

      audio-emotion crossval --protocol actors --config voice --data RAVDESS --data CREMA-D
      --out runs/longer --init runs/joint

      audio-emotion crossval --protocol grouped-5 --data MINE --out runs/mine
    """
    settings = load_config(config, set_)
    corpus = load_corpora(data, settings.labels)
    planned = build(protocol, corpus, seed=seed, repeats=repeats)
    from ..lab import crossval as running

    rows = running.crossval(
        corpus,
        planned,
        settings,
        out,
        folds=[name for name in folds.split(",") if name],
        init=init,
        jobs=jobs,
        trainer_options={
            "accelerator": accelerator,
            "devices": 1,
            "enable_progress_bar": sys.stderr.isatty() and jobs == 1,
        },
    )
    results = summary.summarize(rows, corpus, planned, settings)
    for name, result in results.items():
        write_report(result, out / f"report-{name}", force=True)
    typer.echo(summary.as_text(results))
    if robustness:
        found = compare(corpus, planned, out, rows, step=lambda text: typer.echo(text, err=True))
        write_text(out / "robustness.md", as_markdown(found))
        typer.echo(as_markdown(found), nl=False)
