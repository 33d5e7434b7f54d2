"""Services for tests: real sockets on this machine, each with a port and a folder of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from audio_emotion import read_audio
from audio_emotion.server.run import Server, server
from audio_emotion.server.settings import Limits, ServerSettings
from audio_emotion.server.state import State
from audio_emotion.server.work.tasks import Answer, Task

PATIENCE = 120.0  # s after which something has gone wrong, however busy the machine
TOKEN = "a-token-for-tests-only"
SAMPLES = Path(__file__).parents[1] / "samples"  # `conftest` is another module in each folder


@dataclass
class Service:
    """A service that runs in a thread."""

    server: Server
    host: str
    port: int

    @property
    def state(self) -> State:
        """Return what its routes share."""
        return self.server.state

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://{self.host}:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        """Return a client of this service."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, **options)


@contextmanager
def serving(folder: Path, limits: Limits | None = None, **options: Any) -> Iterator[Service]:
    """Run a service with one worker, or as many as the options say."""
    settings = ServerSettings(
        **{"port": 0, "workers": 1, "folder": folder, "limits": limits or Limits()} | options
    )
    running = server(settings)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        wait_for(lambda: running.started or not thread.is_alive())
        assert running.started, "the service does not start"
        port = running.servers[0].sockets[0].getsockname()[1]
        yield Service(running, settings.host, port)
    finally:
        running.should_exit = True
        thread.join(PATIENCE)


def wait_for(condition: Any) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.01)


class Held:
    """Work of one kind, a method of `Task`, that lasts until it is told to end or cancelled."""

    def __init__(self, patch: pytest.MonkeyPatch, kind: str) -> None:
        self.begun, self.end, self.cancelled = 0, threading.Event(), 0
        plain = getattr(Task, kind)

        def held(task: Task, worker: Any) -> Answer:
            self.begun += 1
            wait_for(lambda: self.end.is_set() or task.recording.cancelled.is_set())
            self.cancelled += task.recording.cancelled.is_set()
            answer: Answer = plain(task, worker)
            return answer

        patch.setattr(Task, kind, held)


def normal_voice(path: Path) -> Path:
    """Write enough speech for an enrolment."""
    found = [read_audio(SAMPLES / name) for name in ("fast_high.flac", "slow_low.flac")]
    signal = np.concatenate([signal for signal, _ in found])
    soundfile.write(path, signal, found[0][1], subtype="FLOAT")
    return path
