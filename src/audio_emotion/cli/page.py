"""`audio-emotion page`: the page as files for any web server, or as one file."""

from pathlib import Path
from typing import Annotated

import typer

from ..files import refuse_overwrite, write_text
from ..web.site import Site
from .options import Force, Model, say


def page(
    out: Annotated[Path, typer.Option(help="Folder to write, or the file with --single-file.")],
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Write one HTML file that needs no server.")
    ] = False,
    model: Model = None,
    force: Force = False,
) -> None:
    """Write the page, which runs the model in the browser of whoever opens it.

    A folder is for any web server; a microphone needs HTTPS there. One file can be opened as it is.
    In a checkout the runtime comes first, by make page.

    Examples:

      audio-emotion page --out site

      audio-emotion page --single-file --out emotion.html
    """
    refuse_overwrite(out, force)
    site = Site(model)
    if single_file:
        write_text(out, site.single_file())
    else:
        site.write(out)
    files = [out] if single_file else [path for path in out.rglob("*") if path.is_file()]
    say(f"{out}, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
