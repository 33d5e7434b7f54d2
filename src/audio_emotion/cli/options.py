"""Options that several commands share, each with its one home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config_text import available

Corpora = Annotated[
    list[Path],
    typer.Option(
        help="Corpus: folder, zip archive or CSV manifest; again for further ones, the main first."
    ),
]
ConfigName = Annotated[str, typer.Option(help=f"One of {', '.join(available())}, or a YAML file.")]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a setting.")
]
Accelerator = Annotated[str, typer.Option(help="auto, cpu or gpu.")]
Model = Annotated[Path | None, typer.Option(help="Model file; the shipped one if left out.")]
Plot = Annotated[
    Path | None, typer.Option(help="Draw it to this .png or .svg; needs the extra train.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output.")]
