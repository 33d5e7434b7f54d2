"""All commands in one application, and their errors in words."""

import inspect
import io
import os
import re
import sys
import warnings
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import typer

from ..errors import AudioEmotionError, StoppedError
from ..version import __version__
from .options import say

USE = ("predict", "timeline", "batch", "listen", "enroll", "explain", "evaluate", "serve", "page")
MAKE = ("train", "crossval", "tune", "export", "data", "download")
COMMANDS = (*USE, *MAKE)  # each a function in a module of its own, of the same name

EXTRA_TRAIN = {  # top-level modules that the extra installs
    *("captum", "lightning", "matplotlib", "onnx", "onnxscript", "optuna"),
    *("safetensors", "tensorboard", "torch"),
}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"audio-emotion {__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


def application(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the application with some of its commands, whose modules are imported."""
    app = typer.Typer(
        name="audio-emotion",
        help="Recognise eight emotions in speech and song.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for name in names:
        command = getattr(import_module(f".{name}", __package__), name)
        text = re.sub(r"(?<!\n)\n(?!\n)\s*", " ", inspect.cleandoc(command.__doc__ or ""))
        description, title, examples = text.partition("Examples:")  # paragraphs wrap at any width
        app.command(help=description, epilog=title + examples)(command)
    return app


def __getattr__(name: str) -> typer.Typer:
    if name != "app":  # all commands, for other programs
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return application()


def main() -> None:
    """Run the command; an expected error is one line on stderr and exit code 2.

    Typer itself turns Ctrl-C into exit code 130, and is quiet if a reader such as `head` goes away.
    """
    warnings.formatwarning = lambda message, *_, **__: f"audio-emotion: warning: {message}\n"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names may hold what a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    named = [name for name in sys.argv[1:2] if name in COMMANDS]
    try:
        application(named or COMMANDS)()
    except SystemExit as done:
        if "batch" in named and isinstance(done.code, int | None):
            _leave(done.code or 0)
        raise
    except StoppedError as error:
        say(f"stopped; {error}")
        sys.exit(130)
    except AudioEmotionError as error:
        say(str(error))
        sys.exit(2)
    except OSError as error:  # of a disk that is full, most likely
        say(f"{error.filename or 'the output'} cannot be read or written: {error.strerror}")
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_TRAIN:
            raise
        say(
            f"this needs {error.name}; install it with\n"
            "    pip install 'audio-emotion-classifier[train]'"
        )
        sys.exit(2)


def _leave(code: int) -> NoReturn:
    """End without the destructors of libraries: Arrow's threads abort there, once in fifty."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads any more
            stream.flush()
    os._exit(code)
