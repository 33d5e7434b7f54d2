"""A shard: its recordings in, its part file out."""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import StoppedError
from ...notices import Code
from ..job import VERSION, Job
from ..plan import KEY, Plan
from ..rows import FIRST, of_error
from ..storage import Folder
from .content import opened
from .workers import Worker, WorkerDiedError

SCHEMA = "audio-emotion-batch"
IN_FLIGHT = 2  # recordings that a worker has: one to predict, one to read meanwhile
DEATHS = 2  # of a worker that has one recording only, after which that is to blame
Row = dict[str, Any]


@dataclass(frozen=True)
class ShardTask:
    """A shard to work off, or what was left of it."""

    shard: int
    generation: int = 0  # 0 is the shard, 1 what could not be reached then, and so on
    only: tuple[int, ...] | None = None  # items, of a generation after the first

    def name(self, fingerprint: str) -> str:
        """Return the name of the part file."""
        generation = f".{self.generation}" if self.generation else ""
        return f"part-{self.shard:05}{generation}-{fingerprint}.parquet"


@dataclass(frozen=True)
class Part:
    """What a part file says of itself in its metadata."""

    shard: int
    generation: int
    files: int  # with rows
    seconds: float  # of audio
    errors: dict[str, int] = field(default_factory=dict)  # files by code
    left: tuple[int, ...] = ()  # items that could not be reached
    why: str = ""  # one of them could not be
    fingerprint: str = ""


Report = Callable[[float, str | None, bool], None]  # s of audio, code of an error, whether left


def run_shard(
    job: Job,
    plan: Plan,
    folder: Folder,
    task: ShardTask,
    worker: Worker,
    report: Report,
    stopped: threading.Event | None = None,
) -> Part | None:
    """Predict the recordings of a shard and write its part file.

    Returns:
        What the part file holds; None if what was left before is left again, and nothing was
        written.

    Raises:
        OutputError: the part file cannot be written.
        StoppedError: `stopped` was set.
    """
    items = plan.items(folder, task.shard)
    if task.only is not None:
        items = [item for item in items if item["item"] in task.only]
    rows: list[Row] = []
    left: dict[int, str] = {}
    for item, answer in answers(job, worker, items, stopped):
        if "left" in answer:
            left[item["item"]] = answer["left"]
        found = [_row(plan, item, answer["sha256"], row) for row in answer.get("rows", ())]
        rows += found
        first = found[0] if found else {}
        report(first.get("duration") or 0.0, first.get("error"), "left" in answer)
    if not rows and task.generation:
        return None
    part = summarise(task, plan, rows, left)
    write_part(folder, task.name(plan.fingerprint), part, rows, plan.schema(folder))
    return part


def answers(
    job: Job, worker: Worker, items: Sequence[Row], stopped: threading.Event | None = None
) -> Iterator[tuple[Row, Row]]:
    """Yield each recording with the worker's answer.

    If the worker dies, each recording that it had is handed to a new one alone.  The one that it
    dies of again, twice, gets the row of an error; whatever else killed it costs nothing.
    """
    waiting, flying = deque(items), deque[Row]()
    suspects: set[int] = set()
    deaths: Counter[int] = Counter()
    while waiting or flying:
        if stopped and stopped.is_set():
            raise StoppedError("the batch was stopped")
        worker.start()
        while waiting and len(flying) < IN_FLIGHT:
            pair = {item["item"] for item in (*flying, waiting[0])}
            if flying and pair & suspects:
                break
            flying.append(waiting.popleft())
            worker.send(flying[-1])
        try:
            answer = worker.receive(job.time_limit)
        except WorkerDiedError as error:
            first = flying[0]
            if len(flying) == 1:
                deaths[first["item"]] += DEATHS if error.late else 1
            if deaths[first["item"]] >= DEATHS:
                yield flying.popleft(), _killer(first, error.late)
            suspects |= {item["item"] for item in flying}
            waiting.extendleft(reversed(flying))
            flying.clear()
        else:
            yield flying.popleft(), answer


def summarise(task: ShardTask, plan: Plan, rows: Sequence[Row], left: dict[int, str]) -> Part:
    """Return what is said of rows in the metadata of their file."""
    firsts = {row["item"]: row for row in rows}.values()
    seconds = sum(row.get("duration") or 0.0 for row in firsts)
    errors = Counter(row["error"] for row in firsts if row.get("error"))
    why = next(iter(left.values()), "")
    facts = (len(firsts), seconds, dict(errors), tuple(sorted(left)), why, plan.fingerprint)
    return Part(task.shard, task.generation, *facts)


def write_part(
    folder: Folder, name: str, part: Part, rows: Sequence[Row], layout: pa.Schema
) -> None:
    """Write rows, in order of the plan, with what is said of them."""
    facts = json.dumps({"schema": SCHEMA, "version": VERSION, **asdict(part)})
    ordered = sorted(rows, key=lambda row: (row["item"], row.get("segment") or 0))
    table = pa.Table.from_pylist(ordered, layout.with_metadata({KEY: facts}))
    folder.write(name, lambda path: pq.write_table(table, path, compression="zstd"))


def _row(plan: Plan, item: Row, sha256: str | None, row: Row) -> Row:
    known = {name: item[name] for name in (*FIRST, *plan.carried)}
    return {**known, "sha256": sha256, "fingerprint": plan.fingerprint, **row}


def _killer(item: Row, late: bool) -> Row:
    """Return the answer for a recording that a worker dies of; its bytes are safe to read."""
    try:
        with opened(item) as (_, sha256):
            digest = sha256
    except Exception:
        digest = None
    code, why = Code.WORKER_DIED, "a worker dies of it, of a crash or for lack of memory"
    if late:
        code, why = Code.DECODE_LIMIT, "predicting it takes too much time"
    return {"sha256": digest, "rows": [of_error(code, why)]}
