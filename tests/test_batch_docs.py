"""docs/batch.md: its programs run, and its tables are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from audio_emotion import Classifier
from audio_emotion.batch.parts import Parts
from audio_emotion.batch.rows import schema
from audio_emotion.batch.run import Tally
from audio_emotion.batch.work.shard import run_shard
from batching import HereWorker, batch, recordings

PAGE = (Path(__file__).parents[1] / "docs" / "batch.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with results."""
    folder = tmp_path_factory.mktemp("docs")
    found = batch(folder / "results", recordings(folder / "in", 5, "bad.flac"))
    plan = found.plan()
    worker: object = HereWorker(found.job, Classifier(threads=1))
    for task in Parts(found.folder, plan).open_shards():
        run_shard(found.job, plan, found.folder, task, worker, Tally().report)  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize("program", PROGRAMS, ids=["pandas", "duckdb", "polars"])
def test_results_are_read_by_others(folder: Path, program: str) -> None:
    pytest.importorskip(program.split()[1])
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, check=True, capture_output=True, text=True
    )
    assert "happy" in found.stdout or "angry" in found.stdout


@pytest.mark.parametrize("task", ["emotions", "timeline"])
def test_every_column_is_described(task: str) -> None:
    described = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*)\|", PAGE, re.M))))
    assert set(schema(task, ["neutral", "calm"], {}).names) <= described
