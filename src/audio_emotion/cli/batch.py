"""`audio-emotion batch`: very many recordings in, tables of their emotions out."""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..audio import MAX_DUR
from ..errors import ConfigError, StoppedError
from ..threads import processors
from .options import Model, say, terminations_interrupt

if TYPE_CHECKING:
    from ..batch.parts import Parts
    from ..batch.run import Batch, Tally

REPORT_DUR = 60.0  # s between two lines of progress where there is no terminal


def batch(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders, patterns, lists (.txt, .csv, .tsv, .parquet with a column uri or path), "
            ".tar archives, or URLs such as s3://BUCKET/FOLDER. May be left out once the plan is "
            "there."
        ),
    ] = None,
    out: Annotated[str, typer.Option(help="Folder of results, here or in an object store.")] = "",
    task: Annotated[str, typer.Option(help="emotions, or timeline: a row a segment.")] = "emotions",
    model: Model = None,
    jobs: Annotated[
        int, typer.Option(help="Processes; by default one for each processor.", min=0)
    ] = 0,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Work on a Ray cluster instead: auto, ray://HOST:PORT, HOST:PORT or local; extra "
            "cluster."
        ),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="K/N", help="Work off every N-th shard, from the K-th.")
    ] = None,
    max_dur: Annotated[
        float, typer.Option(help="Seconds of each recording to read, for emotions.", min=0.1)
    ] = MAX_DUR,
    speaker_column: Annotated[
        str, typer.Option(help="Column of a list with the path of each recording's --speaker file.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what there is and what it will take.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Say what is done.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare results with plan and _SUCCESS.")
    ] = False,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Try recordings with an error again.")
    ] = False,
    format_: Annotated[
        str | None, typer.Option("--format", help="Write all rows as csv or jsonl, too.")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Write report.html and report.parquet.")
    ] = False,
    by: Annotated[
        str | None, typer.Option(help="Column of a list that groups the report; else the folder.")
    ] = None,
) -> None:
    """Predict the emotions of very many recordings, each exactly once.

    The results are Parquet files of a few hundred recordings each; docs/batch.md describes them. A
    recording that cannot be read becomes a row that says why. After Ctrl-C, a kill or a lost
    machine the same command goes on. The exit code is 1 while recordings are missing, with --shard
    of its share. Extra batch.

    Examples:

      audio-emotion batch recordings/ --out results/

      audio-emotion batch calls.parquet --out results/ --report --by agent

      audio-emotion batch s3://archive/2026/ --out s3://archive/emotions/ --task timeline

      audio-emotion batch recordings/ --out /shared/results/ --shard $SLURM_ARRAY_TASK_ID/100

      audio-emotion batch calls.csv --out results/ --speaker-column me --format csv

      audio-emotion batch --out results/ --status

      audio-emotion batch --out results/ --verify
    """
    if not out:
        raise typer.BadParameter("name the folder of results with --out")
    if by and not report:
        raise ConfigError("--by groups the --report, which was not asked for")
    found = _batch(sources or [], out, task, model, jobs, cluster, shard, max_dur, speaker_column)
    from ..batch.outputs import check_format
    from ..batch.parts import Parts
    from ..batch.report import check_group

    if format_:
        check_format(format_)
    if dry_run:
        return _dry_run(found, by)
    parts = Parts(found.folder, found.planned() if status or verify else found.plan())
    check_group(parts.plan, by)
    if verify:
        facts = parts.verify()
        return say(f"{facts['rows']:,} rows of {facts['files']:,} recordings are as they should be")
    if not status:
        if retry_errors:
            say(f"{parts.reopen_errors():,} recordings are tried again")
        parts = _run(found, parts)
        if format_ and parts.complete:
            say(f"{parts.folder.name}/{_output(parts, format_)}")
        elif format_:
            say(f"results.{format_} is written when all recordings have their rows")
    if report:
        from ..batch.report import PAGE, write_report

        write_report(parts, by)
        say(f"{parts.folder.name}/{PAGE}")
    _say_status(parts)
    if not found.complete(parts):
        raise typer.Exit(1)
    return None


def _batch(
    sources: list[str],
    out: str,
    task: str,
    model: Path | None,
    jobs: int,
    cluster: str | None,
    shard: str | None,
    max_dur: float,
    speaker_column: str,
) -> "Batch":
    try:
        from ..batch.job import TASKS, Job
        from ..batch.plan import share
        from ..batch.run import Batch
        from ..batch.storage import Folder
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a batch needs {error.name}; install it with pip install "
            "'audio-emotion-classifier[batch]'"
        ) from error
    if task not in TASKS:
        raise ConfigError(f"there is no task {task!r}; choose one of {', '.join(TASKS)}")
    if shard:
        share((), shard)
    path = str(model.absolute()) if model else ""
    job = Job(task, path, max_dur=max_dur, speaker_column=speaker_column)
    return Batch(job, tuple(sources), Folder(out), jobs or processors(), cluster, shard)


def _dry_run(batch: "Batch", by: str | None) -> None:
    """Plan in a temporary folder, unless there is a plan, and say what it will take."""
    from dataclasses import replace

    from ..batch.estimate import estimate
    from ..batch.plan import read_plan
    from ..batch.report import check_group
    from ..batch.storage import Folder

    with tempfile.TemporaryDirectory() as temporary:
        if batch.sources and read_plan(batch.folder) is None:
            batch = replace(batch, folder=Folder(temporary))
        plan = batch.plan()
        check_group(plan, by)
        found = estimate(batch.job, plan, batch.folder, batch.jobs)
    say(f"{plan.files:,} recordings of {plan.bytes / 1e6:,.1f} MB in {plan.shards:,} shards")
    say(
        f"about {found.audio / 3600:,.1f} hours of audio, {clock(found.time)} with {batch.jobs} "
        f"processes, {found.disk / 1e6:,.1f} MB of results"
    )


def _run(batch: "Batch", parts: "Parts") -> "Parts":
    """Work, with progress, and return what is there afterwards."""
    from ..batch.parts import Parts
    from ..batch.run import Tally

    tally = Tally()
    plan, done = parts.plan, parts.files
    if done:
        say(f"{done:,} of {plan.files:,} recordings are done; going on")
    try:
        with terminations_interrupt(), _progress(tally, plan.files - done):
            batch.run(parts, tally)
    except KeyboardInterrupt:
        raise StoppedError(
            f"{parts.files:,} of {plan.files:,} recordings have their rows in {parts.folder.name}; "
            "the same command goes on"
        ) from None
    return Parts(batch.folder, plan)


def _output(parts: "Parts", name: str) -> str:
    from ..batch.outputs import write_output

    return write_output(parts, name)


def _say_status(parts: "Parts") -> None:
    plan, errors = parts.plan, parts.errors
    open_shards = len(parts.open_shards())
    say(
        f"{parts.files:,} of {plan.files:,} recordings, {plan.shards - open_shards:,} of "
        f"{plan.shards:,} shards, {parts.seconds / 3600:,.1f} hours of audio"
    )
    if errors:
        kinds = ", ".join(f"{code} {count:,}" for code, count in errors.most_common())
        say(f"{errors.total():,} recordings have an error: {kinds}")
    if parts.left:
        why = next(part.why for part in reversed(list(parts)) if part.left)
        say(f"{parts.left:,} recordings could not be reached, for instance {why}")


@contextmanager
def _progress(tally: "Tally", total: int) -> Iterator[None]:
    """Show what is done: a bar on a terminal, else a line a minute."""
    ended, began = threading.Event(), time.monotonic()
    show = _bar if sys.stderr.isatty() else _lines
    thread = threading.Thread(target=show, args=(tally, total, began, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _lines(tally: "Tally", total: int, began: float, ended: threading.Event) -> None:
    while not ended.wait(REPORT_DUR):
        say(f"{tally.files:,} of {total:,} recordings, {describe(tally, total, began)}")


def _bar(tally: "Tally", total: int, began: float, ended: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns: Any = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total)
        while not ended.wait(0.5):
            text = describe(tally, total, began)
            progress.update(task, completed=tally.files, description=text)
        progress.update(task, completed=tally.files)


def describe(tally: "Tally", total: int, began: float) -> str:
    """Return hours of audio, rate, time left and errors so far, in words.

    Args:
        tally: what was done.
        total: recordings to do.
        began: when the work did, by the monotonic clock.
    """
    rate = tally.files / max(1e-9, time.monotonic() - began)
    left = clock((total - tally.files) / rate) if rate else "?"
    text = f"{tally.seconds / 3600:,.1f} h of audio, {rate:,.1f}/s, {left} left"
    errors = tally.errors.total()
    return text + (f", {errors:,} errors" if errors else "")


def clock(seconds: float) -> str:
    """Return a duration in hours and minutes, or minutes and seconds.

    >>> clock(59.6), clock(4000), clock(float("nan"))
    ('1:00 min', '1:06 h', '?')
    """
    if seconds != seconds:
        return "?"
    unit, name = (60, "h") if seconds >= 3599.5 else (1, "min")
    whole, rest = divmod(int(seconds / unit) if unit > 1 else round(seconds), 60)
    return f"{whole}:{rest:02} {name}"
