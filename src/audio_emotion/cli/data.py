"""`audio-emotion data`: what is in a corpus."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import Annotated

import typer

from ..corpora import load_corpus
from ..corpora.describe import as_text, describe


def data(
    path: Annotated[Path, typer.Argument(help="A folder, a zip archive or a CSV manifest.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe a corpus: classes, speakers, channels, durations, duplicates, unreadable files.

    Example:

      audio-emotion data RAVDESS
    """
    facts = describe(load_corpus(path))
    typer.echo(json_.dumps(facts, indent=2) if json else as_text(facts))
