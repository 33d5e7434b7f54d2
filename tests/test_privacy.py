"""A prediction tells nobody, and leaves nothing behind."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CALLS = (
    "socket,connect,sendto,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat"
)
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|^(?:creat|mkdir|rename|link)")
CALL = re.compile(r"(?:\[pid +\d+\] |\d+ +)?(\w+\(.*)")


def environment(tmp_path: Path) -> dict[str, str]:
    """One in which ONNX Runtime may do as it likes, with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    env = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    env.pop("ORT_DISABLE_TELEMETRY", None)
    return {**env, "PYTHONDONTWRITEBYTECODE": "1"}


def test_a_prediction_leaves_nothing_on_disk(wav: Path, tmp_path: Path) -> None:
    """ONNX Runtime keeps a device id and a queue of reports where its telemetry is on."""
    env = environment(tmp_path)
    command = [sys.executable, "-m", "audio_emotion", "predict", str(wav)]
    subprocess.run(command, check=True, env=env, capture_output=True)
    assert not [path for path in Path(env["HOME"]).rglob("*") if path.is_file()]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_prediction_opens_no_socket_and_writes_what_was_asked_for(
    wav: Path, tmp_path: Path
) -> None:
    log, out = tmp_path / "log", tmp_path / "out.csv"
    command = [sys.executable, "-m", "audio_emotion", "predict", str(wav), "--out", str(out)]
    traced = ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-o", str(log), *command]
    done = subprocess.run(traced, env=environment(tmp_path), capture_output=True, text=True)
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    calls = [match[1] for match in map(CALL.match, log.read_text().splitlines()) if match]
    assert any(str(wav) in call for call in calls)
    assert not [call for call in calls if call.startswith(("socket", "connect", "sendto"))]
    allowed = (str(tmp_path / "out.csv"), str(tmp_path / ".out."), "/dev/null")
    written = [call for call in calls if WRITES.search(call) and " = -1 " not in call]
    assert any(str(out) in call for call in written)
    assert not [call for call in written if not any(f'"{path}' in call for path in allowed)]
