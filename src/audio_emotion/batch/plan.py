"""The plan: the recordings of a batch, frozen and cut into shards of about equal bytes.

`plan.parquet` has a row for each recording, in order of its shard.  Planning takes memory for a
hash and a size of each recording, not for its name.
"""

import hashlib
import json
import math
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ConfigError, OutputError, translated
from ..version import __version__
from .job import VERSION, Job
from .rows import OURS, carried_name, schema
from .sources import Item, carried_columns, find
from .storage import Folder, is_url

PLAN = "plan.parquet"
KEY = b"audio_emotion"  # of our facts among the metadata of a Parquet file
SCHEMA = "audio-emotion-batch-plan"
SHARD_BYTES = 256 << 20  # of recordings, about, in a shard
SHARD_FILES = 500  # at most, about
LEAST_SHARDS = 16  # so that a small batch keeps several processes busy
FILE_COST = 64 << 10  # bytes that cost as much time as opening a file
ROWS = 1 << 16  # listed or read at a time
FIELDS = {
    "shard": pa.int32(),
    "item": pa.int64(),  # number of the recording in the plan
    "uri": pa.string(),
    "size": pa.int64(),
    "version": pa.string(),
    "offset": pa.int64(),
}


@dataclass(frozen=True)
class Plan:
    """What a batch consists of."""

    task: str
    fingerprint: str  # of the job
    labels: tuple[str, ...]  # of the model
    sources: tuple[str, ...]
    shards: int
    files: int
    bytes: int  # of the files whose size is known
    carried: tuple[str, ...]  # columns of lists, as results name them
    package_version: str = __version__

    def items(self, folder: Folder, shard: int) -> list[dict[str, Any]]:
        """Return the rows of the plan of one shard."""
        with translated(OutputError, PLAN), folder.open(PLAN) as file:
            table = pq.read_table(file, filters=[("shard", "=", shard)])
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows

    def schema(self, folder: Folder) -> pa.Schema:
        """Return the schema of the rows of results."""
        with translated(OutputError, PLAN), folder.open(PLAN) as file:
            found = pq.read_schema(file)
        return schema(self.task, self.labels, {n: found.field(n).type for n in self.carried})


def read_plan(folder: Folder) -> Plan | None:
    """Return the plan of a folder of results; None if there is none.

    Raises:
        OutputError: it is damaged, or of another version of this package.
    """
    if not folder.exists(PLAN):
        return None
    with translated(OutputError, f"{folder.name}/{PLAN}"), folder.open(PLAN) as file:
        facts = json.loads((pq.read_schema(file).metadata or {}).get(KEY, b"{}"))
    if facts.pop("schema", None) != SCHEMA or facts.pop("version", None) != VERSION:
        raise OutputError(f"{folder.name}/{PLAN} is no {SCHEMA} of version {VERSION}")
    lists = {name: tuple(facts[name]) for name in ("labels", "sources", "carried")}
    return Plan(**facts | lists)


def make_plan(job: Job, labels: Sequence[str], sources: Sequence[str], folder: Folder) -> Plan:
    """List the recordings of all sources and write the plan; of duplicates the first counts.

    Raises:
        AudioError: as `sources.find`.
        OutputError: the plan cannot be written.
    """
    kinds = {carried_name(name): kind for name, kind in carried_columns(sources).items()}
    with tempfile.TemporaryDirectory() as temporary:
        listed = Path(temporary, "listed.parquet")
        sizes, keep = _list(find(sources, job.speaker_column), kinds, listed)
        shards = cut(np.asarray(sizes)[keep])
        facts = (job.task, job.fingerprint(), tuple(labels), absolute(sources))
        total = int(np.asarray(sizes)[keep].clip(0).sum())
        plan = Plan(*facts, int(shards[-1]) + 1, len(shards), total, tuple(kinds))
        folder.write(PLAN, lambda path: _write(path, plan, listed, keep, shards), once=True)
    return read_plan(folder) or plan


def check_plan(plan: Plan, job: Job, sources: Sequence[str], folder: Folder) -> None:
    """Refuse to go on with the plan of another batch.

    Raises:
        OutputError: model, settings, version or sources are others.
    """
    if plan.fingerprint != job.fingerprint():
        raise OutputError(
            f"{folder.name} holds results of another model, task, setting or version "
            f"({plan.fingerprint}, {plan.task}, {plan.package_version}); name another folder"
        )
    if sources and plan.sources != absolute(sources):
        raise OutputError(
            f"{folder.name} holds results of {' '.join(plan.sources)}; the plan is frozen, so name "
            "another folder for other sources"
        )


def absolute(sources: Sequence[str]) -> tuple[str, ...]:
    """Return sources that mean the same in every working directory."""
    return tuple(s if is_url(s) else str(Path(s).absolute()) for s in sources)


def cut(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Return the shard of each recording, ascending, so that shards have about equal bytes.

    Args:
        sizes: bytes of each recording, at least one; negative where they are unknown.

    >>> cut(np.array([10, 10, 10, 10]) << 28).tolist()
    [0, 1, 2, 3]
    """
    known = sizes[sizes >= 0]
    typical = int(known.mean()) if len(known) else SHARD_BYTES // SHARD_FILES
    weights = np.where(sizes >= 0, sizes, typical) + FILE_COST
    total = int(weights.sum())
    by_size = max(math.ceil(total / SHARD_BYTES), math.ceil(len(sizes) / SHARD_FILES))
    count = max(by_size, min(len(sizes), LEAST_SHARDS))
    middles = weights.cumsum() - weights / 2
    shards = (middles * (count / total)).astype(np.int64)
    return np.unique(shards, return_inverse=True)[1].astype(np.int32)  # without gaps


def share(shards: Iterable[int], text: str) -> list[int]:
    """Return every N-th shard, beginning with the K-th, for `text` K/N.

    Raises:
        ConfigError: it is not K/N with K from 1 to N.

    >>> share(range(5), "2/2")
    [1, 3]
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ConfigError(f"--shard {text} is not K/N with K from 1 to N, such as 3/8")
    return [shard for shard in shards if shard % int(count) == int(number) - 1]


def _list(
    items: Iterator[Item], kinds: Mapping[str, pa.DataType], path: Path
) -> tuple["array[int]", npt.NDArray[np.intp]]:
    """Write the recordings as they come; return their sizes, and which are not duplicates."""
    sizes, hashes = array("q"), array("Q")
    fields = {name: FIELDS[name] for name in ("uri", "size", "version", "offset")}
    layout = pa.schema([*(fields | dict(kinds)).items()])
    with pq.ParquetWriter(path, layout, compression="zstd") as writer:
        while batch := list(islice(items, ROWS)):
            sizes.extend(-1 if item.size is None else item.size for item in batch)
            hashes.extend(map(_hash, batch))
            writer.write_batch(_columns(batch, layout))
    return sizes, np.sort(np.unique(np.asarray(hashes), return_index=True)[1])


def _hash(item: Item) -> int:
    """Of ten million names two share one with a probability of 3 in a million."""
    return int.from_bytes(hashlib.blake2b(item.uri.encode(), digest_size=8).digest(), "big")


def _columns(batch: Sequence[Item], layout: pa.Schema) -> pa.RecordBatch:
    rows = [{carried_name(k): v for k, v in item.carried.items()} for item in batch]
    columns: list[list[Any]] = []
    for field in layout:
        if field.name in OURS | FIELDS.keys():
            columns.append([getattr(item, field.name) for item in batch])
        else:
            values = (row.get(field.name) for row in rows)
            text = field.type == pa.string()
            columns.append([str(v) if text and v is not None else v for v in values])
    arrays = [pa.array(c, f.type) for c, f in zip(columns, layout, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=layout)


def _write(
    path: Path,
    plan: Plan,
    listed: Path,
    keep: npt.NDArray[np.intp],
    shards: npt.NDArray[np.int32],
) -> None:
    """Write the recordings that are kept, with their shards."""
    begin = done = 0
    facts = json.dumps({"schema": SCHEMA, "version": VERSION, **asdict(plan)})
    with pq.ParquetFile(listed) as source:
        names = source.schema_arrow
        layout = pa.schema([*list(FIELDS.items())[:2], *names], {KEY: facts})
        with pq.ParquetWriter(path, layout, compression="zstd") as writer:
            for batch in source.iter_batches(ROWS):
                end = int(np.searchsorted(keep, begin + len(batch)))
                kept = batch.take(pa.array(keep[done:end] - begin))
                numbers = pa.array(np.arange(done, end), pa.int64())
                columns = [pa.array(shards[done:end]), numbers, *kept.columns]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=layout))
                begin, done = begin + len(batch), end
