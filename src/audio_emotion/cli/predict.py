"""`audio-emotion predict`: recordings in, a label for each out."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, TextIO

import typer

from ..audio import MAX_DUR, expand
from ..errors import AudioError, StoppedError
from ..files import atomic_path, refuse_overwrite
from ..formats.predictions import FORMATS, as_table, get_writer
from ..inference.classifier import Classifier
from ..inference.result import FileResult, predict_file
from .options import (
    STDIN,
    Force,
    Model,
    Out,
    Track,
    format_option,
    interrupts_deferred,
    opened_source,
    with_progress,
)

MANY = 20  # recordings from which a progress bar is shown


def predict(
    sources: Annotated[
        list[str], typer.Argument(help="Files, folders, patterns, or - for standard input.")
    ],
    model: Model = None,
    format_: Annotated[str | None, format_option(FORMATS)] = None,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Short for --format csv.")] = False,
    out: Out = None,
    force: Force = False,
    max_dur: Annotated[
        float, typer.Option(help="Seconds of each recording to read at most.", min=0.1)
    ] = MAX_DUR,
    track: Track = None,
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
    writer = get_writer(_named(format_, json, csv), out)
    refuse_overwrite(out, force)
    classifier = Classifier(model)
    recordings = list(_expanded(sources))
    failures: list[bool] = []  # of each result
    with _opened(out) as stream:
        terminal = stream.isatty()
        hidden = (terminal and writer is not as_table) or len(recordings) < MANY
        shown = with_progress(recordings, "predicting", hidden=hidden)
        results = _results(classifier, shown, max_dur, track, failures)
        for text in writer(results, classifier.labels, terminal):
            stream.write(text)
            stream.flush()  # so that readers get each result when it is there
    done = len(failures)
    if done < len(recordings):
        raise StoppedError(f"{done} of {len(recordings)} recordings are in {out or 'the output'}")
    if any(failures):
        raise typer.Exit(1)


def _results(
    classifier: Classifier,
    sources: Iterable[str | Path | FileResult],
    max_dur: float,
    track: int | None,
    failures: list[bool],
) -> Iterator[FileResult]:
    """Yield results until Ctrl-C is pressed, and note of each whether it is an error."""
    with suppress(KeyboardInterrupt):
        for source in sources:
            if isinstance(source, FileResult):
                result = source
            else:
                content = opened_source(source) if source == STDIN else source
                with interrupts_deferred():
                    result = predict_file(
                        classifier, content, max_dur=max_dur, track=track, name=str(source)
                    )
            with interrupts_deferred():  # until it is written
                yield result
                failures.append(result.error is not None)


def _named(format_: str | None, json: bool, csv: bool) -> str | None:
    named = [format_] * bool(format_) + ["json"] * json + ["csv"] * csv
    if len(named) > 1:
        raise typer.BadParameter("choose one of --format, --json and --csv")
    return named[0] if named else None


def _expanded(sources: Sequence[str]) -> Iterator[str | Path | FileResult]:
    for source in sources:
        try:
            yield from [source] if source == STDIN else expand([source])
        except AudioError as error:
            if len(sources) == 1:
                raise
            yield FileResult(source, error=str(error))  # the others are still predicted


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
