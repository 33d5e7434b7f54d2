"""Worker processes, as their owner sees them."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from ...errors import AudioEmotionError
from ..job import Job

START_DUR = 120.0  # s in which a process must be there, on a busy machine
STARTS = 3  # times that a process may die before it is there
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class WorkerDiedError(Exception):
    """A worker ended, or was killed because it took too long.

    Args:
        late: whether it took too long.
    """

    def __init__(self, late: bool) -> None:
        super().__init__("took too long" if late else "died")
        self.late = late


class Worker:
    """A process that predicts recordings; started when it is needed, also after a death.

    Args:
        job: what it predicts.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Number of the process, while there is one."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process, unless it runs.

        Raises:
            AudioEmotionError: it does not start; the message says why.
        """
        if self._process:
            return
        why = "it dies"
        for _ in range(STARTS):
            self._spawn()
            try:
                answer = self.receive(START_DUR)
            except WorkerDiedError as error:
                why = str(error)
                continue
            if "failed" not in answer:
                return
            self.close()
            raise AudioEmotionError(answer["failed"])
        raise AudioEmotionError(f"a worker process does not start ({why})")

    def send(self, item: dict[str, Any]) -> None:
        """Hand over a recording; what happens to it, `receive` says."""
        assert self._channel
        with suppress(OSError):  # it is dead, as `receive` will say
            self._channel.send_bytes(json.dumps(item, default=str).encode())

    def receive(self, patience: float) -> dict[str, Any]:
        """Return the next answer.

        Args:
            patience: s to wait for it.

        Raises:
            WorkerDiedError: the process has ended, or did not answer in time and was killed.
        """
        assert self._channel
        late = False
        try:
            if self._channel.poll(patience):
                return json.loads(self._channel.recv_bytes())  # type: ignore[no-any-return]
            late = True
        except (EOFError, OSError):
            pass
        self.close()
        raise WorkerDiedError(late)

    def kill(self) -> None:
        """Kill the process, from another thread; the owner's thread finds it dead."""
        if process := self._process:
            process.kill()

    def close(self) -> None:
        """Kill the process and forget it."""
        process, channel = self._process, self._channel
        self._process = self._channel = None
        if process:
            process.kill()
            process.wait()
        if channel:
            channel.close()

    def _spawn(self) -> None:
        self._channel, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{__package__}.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | ONE_THREAD,
                start_new_session=True,  # so that Ctrl-C is for the owner
            )
        with suppress(OSError):
            self._channel.send_bytes(self.job.to_json().encode())
