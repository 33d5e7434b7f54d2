"""Batches for tests: recordings by links, workers in this process, and files that kill a worker."""

import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pyarrow as pa

from audio_emotion import Classifier
from audio_emotion.batch.job import Job
from audio_emotion.batch.parts import Parts
from audio_emotion.batch.plan import read_plan
from audio_emotion.batch.run import Batch
from audio_emotion.batch.storage import Folder
from audio_emotion.batch.work.worker import Rest, begin
from audio_emotion.batch.work.workers import WorkerDiedError

ROOT = Path(__file__).parents[1]
SAMPLES = sorted((ROOT / "samples").glob("*.flac"))
PROGRAM = [sys.executable, "-m", "audio_emotion", "batch"]
HOOK = """
import os, signal, sys, time
if "audio_emotion.batch.work.worker" in sys.orig_argv:
    def hook(event, args):
        if event == "open" and "killer" in str(args[0]):
            os.kill(os.getpid(), signal.SIGSEGV if "crash" in str(args[0]) else signal.SIGKILL)
        if event == "open" and "sleeper" in str(args[0]):
            time.sleep(600)
    sys.addaudithook(hook)
"""


def recordings(folder: Path, count: int, *others: str) -> Path:
    """Fill a folder with links to samples, and with damaged files of other names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        os.link(SAMPLES[number % len(SAMPLES)], folder / f"{number:05}.flac")
    for name in others:
        (folder / name).write_bytes(b"fLaC nothing else")
    return folder


def killing(folder: Path) -> dict[str, str]:
    """Return an environment in which a worker dies of opening what is called a killer."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    paths = [str(folder), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def command(*arguments: object, env: dict[str, str] | None = None) -> str:
    """Run the command and return what it says; it must succeed."""
    line = [*PROGRAM, *map(str, arguments)]
    found = subprocess.run(line, env=env, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stderr


def batch(out: object, *sources: object, **options: Any) -> Batch:
    """Return a batch with one process."""
    job = Job(**{k: options.pop(k) for k in list(options) if k in Job.__dataclass_fields__})
    return Batch(job, tuple(map(str, sources)), Folder(str(out)), **options)


def parts_of(out: object) -> Parts:
    """Return the part files of a folder of results."""
    folder = Folder(str(out))
    plan = read_plan(folder)
    assert plan
    return Parts(folder, plan)


def table(out: object) -> pa.Table:
    """Return all rows in a folder of results, in order of the plan."""
    return pa.Table.from_batches(parts_of(out).tables()).sort_by("item")


class HereWorker:
    """A worker in this process, which dies of the recordings whose names hold `deadly`."""

    def __init__(self, job: Job, classifier: Classifier, deadly: str = "deadly") -> None:
        self.job, self.classifier, self.deadly = job, classifier, deadly
        self.handed: list[str] = []
        self.late = False
        self._waiting: deque[tuple[str, Rest]] = deque()

    def start(self) -> None:
        pass

    def send(self, item: dict[str, Any]) -> None:
        self.handed.append(Path(item["uri"]).name)
        self._waiting.append((item["uri"], begin(self.job, self.classifier, item)))

    def receive(self, patience: float) -> dict[str, Any]:
        if any(self.deadly in uri for uri, _ in self._waiting):
            self._waiting.clear()
            raise WorkerDiedError(self.late)
        return self._waiting.popleft()[1]()
