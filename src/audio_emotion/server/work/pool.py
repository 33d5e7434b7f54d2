"""Threads with a model and a decoder each, behind a bounded queue."""

import asyncio
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...errors import ServiceError
from ...inference.classifier import Classifier
from ...notices import Code
from ..metrics import Metrics
from ..settings import Limits
from .decoder import Decoder

T = TypeVar("T")
ARRIVAL_DUR = 0.25  # s in which a recording that was let in should be there
NICENESS = 10  # of the threads that predict; decoders inherit it
SMOOTHING = 0.1  # share of the latest task in the mean duration of tasks


@dataclass(frozen=True)
class Worker:
    """What one thread works with."""

    classifier: Classifier  # of one thread: more would not make a clip faster
    decoder: Decoder


class Pool:
    """Runs tasks in threads; refuses them at once when too many wait.

    Args:
        model: path of the model file; by default the shipped model.
        size: tasks that run at once.
        waiting: tasks that may wait.
        limits: of the decoders.
        metrics: that get depth, queue, decode and inference times.
        name: of the pool in the metrics.
    """

    def __init__(
        self,
        model: Path | None,
        size: int,
        waiting: int,
        limits: Limits,
        metrics: Metrics,
        name: str = "requests",
    ) -> None:
        self.size = size
        self.metrics = metrics
        self.ready = False
        self._model = model
        self._name = name
        self._limits = limits
        self._most = size + waiting
        self._depth = 0
        self._arriving: dict[object, float] = {}  # until when each counts, the earliest first
        self._mean_dur = 0.1  # s of a task
        self._threads = ThreadPoolExecutor(size, "worker", _yield_to_answers)
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()  # the latest has warm caches
        self._workers: list[Worker] = []

    @property
    def depth(self) -> int:
        """Tasks that wait or run."""
        return self._depth

    @property
    def classifier(self) -> Classifier:
        """The model of one of the workers; it may be shared."""
        return self._workers[0].classifier

    def start(self) -> None:
        """Open the models and start the decoders.

        Raises:
            ModelError: as `Classifier`.
        """
        for _ in range(self.size):
            worker = Worker(Classifier(self._model, threads=1), Decoder(self._limits))
            self._workers.append(worker)
            self._idle.put(worker)
        list(self._threads.map(lambda worker: worker.decoder.start(), self._workers))
        self.ready = True

    def close(self) -> None:
        """Wait for the tasks that run, and end the decoders."""
        self.ready = False
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.decoder.close()

    def expect(self) -> Callable[[], None]:
        """Count a task whose recording is on its way, so that not too many are let in at once.

        It counts for `ARRIVAL_DUR`, so slow clients do not keep others out.

        Returns:
            What is called once the recording is there, or does not come.

        Raises:
            ServiceError: the queue is full.
        """
        self._check_room()
        task = object()
        self._arriving[task] = time.monotonic() + ARRIVAL_DUR

        def arrived() -> None:
            self._arriving.pop(task, None)

        return arrived

    def _check_room(self) -> None:
        """Refuse work that could not even wait."""
        now = time.monotonic()
        while self._arriving and next(iter(self._arriving.values())) < now:
            del self._arriving[next(iter(self._arriving))]
        tasks = self._depth + len(self._arriving)
        if tasks >= self._most:
            retry = max(1, math.ceil(tasks / self.size * self._mean_dur))
            raise ServiceError(
                f"{tasks} recordings wait or run; ask again", Code.OVERLOADED,
                retry_after=retry,
            )  # fmt: skip

    async def run(self, task: Callable[[Worker], T], cancelled: threading.Event) -> T:
        """Run a task in a thread; if the caller is cancelled, so is the task.

        Args:
            task: called with a worker that is its own meanwhile.
            cancelled: set as soon as nobody wants the result; the task looks at it.

        Raises:
            ServiceError: the queue is full.
        """
        self._check_room()
        loop = asyncio.get_running_loop()
        self._change_depth(1)
        future = self._threads.submit(self._work, task, time.monotonic())
        future.add_done_callback(lambda _: _later(loop, self._change_depth, -1))
        try:
            return await asyncio.wrap_future(future)
        finally:
            cancelled.set()

    def _work(self, task: Callable[[Worker], T], asked: float) -> T:
        began = time.monotonic()
        self.metrics.queue_seconds.observe(began - asked)
        worker = self._idle.get()  # there are as many as threads
        worker.decoder.seconds = 0.0
        try:
            return task(worker)
        finally:
            spent, decoded = time.monotonic() - began, worker.decoder.seconds
            self._idle.put(worker)
            self.metrics.decode_seconds.observe(decoded)
            self.metrics.inference_seconds.observe(spent - decoded)
            self._mean_dur += SMOOTHING * (spent - self._mean_dur)

    def _change_depth(self, by: int) -> None:
        self._depth += by
        self.metrics.queue_depth.labels(self._name).set(self._depth)


def _yield_to_answers() -> None:
    """Let the thread that answers everybody go first, where threads have priorities (Linux)."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _later(loop: asyncio.AbstractEventLoop, call: Callable[[int], None], by: int) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call, by)
