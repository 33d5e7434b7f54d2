"""What a batch will take, from a sample of its recordings."""

import time
from dataclasses import dataclass

import pyarrow.parquet as pq

from .job import Job
from .plan import PLAN, Plan
from .storage import Folder
from .work.shard import answers
from .work.workers import Worker

SAMPLE = 24  # recordings
ROW_BYTES = {"emotions": 120, "timeline": 400}  # of the rows of a recording in Parquet, about


@dataclass(frozen=True)
class Estimate:
    """What is expected of all recordings; NaN where no recording of the sample could be read."""

    audio: float  # s
    time: float  # s of work
    disk: int  # bytes of results


def estimate(job: Job, plan: Plan, folder: Folder, jobs: int) -> Estimate:
    """Predict a sample that is spread over the plan, in a worker, and extrapolate.

    Args:
        job: what is predicted.
        plan: in `folder`.
        folder: of results, or where the plan was made for now.
        jobs: processes that will work.
    """
    items = _sample(plan, folder)
    worker = Worker(job)
    try:
        worker.start()
        began = time.monotonic()
        found = [answer["rows"][0] for _, answer in answers(job, worker, items) if "rows" in answer]
        spent = time.monotonic() - began
    finally:
        worker.close()
    seconds = [row["duration"] for row in found if row.get("duration")]
    audio = plan.files * sum(seconds) / len(seconds) if seconds else float("nan")
    work = plan.files * spent / len(items) / jobs
    return Estimate(audio, work, plan.files * ROW_BYTES[job.task])


def _sample(plan: Plan, folder: Folder) -> list[dict[str, object]]:
    """Return rows of the plan from one group of its rows after the other."""
    with folder.open(PLAN) as file:
        source = pq.ParquetFile(file)
        groups = min(source.num_row_groups, SAMPLE)
        each = -(-min(SAMPLE, plan.files) // groups)
        found = []
        for number in range(groups):
            group = source.read_row_group(number * source.num_row_groups // groups)
            step = max(1, len(group) // each)
            found += group.take(list(range(0, len(group), step))).to_pylist()[:each]
    return found
