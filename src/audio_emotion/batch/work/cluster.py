"""Shards as tasks of Ray, on the machines of a cluster.

A task gets a shard's number, not its recordings, and writes the part file itself, so the plan stays
the truth.  Ray starts the tasks of a lost machine again elsewhere.
"""

import atexit
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from ...errors import ConfigError
from ..job import Job
from ..plan import Plan
from ..storage import Folder
from .shard import Part, Report, ShardTask, run_shard
from .workers import Worker

LOCAL = "local"  # an address: a cluster of this machine alone, for the length of the batch
WAITING = 1000  # tasks that Ray knows of at a time
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}  # nothing phones home
_workers: dict[Job, Worker] = {}  # one a process of Ray, for all of its tasks


def run_on_cluster(
    job: Job, plan: Plan, folder: Folder, tasks: Sequence[ShardTask], address: str, report: Report
) -> Iterator[Part | None]:
    """Work off shards on a cluster, and yield each part when its file is there.

    Args:
        job: what is predicted.
        plan: in `folder`.
        folder: of results, which every machine reaches by the same name.
        tasks: the shards.
        address: `auto`, `ray://HOST:PORT`, HOST:PORT, or `LOCAL`.
        report: is told of each recording once its shard is done.

    Raises:
        ConfigError: Ray is not installed, or there is no such cluster.
        AudioEmotionError: as `run_shard`.
    """
    os.environ.update(QUIET)
    ray = _ray()
    try:
        ray.init(
            None if address == LOCAL else address,
            ignore_reinit_error=True,
            include_dashboard=False if address == LOCAL else None,
            log_to_driver=False,
        )
    except (ConnectionError, ValueError) as error:
        raise ConfigError(f"there is no cluster at {address}: {error}") from error
    try:
        yield from _run(ray, job, plan, folder, tasks, report)
    finally:
        ray.shutdown()


def _run(
    ray: Any, job: Job, plan: Plan, folder: Folder, tasks: Sequence[ShardTask], report: Report
) -> Iterator[Part | None]:
    remote = ray.remote(num_cpus=1, max_retries=-1)(shard_task)
    coming = iter(tasks)
    flying = [remote.remote(job, plan, folder.name, task) for task in islice(coming, WAITING)]
    while flying:
        done, flying = ray.wait(flying)
        try:
            part, reports = ray.get(done[0])
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        for line in reports:
            report(*line)
        yield part
        flying += [remote.remote(job, plan, folder.name, task) for task in islice(coming, 1)]


def shard_task(
    job: Job, plan: Plan, folder: str, task: ShardTask
) -> tuple[Part | None, list[tuple[float, str | None, bool]]]:
    """Work off one shard where Ray puts it; return its part, and what was to report.

    Raises:
        ConfigError: this machine has another model or version than the one that planned.
    """
    if job.fingerprint() != plan.fingerprint:
        raise ConfigError(
            f"{os.uname().nodename} has another model or version of this package "
            f"({job.fingerprint()}, not {plan.fingerprint})"
        )
    if job not in _workers:
        _workers[job] = Worker(job)
        atexit.register(_workers[job].close)
    reports: list[tuple[float, str | None, bool]] = []
    part = run_shard(
        job, plan, Folder(folder), task, _workers[job], lambda *line: reports.append(line)
    )
    return part, reports


def _ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ConfigError(
            "--cluster needs Ray; install it with pip install 'audio-emotion-classifier[cluster]'"
        ) from error
    return ray
