"""`audio-emotion data`: what is in a corpus."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import Annotated

import typer

from ..corpora import load_corpus
from ..corpora.describe import as_text, describe
from ..labels import EMOTIONS


def data(
    path: Annotated[Path, typer.Argument(help="A folder, a zip archive or a CSV manifest.")],
    labels: Annotated[
        str,
        typer.Option(help="Where they are not the eight emotions, as bored,engaged."),
    ] = ",".join(EMOTIONS),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe a corpus: classes, speakers, channels, durations, duplicates, unreadable files.

    Example:

      audio-emotion data RAVDESS

      audio-emotion data MINE --labels bored,engaged
    """
    facts = describe(load_corpus(path, labels.split(",")))
    typer.echo(json_.dumps(facts, indent=2) if json else as_text(facts))
