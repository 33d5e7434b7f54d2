"""Options of commands that train or read corpora, apart so that no other command waits for them."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import available
from ..datasets import Corpus, load_corpora
from .options import say

Corpora = Annotated[
    list[Path],
    typer.Option(
        help="Corpus: folder, zip archive or CSV manifest; repeatable, the main one first."
    ),
]
ConfigName = Annotated[str, typer.Option(help=f"One of {', '.join(available())}, or a YAML file.")]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
]
Accelerator = Annotated[str, typer.Option(help="auto, cpu or gpu.")]


def read_corpora(paths: Iterable[Path], labels: Sequence[str]) -> Corpus:
    """Load and join corpora, and say on stderr which recordings were skipped and why."""
    corpus = load_corpora(paths, labels)
    for line in corpus.skipped_summary():
        say(line)
    return corpus


def trainer_options(accelerator: str, *, bar: bool = True, **options: Any) -> dict[str, Any]:
    """Return options of Lightning's trainer, for one device unless `options` say otherwise."""
    bar = bar and sys.stderr.isatty()
    return {"accelerator": accelerator, "devices": 1, "enable_progress_bar": bar, **options}
