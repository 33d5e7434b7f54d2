"""Shards in processes of this machine."""

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from ..job import Job
from ..plan import Plan
from ..storage import Folder
from .shard import Part, Report, ShardTask, run_shard
from .workers import Worker


def run_here(
    job: Job, plan: Plan, folder: Folder, tasks: Sequence[ShardTask], jobs: int, report: Report
) -> Iterator[Part | None]:
    """Work off shards with several workers, and yield each part when its file is there.

    Each worker has a thread that owns it.  Whatever ends the work kills the workers.

    Raises:
        AudioEmotionError: a worker does not start, or a part file cannot be written.
    """
    stopped = threading.Event()
    workers = [Worker(job) for _ in range(min(jobs, len(tasks)))]
    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def work(task: ShardTask) -> Part | None:
        worker = idle.get()  # there are as many as threads
        try:
            return run_shard(job, plan, folder, task, worker, report, stopped)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(max(1, len(workers))) as threads:
        futures = [threads.submit(work, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            stopped.set()
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()
    for worker in workers:
        worker.close()
