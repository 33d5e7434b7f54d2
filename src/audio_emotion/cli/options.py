"""Options that several commands share, and how they read corpora."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ..config import available
from ..datasets import Corpus, load_corpora

T = TypeVar("T")

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
Model = Annotated[Path | None, typer.Option(help="Model file; by default the shipped one.")]
Plot = Annotated[
    Path | None, typer.Option(help="Draw an image, .png or .svg; needs the extra train.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing output.")]


def read_corpora(paths: Iterable[Path], labels: Sequence[str]) -> Corpus:
    """Load and join corpora, and say on stderr which recordings were skipped and why."""
    corpus = load_corpora(paths, labels)
    for line in corpus.skipped_summary():
        say(line)
    return corpus


def say(message: str) -> None:
    """Print a line on stderr."""
    typer.echo(f"audio-emotion: {message}", err=True)


def with_progress(items: Sequence[T], what: str, *, hidden: bool = False) -> Iterable[T]:
    """Iterate with a progress bar on stderr if that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    hidden = hidden or not sys.stderr.isatty()
    return track(items, what, console=Console(stderr=True), disable=hidden)


def one_device(accelerator: str, *, bar: bool = True) -> dict[str, Any]:
    """Return options of Lightning's trainer for one device."""
    bar = bar and sys.stderr.isatty()
    return {"accelerator": accelerator, "devices": 1, "enable_progress_bar": bar}
