"""The commands put together, and their errors put into words."""

from __future__ import annotations

import sys
import warnings

import typer

from ..errors import AudioEmotionError, StoppedError
from ..version import __version__
from .crossval import crossval
from .data import data
from .download import download
from .evaluate import evaluate
from .explain import explain
from .export import export
from .listen import listen
from .predict import predict
from .timeline import timeline
from .train import train
from .tune import tune

app = typer.Typer(
    name="audio-emotion",
    help="Recognise eight emotions in speech and song.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
USING = (predict, timeline, listen, explain, evaluate)
MAKING = (train, crossval, tune, export, data, download)
for command in (*USING, *MAKING):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"audio-emotion {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


def main() -> None:
    """Entry point: an expected error is one line on stderr and exit code 2; Ctrl-C is 130."""
    warnings.formatwarning = lambda message, *_, **__: f"audio-emotion: warning: {message}\n"
    try:
        app()
    except StoppedError as error:
        typer.echo(f"audio-emotion: stopped; {error}", err=True)
        sys.exit(130)
    except AudioEmotionError as error:
        typer.echo(f"audio-emotion: {error}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if error.name not in {"torch", "lightning", "matplotlib"}:
            raise
        typer.echo(
            f"audio-emotion: this needs {error.name}; install it with\n"
            "    pip install 'audio-emotion-classifier[train]'",
            err=True,
        )
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # `audio-emotion predict … | head` is no error
