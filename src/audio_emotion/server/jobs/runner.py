"""Does jobs one after the other, goes on after a restart, and forgets results after an hour."""

import asyncio
import secrets
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from ...errors import AudioEmotionError, ConfigError, OutputError, ServiceError, translated
from ...files import locked
from ...notices import Code
from ..problems import LOG, describe
from ..settings import Limits
from ..state import State
from ..work.decoder import CancelledWork, Recording
from ..work.pool import Pool
from ..work.tasks import Task
from .store import Job, Store

SWEEP_DUR = 30.0  # s between two looks for results that are too old
PRIVATE = 0o700  # mode of the folder


class Jobs:
    """The jobs of a service; they have a worker of their own, so that short requests do not wait.

    Attributes:
        folder: of the table and the recordings.
        progress: seconds done, and of how many if that is known, by id, of jobs that have run
            since this service began.
    """

    def __init__(self, state: State) -> None:
        self.progress: dict[str, tuple[float, float | None]] = {}
        self._state = state
        self._limits: Limits = state.settings.limits
        self.folder: Path = state.settings.folder / "jobs"
        self._pool = Pool(
            state.settings.model, 1, self._limits.jobs, self._limits, state.metrics, "jobs"
        )
        self._running: tuple[str, threading.Event] | None = None
        self._new = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the table and go on with what is in it.

        Raises:
            ConfigError: another service uses the same folder.
            OutputError: the folder cannot be made or written.
        """
        with translated(OutputError, self.folder):
            self.folder.mkdir(PRIVATE, parents=True, exist_ok=True)
            self.folder.chmod(PRIVATE)
            lock = locked(self.folder / "lock")
            if lock is None:
                raise ConfigError(
                    f"another service uses {self.folder}; name another folder with --folder"
                )
            self._lock = lock
            self.store = Store(self.folder / "jobs.sqlite")
        self._remove_strangers()
        self._spawn(self._work())
        self._spawn(self._sweep())

    async def close(self) -> None:
        """Stop; the job that runs will be begun again after a restart."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await run_in_threadpool(self._pool.close)
        if hasattr(self, "store"):
            self.store.close()
            self._lock.close()

    def check_room(self) -> None:
        """Refuse a job if too many have not ended.

        Raises:
            ServiceError: they have not.
        """
        count = len(self.store.open_jobs())
        if count >= self._limits.jobs:
            raise ServiceError(f"{count} jobs wait; ask again", Code.OVERLOADED, retry_after=60)

    def add(self, audio: Path, request_id: str, options: dict[str, Any]) -> str:
        """Take over a recording as a job, and return its id, which nobody can guess."""
        self.check_room()
        id_ = secrets.token_urlsafe(16)
        audio.replace(self._audio(id_))
        self.store.add(id_, request_id, options)
        self._new.set()
        return id_

    def get(self, id_: str) -> Job:
        """Return a job.

        Raises:
            ServiceError: there is none of this id, or its result was forgotten.
        """
        job = self.store.get(id_)
        if job is None or (job.ended or time.time()) < time.time() - self._limits.result_dur:
            raise ServiceError(
                "there is no such job; results are forgotten after "
                f"{self._limits.result_dur / 60:g} minutes",
                Code.NOT_FOUND,
            )
        return job

    def delete(self, id_: str) -> None:
        """Stop a job if it runs, and forget everything of it.

        Raises:
            ServiceError: there is none of this id.
        """
        self.get(id_)
        if self._running and self._running[0] == id_:
            self._running[1].set()
        self.store.delete(id_)
        self.progress.pop(id_, None)
        self._audio(id_).unlink(missing_ok=True)

    def _audio(self, id_: str) -> Path:
        return self.folder / f"{id_}.audio"

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._background.append(asyncio.create_task(work))

    def _remove_strangers(self) -> None:
        """Remove recordings that no open job needs: the service was killed at a bad moment."""
        needed = {self._audio(job.id) for job in self.store.open_jobs()}
        for path in self.folder.glob("*.audio"):
            if path not in needed:
                path.unlink()

    async def _work(self) -> None:
        while True:
            self._new.clear()
            for job in self.store.open_jobs()[:1]:
                await self._do(job)
                self._new.set()
            await self._new.wait()

    async def _do(self, job: Job) -> None:
        """Do one job, and note its result or why there is none."""
        if job.attempts >= self._limits.job_attempts:
            error = ServiceError("the service ended each time it did this job", Code.DECODE_LIMIT)
            self._fail(job, error)
            return
        self.store.begin(job.id)
        cancelled = threading.Event()
        self._running = job.id, cancelled
        try:
            if not self._pool.ready:  # many services never get a job
                await run_in_threadpool(self._pool.start)
            found = await self._pool.run(self._task(job, cancelled).timeline, cancelled)
        except asyncio.CancelledError:  # the service ends
            self.store.postpone(job.id)
            raise
        except CancelledWork:
            pass  # somebody deleted it
        except Exception as error:
            self._fail(job, error)
        else:
            codes = " ".join(dict.fromkeys(n.code.value for n in found.warnings))
            facts = (found.media_type, codes, found.body)
            await run_in_threadpool(self.store.finish, job.id, *facts)  # many MB, perhaps
            self._audio(job.id).unlink(missing_ok=True)
        finally:
            self._running = None

    def _task(self, job: Job, cancelled: threading.Event) -> Task:
        from ..routes.options import TimelineOptions

        options = TimelineOptions.model_validate(job.options)
        limits = self._limits
        recording = Recording(
            self._audio(job.id),
            limits.job_audio_dur,
            round(limits.job_audio_dur * limits.sample_rate),
            limits.job_decode_cpu_dur,
            options.track,
            cancelled,
        )

        def progress(done: float, total: float | None) -> None:
            if cancelled.is_set():
                raise CancelledWork
            self.progress[job.id] = done, total

        format_ = options.response_format or "json"
        metrics, settings = self._state.metrics, options.settings()
        return Task(job.request_id, recording, format_, metrics, settings, progress)

    def _fail(self, job: Job, error: Exception) -> None:
        if not isinstance(error, AudioEmotionError):
            LOG.error("job of request %s failed", job.request_id, exc_info=error)
        self.store.fail(job.id, describe(error, job.request_id))
        self._audio(job.id).unlink(missing_ok=True)

    async def _sweep(self) -> None:
        while True:
            self.store.delete_ended(time.time() - self._limits.result_dur)
            for id_ in list(self.progress):
                if self.store.get(id_) is None:
                    self.progress.pop(id_, None)
            await asyncio.sleep(min(SWEEP_DUR, self._limits.result_dur))
