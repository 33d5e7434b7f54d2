"""`audio-emotion download`: a corpus from its publisher."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def download(
    corpus: Annotated[Literal["ravdess"], typer.Argument(help="Which corpus.")],
    out: Annotated[Path, typer.Option(help="Folder to unpack to.")] = Path("RAVDESS"),
) -> None:
    """Download a corpus, verify it against the published checksums, and unpack it.

    An interrupted download resumes where it stopped; nothing is unpacked before it is verified.

    Examples:

      audio-emotion download ravdess

      audio-emotion download ravdess --out corpora/RAVDESS
    """
    from ..datasets.download import download_ravdess

    folder = download_ravdess(out)
    typer.echo(f"{folder}\nnext: audio-emotion data {folder}")
