"""What the service costs and how it bears load, over loopback; writes benchmarks/serve.md.

    python benchmarks/serve.py                      # ten minutes of overload
    python benchmarks/serve.py --overload 20        # seconds of it

The service is a process of its own with its decoders; its processor time is that of all of them.
The bare classifier runs the same bytes in this process, in turn with the service.  Clients are
connections of this process that send requests made beforehand, so they cost little themselves.
Each answer is compared with the one expected for its recording.
"""

import argparse
import asyncio
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

import numpy as np
import psutil

from audio_emotion import Classifier

SAMPLES = Path(__file__).parents[1] / "samples"
RESULTS = Path(__file__).parent / "serve.md"
ROUNDS = 5  # of the comparison of processor time
REQUESTS = 120  # in each, to either side
AT_ONCE = (1, 4)  # connections that they come from; with one, all processes often wait
CLIENTS = (1, 2, 8, 64)
LOAD_DUR = 10.0  # s for each number of clients
OVERLOAD = 4  # times the throughput that was measured
CONNECTIONS = 64  # that the overload comes from
MIB = 1 << 20


@dataclass
class Tally:
    """What clients saw."""

    seconds: dict[int, list[float]] = field(default_factory=dict)  # by status
    wrong: int = 0  # answers that are not those of their recording, or of another request
    lost: int = 0  # requests without an answer

    def count(self, status: int) -> int:
        """Return how many answers had a status."""
        return len(self.seconds.get(status, ()))

    def milliseconds(self, status: int, percent: float) -> float:
        """Return a percentile of the time of answers with a status; NaN without any."""
        times = self.seconds.get(status)
        return 1000 * float(np.percentile(times, percent)) if times else float("nan")


class Clients:
    """Requests that are ready to send, and the answers that they should get."""

    def __init__(self, port: int) -> None:
        self.port = port
        paths = sorted(p for p in SAMPLES.iterdir() if p.suffix in {".flac", ".ogg"})
        self.recordings = [path.read_bytes() for path in paths]
        bare = Classifier(threads=1)
        self.labels = [bare.file(recording).as_dict() for recording in self.recordings]
        self._sent = 0

    async def ask(self, connection: "Connection", tally: Tally) -> None:
        """Send the next recording over a connection, and judge the answer."""
        number = self._sent
        self._sent += 1
        index, id_ = number % len(self.recordings), f"request-{number}"
        began = time.perf_counter()
        try:
            status, body = await connection.post(self.recordings[index], id_)
        except (OSError, asyncio.IncompleteReadError):
            tally.lost += 1
            connection.close()
            return
        tally.seconds.setdefault(status, []).append(time.perf_counter() - began)
        found = json.loads(body)
        if status == 200:
            expected = self.labels[index]
            same = {key: found[key] for key in expected} == expected
            tally.wrong += not (same and found["id"] == id_)
        else:
            tally.wrong += found.get("request_id") != id_


class Connection:
    """A connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, recording: bytes, id_: str) -> tuple[int, bytes]:
        """Send a recording; return the status and the body of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = (
            f"POST /v1/audio/emotions HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Content-Type: audio/flac\r\nX-Request-ID: {id_}\r\n"
            f"Content-Length: {len(recording)}\r\n\r\n"
        )
        writer.write(head.encode() + recording)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.partition("content-length: ")[2].partition("\r")[0])
        body = await reader.readexactly(length)
        if "connection: close" in answer:
            self.close()
        return int(answer.split()[1]), body

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._streams:
            self._streams[1].close()
            self._streams = None


@contextmanager
def service(folder: Path, *options: str) -> Iterator[tuple[psutil.Process, int]]:
    """Run the service; yield its process and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "audio_emotion", "serve", "--port", str(port)]
    command = [*program, "--folder", str(folder), *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                if alive(port) is not None:
                    break
                time.sleep(0.1)
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()


def alive(port: int) -> float | None:
    """Return the seconds that /healthz takes, or None if it does not answer."""
    began = time.perf_counter()
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            answer.read()
    except OSError:
        return None
    return time.perf_counter() - began


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all that it started."""
    return [process, *process.children(recursive=True)]


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time of a process and its children."""
    times = [member.cpu_times() for member in family(process)]
    return float(sum(t.user + t.system for t in times))


def memory(process: psutil.Process) -> float:
    """Return the resident memory of a process and its children, in MiB."""
    return float(sum(member.memory_info().rss for member in family(process))) / MIB


async def several(clients: Clients, count: int, at_once: int = 1) -> None:
    """Send recordings, each at the answer to the one before on its connection."""
    tally = Tally()

    async def client() -> None:
        connection = Connection(clients.port)
        for _ in range(count // at_once):
            await clients.ask(connection, tally)
        connection.close()

    await asyncio.gather(*(client() for _ in range(at_once)))
    assert tally.count(200) == count, tally
    assert not tally.wrong, tally


def cost(process: psutil.Process, clients: Clients, at_once: int) -> tuple[float, float, float]:
    """Return processor milliseconds a request: of the service, bare, and the median ratio."""
    bare = Classifier(threads=1)
    asyncio.run(several(clients, REQUESTS, at_once))
    pairs = []
    for _ in range(ROUNDS):
        before = cpu_seconds(process)
        asyncio.run(several(clients, REQUESTS, at_once))
        served = cpu_seconds(process) - before
        began = time.process_time()
        for number in range(REQUESTS):
            bare.file(clients.recordings[number % len(clients.recordings)])
        pairs.append((served, time.process_time() - began))
    served, alone = (1000 * median(side) / REQUESTS for side in zip(*pairs, strict=True))
    return served, alone, median(a / b for a, b in pairs)


async def load(clients: Clients, count: int, seconds: float) -> Tally:
    """Let so many clients ask without a pause."""
    tally, until = Tally(), time.monotonic() + seconds

    async def client() -> None:
        connection = Connection(clients.port)
        while time.monotonic() < until:
            await clients.ask(connection, tally)
        connection.close()

    await asyncio.gather(*(client() for _ in range(count)))
    return tally


async def overload(
    clients: Clients, process: psutil.Process, rate: float, seconds: float
) -> tuple[Tally, list[float], list[float | None]]:
    """Ask `rate` times a second, whatever the answers are; watch memory and health meanwhile."""
    tally, memories, health = Tally(), [], []
    until = time.monotonic() + seconds

    async def client(offset: float) -> None:
        connection, due = Connection(clients.port), time.monotonic() + offset
        while due < until:
            await asyncio.sleep(max(0, due - time.monotonic()))
            await clients.ask(connection, tally)
            due += CONNECTIONS / rate
        connection.close()

    async def watch() -> None:
        while time.monotonic() < until:
            memories.append(memory(process))
            health.append(await asyncio.to_thread(alive, clients.port))
            await asyncio.sleep(1)

    offsets = [number / rate for number in range(CONNECTIONS)]
    await asyncio.gather(watch(), *map(client, offsets))
    return tally, memories, health


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--overload", type=float, default=600.0, help="seconds")
    parser.add_argument("--load", type=float, default=LOAD_DUR, help="seconds, each")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    os.environ["AUDIO_EMOTION_TOKEN"] = ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with service(folder / "a", "--waiting", str(max(CLIENTS))) as (process, port):
            clients = Clients(port)
            costs = {n: cost(process, clients, n) for n in AT_ONCE}
            tallies = [asyncio.run(load(clients, n, arguments.load)) for n in CLIENTS]
        rate = OVERLOAD * max(t.count(200) for t in tallies) / arguments.load
        with service(folder / "b", "--waiting", "4") as (process, port):
            clients.port = port
            asyncio.run(several(clients, REQUESTS))
            found = asyncio.run(overload(clients, process, rate, arguments.overload))
    text = report(costs, tallies, arguments, rate, *found)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


def report(
    costs: dict[int, tuple[float, float, float]],
    tallies: list[Tally],
    arguments: argparse.Namespace,
    rate: float,
    tally: Tally,
    memories: list[float],
    health: list[Any],
) -> str:
    """Return the tables as Markdown."""
    lines = [
        "# The service under load",
        "",
        f"`python benchmarks/serve.py --overload {arguments.overload:g}`, {platform.machine()}, "
        f"{os.cpu_count()} cores, clients on the same machine; the clips of `samples/`.",
        "",
        "Processor time a request, in all processes of the service and in a bare one-thread "
        "`Classifier`:",
        "",
        "| connections | service | bare | median ratio |",
        "|--:|--:|--:|--:|",
        *(
            f"| {number} | {served:.1f} ms | {alone:.1f} ms | {ratio:.2f} |"
            for number, (served, alone, ratio) in costs.items()
        ),
        "",
        "| clients | answers a second | p50 | p99 | refused | wrong | lost |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for count, t in zip(CLIENTS, tallies, strict=True):
        lines.append(
            f"| {count} | {t.count(200) / arguments.load:.1f} | {t.milliseconds(200, 50):.0f} ms | "
            f"{t.milliseconds(200, 99):.0f} ms | {t.count(503)} | {t.wrong} | {t.lost} |"
        )
    statuses = Counter({status: len(times) for status, times in tally.seconds.items()})
    answered = [seconds for seconds in health if seconds is not None]
    tenth = max(1, len(memories) // 10)
    lines += [
        "",
        f"Overload: {rate:.0f} requests a second, {OVERLOAD} times the throughput, for "
        f"{arguments.overload:g} s over {CONNECTIONS} connections:",
        "",
        "| | |",
        "|---|--:|",
        *(f"| status {status} | {count} |" for status, count in sorted(statuses.items())),
        f"| median 200 | {tally.milliseconds(200, 50):.0f} ms |",
        f"| median 503 | {tally.milliseconds(503, 50):.0f} ms |",
        f"| wrong or mixed up | {tally.wrong} |",
        f"| lost | {tally.lost} |",
        f"| `healthz` answered | {len(answered)} of {len(health)}, "
        f"at most {1000 * max(answered, default=float('nan')):.0f} ms |",
        f"| memory, first tenth | {median(memories[:tenth]):.0f} MiB |",
        f"| memory, last tenth | {median(memories[-tenth:]):.0f} MiB |",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
