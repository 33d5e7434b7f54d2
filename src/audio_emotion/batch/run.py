"""A batch from its sources to its last row; the same call goes on after whatever ended it."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..errors import ConfigError, OutputError
from ..inference.classifier import Classifier
from .job import Job
from .parts import Parts
from .plan import Plan, check_plan, make_plan, read_plan, share
from .rows import carried_name
from .sources import carried_columns
from .storage import Folder
from .work.here import run_here
from .work.shard import Part, ShardTask


@dataclass
class Tally:
    """What was done so far, counted from several threads."""

    files: int = 0  # with rows
    seconds: float = 0.0  # of audio
    errors: Counter[str] = field(default_factory=Counter)  # files by code
    left: int = 0  # files that could not be reached
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def report(self, seconds: float, error: str | None, left: bool) -> None:
        """Count a recording."""
        with self._lock:
            self.files += not left
            self.left += left
            self.seconds += seconds
            if error:
                self.errors[error] += 1


@dataclass(frozen=True)
class Batch:
    """A job on the recordings of sources, with its results in a folder."""

    job: Job
    sources: tuple[str, ...]
    folder: Folder
    jobs: int = 1  # processes
    cluster: str | None = None  # address of a Ray cluster that works instead
    share: str | None = None  # K/N: every N-th shard from the K-th on

    def plan(self) -> Plan:
        """Return the plan in the folder, or make it.

        Raises:
            OutputError: the folder holds another batch, or there are neither plan nor sources.
            ConfigError: no list has the column that should name speakers.
        """
        plan = read_plan(self.folder)
        if plan is None and not self.sources:
            raise OutputError(f"{self.folder.name} holds no batch; name its sources")
        if plan is None:
            labels = Classifier(self.job.model_path).labels
            column = self.job.speaker_column
            if column and column not in map(carried_name, carried_columns(self.sources)):
                raise ConfigError(f"no list among the sources has the column {column}")
            plan = make_plan(self.job, labels, self.sources, self.folder)
        check_plan(plan, self.job, self.sources, self.folder)
        return plan

    def planned(self) -> Plan:
        """Return the plan that is there, whatever its job.

        Raises:
            OutputError: there is none.
        """
        plan = read_plan(self.folder)
        if plan is None:
            raise OutputError(f"{self.folder.name} holds no batch")
        return plan

    def run(self, parts: Parts, tally: Tally) -> None:
        """Work off what is open, then once more what could not be reached.

        Writes `_SUCCESS` if every recording has its rows then, whoever wrote them.

        Raises:
            AudioEmotionError: a worker does not start, or nothing can be written.
        """
        for todo in (parts.open_shards, parts.leftovers):
            tasks = self._mine(todo())
            tally.left = 0
            for part in self._parts(parts.plan, tasks, tally):
                if part:
                    parts.add(part)
        everybody = Parts(self.folder, parts.plan)
        if everybody.complete:
            everybody.finish()

    def complete(self, parts: Parts) -> bool:
        """Return whether every recording of this batch, or of its share, has its rows."""
        return not self._mine([*parts.open_shards(), *parts.leftovers()])

    def _mine(self, tasks: Sequence[ShardTask]) -> list[ShardTask]:
        if self.share is None:
            return list(tasks)
        mine = set(share((task.shard for task in tasks), self.share))
        return [task for task in tasks if task.shard in mine]

    def _parts(self, plan: Plan, tasks: list[ShardTask], tally: Tally) -> Iterator[Part | None]:
        if not tasks:
            return iter(())
        arguments = (self.job, plan, self.folder, tasks)
        if self.cluster is None:
            return run_here(*arguments, self.jobs, tally.report)
        from .work.cluster import run_on_cluster

        return run_on_cluster(*arguments, self.cluster, tally.report)
