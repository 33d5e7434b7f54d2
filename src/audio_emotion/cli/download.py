"""`audio-emotion download`: a corpus from its publisher."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Published(str, Enum):
    """Corpora that can be fetched."""

    ravdess = "ravdess"


def download(
    corpus: Annotated[Published, typer.Argument(help="Which corpus.")],
    out: Annotated[Path, typer.Option(help="Folder to unpack into.")] = Path("RAVDESS"),
) -> None:
    """Fetch a corpus, verify it against the published checksums, and unpack it.

    An interrupted download goes on where it stopped; nothing unverified is unpacked.

    Example:

      audio-emotion download ravdess --out RAVDESS
    """
    from ..corpora.download import download_ravdess

    folder = download_ravdess(out)
    typer.echo(f"{folder}\nnext: audio-emotion data {folder}")
