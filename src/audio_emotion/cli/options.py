"""Options that several commands share."""

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ..audio import Source, buffered
from ..errors import OutputError
from ..files import refuse_overwrite
from ..inference.classifier import Classifier

T = TypeVar("T")
STDIN = "-"
ENDS = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
IMAGES = (".png", ".svg", ".pdf")

Model = Annotated[Path | None, typer.Option(help="Model file; by default the shipped one.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Write to this file; its suffix chooses the format if none is named."),
]
Plot = Annotated[
    Path | None, typer.Option(help="Draw it as .png, .svg or .pdf; needs the extra train.")
]
Track = Annotated[
    int | None,
    typer.Option(
        help="Number of the audio track, from 1; by default the default track, or if that is "
        "silent the first that is not.",
        min=1,
    ),
]
SpeakerFile = Annotated[
    Path | None, typer.Option("--speaker", help="Who speaks: a file that enroll wrote.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing output.")]


def check_plot(path: Path | None, force: bool) -> None:
    """Refuse an image that cannot be written, before the work.

    Raises:
        OutputError: it exists already, or its suffix is unknown.
    """
    refuse_overwrite(path, force)
    if path and path.suffix.lower() not in IMAGES:
        raise OutputError(f"{path} must end in {' or '.join(IMAGES)}")


def opened_model(model: Path | None, speaker: Path | None, *, threads: int = 0) -> Classifier:
    """Open a model, adjusted to a speaker if there is a file of one.

    Raises:
        ModelError: as `Classifier`.
        SpeakerError: the file is damaged, or of a speaker who was enrolled with another model.
    """
    classifier = Classifier(model, threads=threads)
    if speaker is None:
        return classifier
    from ..inference.speaker import Speaker

    return classifier.for_speaker(Speaker.load(speaker))


def opened_source(source: str | Path) -> Source:
    """Return a file as it is, and of a pipe, or of standard input for -, the content.

    Raises:
        AudioError: it holds more than `audio.MAX_BUFFERED` bytes.
    """
    return buffered(sys.stdin.buffer if str(source) == STDIN else source)


def format_option(formats: Iterable[str]) -> Any:
    """Return the option `--format` with the names of the formats."""
    return typer.Option("--format", help=f"One of {', '.join(formats)}.")


def say(message: str) -> None:
    """Print a line on stderr."""
    typer.echo(f"audio-emotion: {message}", err=True)


def with_progress(items: Sequence[T], what: str, *, hidden: bool = False) -> Iterable[T]:
    """Iterate with a progress bar on stderr if that is a terminal."""
    if hidden or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, what, console=Console(stderr=True))


@contextmanager
def terminations_interrupt() -> Iterator[None]:
    """Treat a request to end, or the end of the terminal, in the block as Ctrl-C."""
    before = {number: signal.getsignal(number) for number in ENDS}
    for number in ENDS:
        if before[number] is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Raise a Ctrl-C of the block at its end; a second one takes effect at once.

    Inside a callback of libsndfile the exception would be lost, and the recording seem truncated.
    """
    pressed = False
    numbers = [n for n in ENDS if signal.getsignal(n) is signal.default_int_handler]

    def restore() -> None:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)

    def defer(*_: object) -> None:
        nonlocal pressed
        pressed = True
        restore()

    for number in numbers:  # others are ignored, or somebody else's
        signal.signal(number, defer)
    try:
        yield
    finally:
        restore()
    if pressed:
        raise KeyboardInterrupt
