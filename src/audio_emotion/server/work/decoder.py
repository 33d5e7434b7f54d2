"""A process that decodes recordings of strangers, as its owner sees it."""

import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from ...audio import AudioStream, Signal
from ...errors import AudioError, ServiceError
from ...notices import Code, Notice
from ..settings import Limits

START_DUR = 60.0  # s in which a process must be there, on a busy machine
POLL_DUR = 0.2  # s after which a reader looks whether anybody still wants the answer
BUFFER = 1 << 20  # bytes that may be on their way
MOST_BYTES = 1 << 30  # of one message
ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "HOME")  # no secrets among them
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


class CancelledWork(Exception):  # noqa: N818  as asyncio calls it
    """Nobody wants the answer any more."""


@dataclass(frozen=True)
class Recording:
    """A file to decode, and how much of it."""

    path: Path
    max_dur: float  # s
    max_samples: int  # of one channel
    cpu_dur: float  # s of processor time
    track: int | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


class Decoder:
    """A decoder process, which is started when it is needed and killed when it misbehaves.

    Args:
        limits: of memory and of the time between two blocks.

    Attributes:
        seconds: that were spent waiting for it.
        network: whether it could open a connection, because the system does not take that away.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.seconds = 0.0
        self.network = True
        self._idle = True
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    @contextmanager
    def open(self, recording: Recording) -> Iterator[AudioStream]:
        """Decode a recording; its only channel is the mix.

        Raises:
            AudioError: as `open_audio`, when a block is read.
            ServiceError: it is too long, or decoding takes too much memory or time.
            CancelledWork: nobody wants it any more.
        """
        with self._asking(recording, encode=False):
            facts, samples = self._first(recording)
            notices: list[Notice] = []
            blocks = self._blocks(recording, facts, samples, notices)
            yield AudioStream(blocks, facts["sampling_rate"], 1, facts["stated_dur"], notices)

    def encode(self, recording: Recording) -> tuple[Signal, bytes]:
        """Return the peaks and the Opus of a recording, as `formats.timeline_html.encode` does.

        Raises:
            As `open`.
        """
        with self._asking(recording, encode=True):
            facts, content = self._first(recording)
        peaks, opus = content[: facts["peaks"]], content[facts["peaks"] :]
        return np.frombuffer(peaks, np.float32), opus

    def start(self) -> None:
        """Start the process, unless it runs.

        Raises:
            ServiceError: it does not start.
        """
        if self._process and self._process.poll() is None:
            return
        self.close()
        ours, theirs = Pipe()
        with theirs:
            self._process = _spawned(theirs, self.limits.decode_memory)
        self._connection = ours
        self._poll = select.poll()  # the connection's own way to wait costs more than the message
        self._poll.register(ours, select.POLLIN)
        _time_out(ours, self.limits.stall_dur)
        if not ours.poll(START_DUR):
            self.close()
            raise ServiceError("the decoder does not start", Code.FAILED)
        self.network = self._message()[0]["network"]

    def close(self) -> None:
        """Kill the process."""
        if self._connection:
            self._connection.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = self._connection = None

    @contextmanager
    def _asking(self, recording: Recording, encode: bool) -> Iterator[None]:
        self.start()
        assert self._connection
        request = {
            "path": str(recording.path),
            "track": recording.track,
            "max_dur": recording.max_dur,
            "max_samples": recording.max_samples,
            "cpu_dur": recording.cpu_dur,
            "encode": encode,
        }
        self._idle = False
        try:
            self._connection.send_bytes(json.dumps(request).encode())
            yield
        finally:
            if not self._idle:  # it was left in the middle of an answer
                self.close()

    def _blocks(
        self, recording: Recording, facts: dict[str, Any], samples: bytes, notices: list[Notice]
    ) -> Iterator[Signal]:
        while True:
            if samples:
                yield np.frombuffer(samples, np.float32)[:, None]
            if facts.get("last"):
                break
            facts, samples = self._receive(recording, self.limits.stall_dur)
        notices += [Notice(Code(n["code"]), n["message"]) for n in facts["notices"]]

    def _first(self, recording: Recording) -> tuple[dict[str, Any], bytes]:
        """Return the first message, before which tracks may have been compared, or all encoded."""
        return self._receive(recording, max(self.limits.stall_dur, recording.cpu_dur))

    def _receive(self, recording: Recording, patience: float) -> tuple[dict[str, Any], bytes]:
        """Return the next message; raise it if it is an error."""
        began = time.monotonic()
        try:
            self._wait(recording, began + patience)
            facts, content = self._message()
        finally:
            self.seconds += time.monotonic() - began
        self._idle = facts.get("last", False)
        if "code" not in facts:
            return facts, content
        if facts["code"] == Code.BAD_AUDIO:
            raise AudioError(facts["message"])
        raise ServiceError(facts["message"], Code(facts["code"]))

    def _wait(self, recording: Recording, until: float) -> None:
        while not recording.cancelled.is_set():
            if self._poll.poll(1000 * POLL_DUR):
                return
            if time.monotonic() > until:
                raise ServiceError("decoding takes too much time", Code.DECODE_LIMIT)
        raise CancelledWork

    def _message(self) -> tuple[dict[str, Any], bytes]:
        assert self._connection
        try:
            facts, _, content = self._connection.recv_bytes(MOST_BYTES).partition(b"\n")
        except (EOFError, OSError) as error:
            raise ServiceError(
                "the decoder broke off: the recording takes too much memory or time, or is damaged",
                Code.DECODE_LIMIT,
            ) from error
        return json.loads(facts), content


def _spawned(connection: Connection, memory: int) -> subprocess.Popen[bytes]:
    """Start a sandbox at the other end of a connection."""
    _widen(connection)
    number = connection.fileno()
    return subprocess.Popen(
        [sys.executable, "-P", "-m", f"{__package__}.sandbox", str(number), str(memory)],
        pass_fds=[number],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={k: os.environ[k] for k in ENVIRONMENT if k in os.environ} | ONE_THREAD,
        start_new_session=True,  # so that Ctrl-C is for the service
    )


def _widen(connection: Connection) -> None:
    """Let a block be sent in one go, if the system allows that."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)


def _time_out(connection: Connection, seconds: float) -> None:
    """Let a read fail if the other end stops in the middle of a message."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as same:
        time_ = struct.pack("ll", int(seconds), 0)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, time_)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time_)
