"""`audio-emotion evaluate`: a model and a corpus in, a report out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..datasets import Clip
from ..errors import StoppedError
from ..evaluation.corruptions import CORRUPTIONS
from ..evaluation.evaluate import CHOICES
from ..evaluation.evaluate import evaluate as evaluate_model
from ..files import refuse_overwrite
from ..formats.report import as_markdown, write_report
from ..inference.classifier import Classifier
from .corpora import read_corpora
from .options import Force, interrupts_deferred, with_progress


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    data: Annotated[
        list[Path], typer.Argument(help="Corpora: folders, zip archives or CSV manifests.")
    ],
    split: Annotated[
        str, typer.Option(help=f"One of {', '.join(CHOICES)}; of the split in training.")
    ] = "all",
    shared: Annotated[
        bool,
        typer.Option("--shared-labels", help="Predict only among the labels of the corpus."),
    ] = False,
    corruption: Annotated[
        str | None, typer.Option(help=f"Corrupt each clip by one of {', '.join(CORRUPTIONS)}.")
    ] = None,
    enroll: Annotated[
        int,
        typer.Option(
            help="Also compare: each speaker enrolled from so many neutral clips, and not.",
            min=0,
            max=20,
        ),
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, report.md and report.json.")
    ] = None,
    force: Force = False,
) -> None:
    """Score a model on a corpus, by the path that users take.

    The report has accuracy, macro F1 and UAR with bootstrap intervals, scores of each emotion, the
    confusion matrix, calibration, groups of speakers, the most confident mistakes, and published
    scores of the same protocol.

    Examples:

      audio-emotion evaluate model.onnx RAVDESS --split val --out report

      audio-emotion evaluate model.onnx CREMA-D --shared-labels

      audio-emotion evaluate model.onnx RAVDESS --split val --corruption telephone

      audio-emotion evaluate model.onnx MINE --shared-labels --enroll 3
    """
    refuse_overwrite(out, force)
    path = None if str(model) == "default" and not model.exists() else model
    classifier = Classifier(path, threads=1)  # several would wait for each other at every clip
    corpus = read_corpora(data, classifier.labels)
    try:
        result = evaluate_model(
            classifier,
            corpus,
            split,
            _interruptible,
            shared=shared,
            corruption=corruption,
            enroll=enroll,
        )
    except KeyboardInterrupt:
        raise StoppedError("the evaluation is not finished, so there is no report") from None
    if out:
        write_report(result, out, force)
    typer.echo(as_markdown(result), nl=False)
    if out:
        typer.echo(f"\n{out / 'report.html'}")


def _interruptible(clips: Sequence[Clip]) -> Iterator[Clip]:
    for clip in with_progress(clips, "predicting"):
        with interrupts_deferred():
            yield clip
