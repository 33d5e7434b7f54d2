"""`audio-emotion predict`: recordings in, a label for each out."""

import hashlib
import json as json_
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, TextIO

import typer

from ..audio import MAX_DUR, Source, expand
from ..errors import AudioError, OutputError, StoppedError, translated
from ..files import is_special
from ..formats.partial import PartialOutput
from ..formats.predictions import FORMATS, PredictionWriter, as_table, get_writer
from ..inference.classifier import Classifier
from ..inference.result import FileResult, predict_file
from ..threads import in_order, processors
from ..version import __version__
from .options import (
    STDIN,
    Force,
    Model,
    Out,
    SpeakerFile,
    Track,
    format_option,
    interrupts_deferred,
    opened_model,
    opened_source,
    say,
    terminations_interrupt,
    with_progress,
)

Recording = str | Path | FileResult  # to read, or the result of one that cannot be found
Predict = Callable[..., FileResult]
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
    speaker: SpeakerFile = None,
) -> None:
    """Predict the emotion of each recording.

    Results are written as they come, those for --out to OUT.part until all are there. A recording
    that cannot be read gets a row that says why, and the exit code is then 1. Ctrl-C, and a full
    disk, keep the finished rows in OUT; after a kill the same command goes on with OUT.part.

    Examples:

      audio-emotion predict clip.wav

      audio-emotion predict recordings/ --out emotions.csv

      audio-emotion predict "recordings/*.flac" --format jsonl

      audio-emotion predict clip.wav --speaker me.json

      ffmpeg -i talk.mkv -f wav - | audio-emotion predict - --json
    """
    writer = get_writer(_named(format_, json, csv), out)
    recordings = list(_expanded(sources))
    # Several recordings are predicted side by side, each by one thread; a single one by all.
    classifier = opened_model(model, speaker, threads=1 if len(recordings) > 1 else 0)
    predict_one = partial(predict_file, classifier, max_dur=max_dur, track=track)
    if out and not is_special(out):
        facts = [str(max_dur), str(track), *([speaker.read_text("utf-8")] if speaker else [])]
        command = _digest(classifier, *facts, *sources)
        with (
            PartialOutput(out, command, classifier.info.calibration.threshold, force=force) as part,
            terminations_interrupt(),
        ):
            failed = _to_file(part, writer, classifier.labels, recordings, predict_one)
    else:
        failed = _to_stream(out, writer, classifier.labels, recordings, predict_one)
    if failed:
        raise typer.Exit(1)


def _to_file(
    part: PartialOutput,
    writer: PredictionWriter,
    labels: Sequence[str],
    recordings: Sequence[Recording],
    predict_one: Predict,
) -> bool:
    """Write a file, whatever ends the work, and return whether a recording could not be read."""
    if part.finished:
        say(f"{part.out} is complete")
        return any(result.error is not None for result in part.results())
    rest = part.missing(recordings, _name)
    if len(rest) < len(recordings):
        say(f"{len(recordings) - len(rest)} of {len(recordings)} recordings are done; going on")
    shown = with_progress(rest, "predicting", hidden=len(rest) < MANY)
    try:
        for result in _results(predict_one, shown):
            part.add(result)
    finally:
        with interrupts_deferred():
            failed = any(result.error is not None for result in part.results())
            kept = part.write(writer, labels)
        missing = _missing(kept, len(recordings), part.out)
        if missing and sys.exc_info()[1]:
            say(missing)
    if missing:
        raise StoppedError(missing)
    return failed


def _to_stream(
    out: Path | None,
    writer: PredictionWriter,
    labels: Sequence[str],
    recordings: Sequence[Recording],
    predict_one: Predict,
) -> bool:
    """Write results as they come, and return whether a recording could not be read."""
    failures: list[bool] = []  # of each result that is written
    with _opened(out) as stream:
        terminal = stream.isatty()
        hidden = (terminal and writer is not as_table) or len(recordings) < MANY
        shown = with_progress(recordings, "predicting", hidden=hidden)
        for text in writer(_results(predict_one, shown, failures), labels, terminal):
            stream.write(text)
            stream.flush()  # so that readers get each result when it is there
    missing = _missing(len(failures), len(recordings), out or "the output")
    if missing:
        raise StoppedError(missing)
    return any(failures)


def _missing(done: int, total: int, where: object) -> str:
    if done == total:
        return ""
    return f"{done} of {total} recordings are in {where}, {total - done} are missing"


def _results(
    predict_one: Predict, recordings: Iterable[Recording], failures: list[bool] | None = None
) -> Iterator[FileResult]:
    """Yield results until Ctrl-C is pressed, and note of each whether it is an error."""
    with suppress(KeyboardInterrupt), closing(_predicted(predict_one, recordings)) as results:
        for result in results:
            with interrupts_deferred():  # until it is written
                yield result
                if failures is not None:
                    failures.append(result.error is not None)


def _predicted(
    predict_one: Predict, recordings: Iterable[Recording]
) -> Generator[FileResult, None, None]:
    """Yield the result of each recording, in order."""

    def one(item: tuple[str, Source | FileResult]) -> FileResult:
        name, content = item
        return content if isinstance(content, FileResult) else predict_one(content, name=name)

    # Standard input is read here, where Ctrl-C ends that.
    items = ((_name(r), opened_source(STDIN) if r == STDIN else r) for r in recordings)
    threads = processors()
    if threads > 1:
        yield from in_order(one, items, threads)
        return
    for item in items:
        with interrupts_deferred():
            result = one(item)
        yield result


def _name(recording: Recording) -> str:
    return recording.file if isinstance(recording, FileResult) else str(recording)


def _digest(classifier: Classifier, *facts: str) -> str:
    """Return what tells a command from one with another model, other sources or other options."""
    digest = hashlib.sha256(classifier.path.read_bytes())
    digest.update(json_.dumps([__version__, *facts]).encode())
    return digest.hexdigest()


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
    """Yield standard output, or a device or pipe."""
    if out is None:
        yield sys.stdout
        return
    with (
        translated(OutputError, out),
        out.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        yield stream
