"""`audio-emotion data`: what is in a corpus."""

import json as json_
from pathlib import Path
from typing import Annotated

import typer

from ..datasets import load_corpora
from ..datasets.summary import as_text, summarize
from ..errors import ConfigError
from ..labels import EMOTIONS, split_labels
from .corpora import read_corpora


def data(
    path: Annotated[Path, typer.Argument(help="A folder, a zip archive or a CSV manifest.")],
    labels: Annotated[
        str, typer.Option(help="Labels other than the eight emotions, such as bored,engaged.")
    ] = ",".join(EMOTIONS),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Summarise a corpus: labels, speakers, durations, duplicates, silent and unreadable files.

    Examples:

      audio-emotion data RAVDESS

      audio-emotion data MINE --labels bored,engaged --json
    """
    read = read_corpora if json else load_corpora  # the text says what was skipped, too
    try:
        names = split_labels(labels)
    except ValueError as error:
        raise ConfigError(f"--labels: {error}") from error
    facts = summarize(read([path], names))
    typer.echo(json_.dumps(facts, indent=2) if json else as_text(facts))
