"""`audio-emotion crossval`: every fold of a protocol trained and evaluated, in one report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import DEFAULT, load_config
from ..datasets import Corpus
from ..errors import CorpusError, ModelError
from ..evaluation.analysis import restrict
from ..evaluation.enrolment import LeftOut, choose_strength
from ..evaluation.evaluate import predict_clips, predictable_labels, select
from ..evaluation.folds import as_text, summarize
from ..evaluation.protocols import ACROSS_CORPORA, NAMES, REPEATS, build
from ..evaluation.robustness import as_markdown, compare
from ..evaluation.transfer import Transfer
from ..files import write_text
from ..formats.report import write_report
from ..inference.classifier import Classifier
from .corpora import Accelerator, ConfigName, Corpora, Overrides, read_corpora, trainer_options
from .options import say

CALIBRATION = "calibration.json"


def crossval(
    data: Corpora,
    out: Annotated[Path, typer.Option(help="Folder for the folds and the reports.")],
    protocol: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "random",
    config: ConfigName = DEFAULT,
    set_: Overrides = [],  # noqa: B006  typer wants the default itself
    folds: Annotated[
        str, typer.Option(help="Train only these folds, such as 1,3; finished ones are kept.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the protocol random.", min=0)] = 0,
    repeats: Annotated[int, typer.Option(help="Of the protocol random.", min=1)] = REPEATS,
    robustness: Annotated[
        bool,
        typer.Option("--robustness", help="Also evaluate corrupted test clips."),
    ] = False,
    jobs: Annotated[int, typer.Option(help="Folds trained at the same time.", min=1)] = 1,
    accelerator: Accelerator = "auto",
) -> None:
    """Train and evaluate every fold of a protocol; report mean, deviation and interval over folds.

    After a kill the same command continues. Scores on known speakers and on unseen speakers come
    from different protocols and never share a table.

    Examples:

      audio-emotion crossval --protocol actors --data RAVDESS --out runs/actors

      audio-emotion crossval --protocol actors --data RAVDESS --data CREMA-D
      --out runs/joint --jobs 2

      audio-emotion crossval --protocol grouped-5 --data MINE --out runs/mine
    """
    settings = load_config(config, set_)
    corpus = read_corpora(data, settings.labels)
    planned = build(protocol, corpus, seed=seed, repeats=repeats)
    from ..training.crossval import crossval as train_folds

    rows = train_folds(
        corpus,
        planned,
        settings,
        out,
        folds=[name for name in folds.split(",") if name],
        jobs=jobs,
        trainer_options=trainer_options(accelerator, bar=jobs == 1),
    )
    results = summarize(rows, corpus, planned, settings.labels, settings.name)
    for name, result in results.items():
        write_report(result, out / f"report-{name}", force=True)
    typer.echo(as_text(results))
    if planned.name == ACROSS_CORPORA and len(rows) == len(planned.folds):
        left_out = {fold.name: results[fold.name] for fold in planned.folds}
        transfer = Transfer.measure(left_out, _strength(left_out, corpus, out))
        write_text(out / CALIBRATION, transfer.model_dump_json(indent=2) + "\n")
        typer.echo(transfer.in_words())
        say(f"'audio-emotion export --calibration {out / CALIBRATION}' makes use of this")
    if robustness:
        table = as_markdown(compare(corpus, planned, out, rows, step=say))
        write_text(out / "robustness.md", table)
        typer.echo(table, nl=False)


def _strength(results: Mapping[str, dict[str, Any]], corpus: Corpus, out: Path) -> float | None:
    """Return the strength of an enrolment that suits corpora left out, if it can be measured."""
    try:
        strength = choose_strength(
            _left_out(Classifier(out / f"fold-{name}" / "model.onnx", threads=1), corpus, result)
            for name, result in results.items()
        )
    except (CorpusError, ModelError) as error:
        say(f"no strength of an enrolment is chosen: {error}")
        return None
    typer.echo(f"strength of an enrolment: {strength:.2f}")
    return strength


def _left_out(classifier: Classifier, corpus: Corpus, result: Mapping[str, Any]) -> LeftOut:
    """Predict the validation clips of a fold's model, too."""
    clips, _ = select(classifier, corpus, "val")
    labels = predictable_labels(classifier, clips, shared=True)
    known = restrict(predict_clips(classifier, clips)[0], labels)
    return LeftOut(result["predictions"], known, classifier.enrolment.reference)
