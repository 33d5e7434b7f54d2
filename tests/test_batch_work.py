"""What works on shards: limits of a worker, and the adaptor of Ray with a stand-in for it."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from audio_emotion import Classifier
from audio_emotion.batch.job import Job
from audio_emotion.batch.parts import Parts
from audio_emotion.batch.run import Tally
from audio_emotion.batch.work import cluster
from audio_emotion.batch.work.shard import answers
from audio_emotion.batch.work.workers import Worker
from audio_emotion.errors import AudioEmotionError, ConfigError
from batching import HereWorker, batch, recordings, table

MIB = 1 << 20


def test_a_recording_may_not_take_all_of_the_memory(tmp_path: Path) -> None:
    """An hour takes 115 MB; the recordings before and after it are predicted."""
    source = recordings(tmp_path / "in", 2)
    soundfile.write(source / "00001-long.flac", np.zeros(3600 * 16_000, np.int16), 16_000)
    found = batch(tmp_path / "out", source, memory=48 * MIB)
    plan, worker = found.plan(), Worker(found.job)
    items = [item for n in range(plan.shards) for item in plan.items(found.folder, n)]
    try:
        errors = [a["rows"][0].get("error") for _, a in answers(found.job, worker, items)]
    finally:
        worker.close()
    assert errors == [None, "worker_died", None]


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(AudioEmotionError, match="not a readable ONNX model"):
        Worker(Job(model=str(tmp_path / "model.onnx"))).start()


class TaskError(Exception):
    """What Ray raises for an error of a task."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


class StandIn:
    """Ray without other processes; notes what it is asked."""

    exceptions = SimpleNamespace(RayTaskError=TaskError)

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.most = 0
        self.ended = False

    def init(self, address: str | None, **options: Any) -> None:
        self.settings = {"address": address, **options, "env": dict(os.environ)}

    def shutdown(self) -> None:
        self.ended = True

    def remote(self, **options: Any) -> Any:
        self.options = options
        return lambda task: SimpleNamespace(remote=lambda *arguments: (task, arguments))

    def wait(self, flying: list[Any]) -> tuple[list[Any], list[Any]]:
        self.most = max(self.most, len(flying))
        return flying[-1:], flying[:-1]

    def get(self, future: Any) -> Any:
        task, arguments = future
        try:
            return task(*arguments)
        except Exception as error:
            raise TaskError(error) from error


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setattr(cluster, "_ray", lambda: stand_in)
    monkeypatch.setattr(cluster, "WAITING", 2)
    monkeypatch.setattr(cluster, "_workers", {})
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    return stand_in


def test_a_cluster_works_off_all_shards(
    tmp_path: Path, ray: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "Worker", lambda job: _closing(job))
    found = batch(tmp_path / "out", recordings(tmp_path / "in", 5, "bad.flac"), cluster="auto")
    tally = Tally()
    found.run(Parts(found.folder, found.plan()), tally)
    assert (tmp_path / "out" / "_SUCCESS").exists()
    assert table(tmp_path / "out")["item"].to_pylist() == list(range(6))
    assert (tally.files, tally.errors) == (6, {"bad_audio": 1})
    assert ray.settings["address"] == "auto"
    assert ray.settings["env"]["RAY_USAGE_STATS_ENABLED"] == "0"
    assert ray.options["max_retries"] == -1  # a lost machine costs its running shards only
    assert (ray.most, ray.ended) == (2, True)


def test_a_machine_with_another_model_or_version_is_refused(
    tmp_path: Path, ray: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = batch(tmp_path / "out", recordings(tmp_path / "in", 1), cluster="auto")
    parts = Parts(found.folder, found.plan())
    monkeypatch.setattr("audio_emotion.batch.job.__version__", "0.0")
    with pytest.raises(ConfigError, match="another model or version"):
        found.run(parts, Tally())
    assert ray.ended


def _closing(job: Job) -> Any:
    worker: Any = HereWorker(job, Classifier(threads=1))
    worker.close = lambda: None
    return worker
