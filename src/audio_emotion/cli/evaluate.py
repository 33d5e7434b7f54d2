"""`audio-emotion evaluate`: a model and a corpus in, a report out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..classifier import Classifier
from ..corpora import Clip, load_corpora
from ..evaluation.conditions import CONDITIONS
from ..evaluation.evaluate import evaluate as judge
from ..evaluation.report import as_markdown, write_report
from ..files import refuse_overwrite


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    data: Annotated[
        list[Path], typer.Argument(help="Corpora: folders, zip archives or CSV manifests.")
    ],
    split: Annotated[
        str, typer.Option(help="train, val or test of the model's own split, or all.")
    ] = "all",
    shared: Annotated[
        bool,
        typer.Option("--shared-labels", help="Answer only among the labels that the corpus has."),
    ] = False,
    condition: Annotated[
        str | None, typer.Option(help=f"Hear each clip under one of {', '.join(CONDITIONS)}.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, report.md and report.json.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the report.")] = False,
) -> None:
    """Score a model on a corpus, by the path that users take.

    Accuracy, macro F1, UAR with bootstrap intervals, each emotion, the confusion matrix,
    calibration, groups of speakers, the most confident mistakes, and published figures where the
    protocol is the same.

    Example:

      audio-emotion evaluate model.onnx RAVDESS --split test --out report

      audio-emotion evaluate model.onnx CREMA-D --shared-labels
    """
    if out:
        refuse_overwrite(out, force)
    classifier = Classifier(model)
    corpus = load_corpora(data, classifier.labels)
    result = judge(classifier, corpus, split, _progress, shared=shared, under=condition)
    if out:
        write_report(result, out, force)
    typer.echo(as_markdown(result), nl=False)
    if out:
        typer.echo(f"\n{out / 'report.html'}")


def _progress(clips: Sequence[Clip]) -> Iterable[Clip]:
    from rich.console import Console
    from rich.progress import track

    return track(clips, "listening", console=Console(stderr=True), disable=not sys.stderr.isatty())
