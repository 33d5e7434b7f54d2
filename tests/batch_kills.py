"""Kill whatever works on a batch, again and again: its rows are those of an undisturbed run.

pytest tests/batch_kills.py                  # `make test-batch`, which also has a cluster
KILLS=20 FILES=20000 pytest tests/batch_kills.py
"""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from batching import PROGRAM, ROOT, killing, parts_of, recordings, table

FILES, KILLS = int(os.environ.get("FILES", 90)), int(os.environ.get("KILLS", 5))
BAD = max(2, FILES // 400)
PAUSE = 6.0 if FILES > 1_000 else 2.0  # s before a kill at most; a few files take 4 s
KILLERS = ("killer-1.flac", "killer-2-crash.flac", "killer-3.flac")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, some of them bad, and three that a worker dies of."""
    bad = [f"{number:05}-bad.flac" for number in range(BAD)]
    return recordings(tmp_path_factory.mktemp("in"), FILES, *bad, *KILLERS)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return killing(tmp_path_factory.mktemp("hook"))


@pytest.fixture(scope="module")
def undisturbed(
    source: Path, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Results of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("out")
    subprocess.run([*PROGRAM, source, "--out", out, "--jobs", "2"], env=env, check=True)
    return out


def check(out: Path, undisturbed: Path) -> None:
    """Compare two folders of results, row by row."""
    assert parts_of(out).verify()["files"] == FILES + BAD + len(KILLERS)
    found = table(out)
    assert found["item"].to_pylist() == list(range(len(found)))
    assert found.equals(table(undisturbed))
    assert parts_of(out).errors == {"worker_died": len(KILLERS), "bad_audio": BAD}


def test_killed_at_any_moment_it_ends_with_the_same_rows(
    source: Path, env: dict[str, str], undisturbed: Path, tmp_path: Path
) -> None:
    dice, kills, process = random.Random(0), 0, None
    while True:
        if process is None or process.poll() is not None:
            if process and process.returncode == 0:
                break
            line = [*PROGRAM, source, "--out", tmp_path, "--jobs", "2"]
            process = subprocess.Popen(line, env=env, stderr=subprocess.DEVNULL)
        if kills >= KILLS:
            assert process.wait() == 0
            break
        time.sleep(dice.uniform(0.3, PAUSE))
        workers = psutil.Process(process.pid).children() if process.poll() is None else []
        victim = process.pid if dice.random() < 0.5 or not workers else dice.choice(workers).pid
        if process.poll() is None:
            os.kill(victim, signal.SIGKILL)
            kills += 1
        if victim == process.pid:
            process.wait()
            psutil.wait_procs(workers, timeout=60)  # they end by themselves
            assert not [worker for worker in workers if worker.is_running()]
    assert kills
    check(tmp_path, undisturbed)


def test_a_node_of_a_cluster_is_lost(
    source: Path, env: dict[str, str], undisturbed: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    script = ROOT / "tests" / "batch_cluster.py"
    line = [PROGRAM[0], script, source, tmp_path, str(max(4, FILES // 3))]
    said = subprocess.run(line, env=env, capture_output=True, text=True, timeout=900)
    assert said.returncode == 0, said.stderr[-3000:]
    assert "a node is gone" in said.stdout
    check(tmp_path, undisturbed)
