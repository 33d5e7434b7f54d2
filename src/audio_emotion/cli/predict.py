"""`audio-emotion predict`: recordings in, a label for each out."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from ..audio import MAX_DUR, Source, expand
from ..errors import StoppedError
from ..files import atomic_path, refuse_overwrite
from ..formats.predictions import FORMATS, PredictionWriter, TableWriter, get_writer
from ..inference.classifier import Classifier
from ..inference.result import FileResult, predict_file
from .options import Force, Model, with_progress

STDIN = "-"
MANY = 20  # recordings from which a progress bar is shown


def predict(
    sources: Annotated[
        list[str], typer.Argument(help="Files, folders, patterns, or - for standard input.")
    ],
    model: Model = None,
    format_: Annotated[
        str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Short for --format csv.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write to this file; its suffix chooses the format if none is named."),
    ] = None,
    force: Force = False,
    max_dur: Annotated[
        float, typer.Option(help="Seconds of each recording to read at most.", min=0.1)
    ] = MAX_DUR,
) -> None:
    """Predict the emotion of each recording.

    Results are written as they come. A recording that cannot be read gets a row that says why, and
    the exit code is then 1. Ctrl-C keeps the finished rows.

    Examples:

      audio-emotion predict clip.wav

      audio-emotion predict recordings/ --out emotions.csv

      audio-emotion predict "recordings/*.flac" --format jsonl

      ffmpeg -i talk.mkv -f wav - | audio-emotion predict - --json
    """
    make_writer = get_writer(_named(format_, json, csv), out)
    if out:
        refuse_overwrite(out, force)
    classifier = Classifier(model)
    recordings = list(_expanded(sources))
    with _opened(out) as stream:
        writer = make_writer(stream, classifier.labels)
        rows_appear = stream.isatty() and not isinstance(writer, TableWriter)
        hidden = rows_appear or len(recordings) < MANY
        done, failed = _write(writer, _results(classifier, recordings, max_dur, hidden))
    if done < len(recordings):
        raise StoppedError(f"{done} of {len(recordings)} recordings are in {out or 'the output'}")
    if failed:
        raise typer.Exit(1)


def _write(writer: PredictionWriter, results: Iterable[FileResult]) -> tuple[int, int]:
    """Write results until they end or Ctrl-C is pressed; return how many, and how many failed."""
    done = failed = 0
    writer.begin()
    try:
        for result in results:
            writer.write(result)
            done += 1
            failed += result.error is not None
    except KeyboardInterrupt:
        pass
    writer.end()
    return done, failed


def _results(
    classifier: Classifier, recordings: Sequence[str | Path], max_dur: float, hidden: bool
) -> Iterator[FileResult]:
    for source in with_progress(recordings, "predicting", hidden=hidden):
        content: Source = sys.stdin.buffer.read() if source == STDIN else source
        with _interrupts_deferred():
            result = predict_file(classifier, content, max_dur=max_dur, name=str(source))
        yield result


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Raise a Ctrl-C of the block at its end; a second one takes effect at once.

    Inside a callback of libsndfile the exception would be lost, and the recording seem truncated.
    """
    pressed = False

    def defer(*_: object) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # somebody else handles or ignores it
        return
    signal.signal(signal.SIGINT, defer)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


def _named(format_: str | None, json: bool, csv: bool) -> str | None:
    named = [format_] * bool(format_) + ["json"] * json + ["csv"] * csv
    if len(named) > 1:
        raise typer.BadParameter("choose one of --format, --json and --csv")
    return named[0] if named else None


def _expanded(sources: Sequence[str]) -> Iterator[str | Path]:
    for source in sources:
        yield from [source] if source == STDIN else expand([source])


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    """Yield standard output, or a file that appears as `out` once it is complete."""
    if out is None:
        yield sys.stdout
        return
    with (
        atomic_path(out) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        yield stream
