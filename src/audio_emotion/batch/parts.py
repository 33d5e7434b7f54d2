"""The part files of a folder: what is done, what is left, and whether all of it is right.

A shard has a part file of generation 0.  Recordings that could not be reached are named in its
metadata, and get rows in a part file of the next generation.  A shard is done when its latest
generation leaves nothing.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import OutputError, translated
from ..files import write_text
from .job import VERSION
from .plan import KEY, Plan
from .storage import Folder
from .work.shard import SCHEMA, Part, ShardTask, summarise, write_part

SUCCESS = "_SUCCESS"
READERS = 8  # part files looked at together, which may be far away
CHUNK = 1 << 20  # bytes hashed at a time


class Parts:
    """The part files of a plan.

    Args:
        folder: of results.
        plan: in it.

    Raises:
        OutputError: a part file is damaged, which the message says how to mend, or belongs to
            another plan.
    """

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        names = [n for n in folder.names() if n.startswith("part-") and n.endswith(".parquet")]
        for name in names:
            if not name.endswith(f"-{plan.fingerprint}.parquet"):
                raise OutputError(f"{folder.name}/{name} belongs to another batch; remove it")
        with ThreadPoolExecutor(READERS) as threads:
            self._parts = {(p.shard, p.generation): p for p in threads.map(self._read, names)}

    def __iter__(self) -> Iterator[Part]:
        """Yield the parts, in order of the plan."""
        return iter([self._parts[key] for key in sorted(self._parts)])

    def add(self, part: Part) -> None:
        """Take note of a part file that was written."""
        self._parts[part.shard, part.generation] = part

    def name(self, part: Part) -> str:
        """Return the name of a part file."""
        return ShardTask(part.shard, part.generation).name(self.plan.fingerprint)

    def names(self) -> list[str]:
        """Return the names of the part files, in order of the plan."""
        return [self.name(part) for part in self]

    def open_shards(self) -> list[ShardTask]:
        """Return the shards without a part file."""
        return [ShardTask(n) for n in range(self.plan.shards) if (n, 0) not in self._parts]

    def leftovers(self) -> list[ShardTask]:
        """Return what the latest generation of each shard left."""
        latest = {part.shard: part for part in self}
        left = [part for part in latest.values() if part.left]
        return [ShardTask(part.shard, part.generation + 1, part.left) for part in left]

    @property
    def complete(self) -> bool:
        """Whether every recording has its rows."""
        return not self.open_shards() and not self.leftovers()

    @property
    def files(self) -> int:
        """Recordings with rows."""
        return sum(part.files for part in self)

    @property
    def seconds(self) -> float:
        """Seconds of audio of these."""
        return sum(part.seconds for part in self)

    @property
    def left(self) -> int:
        """Recordings that could not be reached."""
        return sum(len(task.only or ()) for task in self.leftovers())

    @property
    def errors(self) -> Counter[str]:
        """Recordings without an answer, by code."""
        found: Counter[str] = Counter()
        for part in self:
            found.update(part.errors)
        return found

    def tables(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of all part files, a batch at a time."""
        for name in self.names():
            with translated(OutputError, name), self.folder.open(name) as file:
                yield from pq.ParquetFile(file).iter_batches(columns=columns)

    def finish(self) -> dict[str, Any]:
        """Check all rows, and write `_SUCCESS` with counts and hashes.

        Raises:
            OutputError: a recording has no rows, or rows in two part files.
        """
        facts = {"schema": SCHEMA, "version": VERSION, "fingerprint": self.plan.fingerprint}
        facts |= {"files": self.files, "seconds": self.seconds, "errors": dict(self.errors)}
        facts |= {"rows": self._check(), "parts": self._hashes()}
        text = json.dumps(facts, indent=2) + "\n"
        self.folder.write(SUCCESS, lambda path: write_text(path, text))
        return facts

    def verify(self) -> dict[str, Any]:
        """Compare the part files with `_SUCCESS` and with the plan.

        Raises:
            OutputError: there is no `_SUCCESS`, or something differs; the message says what.
        """
        if not self.folder.exists(SUCCESS):
            raise OutputError(f"{self.folder.name} has no {SUCCESS}: the batch is not complete")
        with translated(OutputError, SUCCESS), self.folder.open(SUCCESS) as file:
            facts: dict[str, Any] = json.load(file)
        found, stated = self._hashes(), facts["parts"]
        for name in sorted(found.keys() | stated.keys()):
            if found.get(name) != stated.get(name):
                raise OutputError(f"{self.folder.name}/{name} is missing, new or changed")
        if self._check() != facts["rows"]:
            raise OutputError(f"{self.folder.name} has not the {facts['rows']} rows of {SUCCESS}")
        return facts

    def reopen_errors(self) -> int:
        """Leave recordings with an error for another try, and return how many.

        Later generations of a shard go into its first part file.  They are removed before that is
        written, so a kill in between costs work and no row is ever there twice.
        """
        reopened = 0
        for shard in sorted({part.shard for part in self if part.errors}):
            mine = [part for part in self if part.shard == shard]
            rows = [row for part in mine for row in self._rows(part)]
            failed = {row["item"]: row["error_message"] for row in rows if row["error"]}
            self.folder.remove(SUCCESS)
            for part in mine[:0:-1]:
                self.folder.remove(self.name(part))
                del self._parts[shard, part.generation]
            kept = [row for row in rows if not row["error"]]
            left = failed | dict.fromkeys(mine[-1].left, mine[-1].why)
            task = ShardTask(shard)
            part = summarise(task, self.plan, kept, left)
            name, layout = task.name(self.plan.fingerprint), self.plan.schema(self.folder)
            write_part(self.folder, name, part, kept, layout)
            self.add(part)
            reopened += len(failed)
        return reopened

    def _rows(self, part: Part) -> list[dict[str, Any]]:
        with self.folder.open(self.name(part)) as file:
            return pq.ParquetFile(file).read(use_threads=False).to_pylist()  # type: ignore[no-any-return]

    def _read(self, name: str) -> Part:
        whose = f"{self.folder.name}/{name} (remove it, and the same command makes it again)"
        with translated(OutputError, whose), self.folder.open(name) as file:
            facts = json.loads((pq.read_schema(file).metadata or {}).get(KEY, b"{}"))
        if (facts.pop("schema", None), facts.pop("version", None)) != (SCHEMA, VERSION):
            raise OutputError(f"{name} is no {SCHEMA} of version {VERSION}")
        return Part(**facts | {"left": tuple(facts["left"])})

    def _check(self) -> int:
        """Return the number of rows, of which each recording has some, in one part file."""
        layout = self.plan.schema(self.folder)
        seen, rows = np.zeros(self.plan.files, bool), 0
        for name in self.names():
            with translated(OutputError, name), self.folder.open(name) as file:
                table = pq.ParquetFile(file).read(use_threads=False)
            if not table.schema.equals(layout):
                raise OutputError(f"{self.folder.name}/{name} has other columns than the plan")
            items = np.unique(table["item"].to_numpy())
            if seen[items].any():
                raise OutputError(f"{self.folder.name}/{name} repeats rows of another part file")
            seen[items] = True
            rows += len(table)
        if not seen.all():
            raise OutputError(f"{self.folder.name}: {np.sum(~seen)} recordings have no rows")
        return rows

    def _hashes(self) -> dict[str, str]:
        with ThreadPoolExecutor(READERS) as threads:
            names = self.names()
            return dict(zip(names, threads.map(self._hash, names), strict=True))

    def _hash(self, name: str) -> str:
        digest = hashlib.sha256()
        with translated(OutputError, name), self.folder.open(name) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()
