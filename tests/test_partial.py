"""An output of many recordings, whatever happens on the way."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audio_emotion import Prediction
from audio_emotion.errors import OutputError
from audio_emotion.formats.partial import PartialOutput
from audio_emotion.formats.predictions import FORMATS
from audio_emotion.inference.result import FileResult
from audio_emotion.notices import Code, Notice

LABELS = ("calm", "happy")
PROGRAM = """
import os, resource, signal, sys
from audio_emotion.cli import app, predict
from audio_emotion.formats.partial import PartialOutput
plain, calls = predict.predict_file, []

def predict_file(*arguments, **options):
    calls.append(1)
    if len(calls) == {call}:
        {action}
    return plain(*arguments, **options)

predict.predict_file = predict_file
predict.processors = lambda: 1  # so that calls come one after the other
app.main()
"""


def run(out: Path, folder: Path, call: int = 0, action: str = "pass") -> Any:
    """Predict a folder, and do something at one of the calls."""
    code = PROGRAM.format(call=call, action=action)
    command = [sys.executable, "-c", code, "predict", str(folder), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def folder(wav: Path, tmp_path: Path) -> Path:
    """Six recordings, one of which cannot be read."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(5):
        shutil.copy(wav, folder / f"{number}.wav")
    (folder / "5.wav").write_bytes(b"nothing")
    return folder


def results(count: int) -> list[FileResult]:
    notice = Notice(Code.SHORT_SPEECH, "a guess from 0.30 s of speech")
    prediction = Prediction({"calm": 1 / 3, "happy": 2 / 3}, 1.7, 0.6, 0.3, (notice,))
    silent = Prediction(None, 2.0, 0.6, warnings=(Notice(Code.NO_SPEECH, "nobody speaks"),))
    kinds = [{"prediction": prediction}, {"error": "is no audio"}, {"prediction": silent}]
    return [FileResult(f"odd\udcff\n{n}.wav", **kinds[n % 3]) for n in range(count)]  # type: ignore[arg-type]


def opened(out: Path, command: str = "this") -> PartialOutput:
    return PartialOutput(out, command, 0.6)


def text_of(format_: str, count: int) -> str:
    writer, _ = FORMATS[format_]
    return "".join(writer(results(count), LABELS, False))


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_written_is_what_was_added(tmp_path: Path, format_: str) -> None:
    out, everything = tmp_path / "out", results(4)
    with opened(out) as part:
        for result in everything:
            part.add(result)
        assert list(part.results()) == everything
        assert part.write(FORMATS[format_][0], LABELS) == 4
    assert out.read_bytes().decode("utf-8", "surrogateescape").encode(
        "utf-8", "surrogateescape"
    ) == text_of(format_, 4).encode("utf-8", "backslashreplace")
    assert list(tmp_path.iterdir()) == [out]


def test_only_finished_lines_count(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with opened(out) as part:
        for result in results(2):
            part.add(result)
    path = tmp_path / "out.csv.part"
    for rest in (b'{"file": "half', b'{"file": 1}\n{}\n', b"\0" * 99):
        path.write_bytes(path.read_bytes() + rest)
        with opened(out) as part:
            assert list(part.results()) == results(2)
            assert part.missing([r.file for r in results(3)], str) == [results(3)[2].file]
    path.write_bytes(path.read_bytes()[:10])  # of its first line
    with opened(out) as part:
        assert not list(part.results())
    assert not path.exists()


def test_a_file_given_twice_is_predicted_twice(tmp_path: Path) -> None:
    with opened(tmp_path / "out.csv") as part:
        part.add(results(1)[0])
        name = results(1)[0].file
        assert part.missing([name, name], str) == [name]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with opened(out) as part:
        with pytest.raises(OutputError, match="being written by another process"):
            opened(out)
        part.write(FORMATS["csv"][0], LABELS)
    with pytest.raises(OutputError, match="exists already"):
        opened(out)
    assert list(tmp_path.iterdir()) == [out]


def test_another_command_does_not_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with opened(out) as part:
        part.add(results(1)[0])
    with pytest.raises(OutputError, match="begun by another command"):
        opened(out, "other")
    (tmp_path / "mine.csv.part").write_text("my own file")
    with pytest.raises(OutputError, match="begun by another command"):
        opened(tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv.part").read_text() == "my own file"


def test_the_same_command_goes_on_after_a_kill(folder: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "out.csv", tmp_path / "whole.csv"
    killed = run(out, folder, 4, "os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    again = run(out, folder, 4, "sys.exit('a fourth call')")
    assert again.returncode == 1  # because of the recording that cannot be read
    assert "3 of 6 recordings are done; going on" in again.stderr
    run(whole, folder)
    assert out.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "txt"])
def test_a_full_disk_keeps_what_fits(folder: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1400, 1400))"
    done = run(out, folder, 1, limit)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "are missing" in done.stderr
    text = out.read_text()
    rows = {
        "csv": lambda: list(csv.DictReader(io.StringIO(text))),
        "json": lambda: json.loads(text),
        "jsonl": lambda: [json.loads(line) for line in text.splitlines()],
        "txt": lambda: text.splitlines()[1:],
    }[suffix]()
    assert 0 < len(rows) < 6
    assert f"{len(rows)} of 6 recordings are in {out}" in done.stderr
    assert sorted(tmp_path.iterdir()) == sorted([out, folder, folder.parent / "voice.wav"])


def test_an_error_of_any_kind_keeps_what_is_done(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    done = run(out, folder, 3, "raise ZeroDivisionError")
    assert "2 of 6 recordings are in" in done.stderr
    assert len(out.read_text().splitlines()) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_device_is_said_in_words(wav: Path) -> None:
    command = [sys.executable, "-m", "audio_emotion", "predict", str(wav), "--csv"]
    done = subprocess.run([*command, "--out", "/dev/full"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("No space left on device")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "audio-emotion: the output cannot be read or written: No space left on device"
    ]


def test_a_kill_right_after_the_output_appeared_is_no_loss(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    killed = run(out, folder, 1, "PartialOutput.close = lambda self: os.kill(os.getpid(), 9)")
    assert killed.returncode == -signal.SIGKILL
    text = out.read_text()
    assert (tmp_path / "out.csv.part").exists()
    again = run(out, folder, 1, "sys.exit('a call')")
    assert again.returncode == 1  # because of the recording that cannot be read
    assert f"{out} is complete" in again.stderr
    assert out.read_text() == text
    assert not (tmp_path / "out.csv.part").exists()
    assert run(out, folder).returncode == 2  # it exists already


def test_an_output_of_somebody_else_keeps_both(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with opened(out) as part:
        part.add(results(1)[0])
    out.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        opened(out)
    assert out.read_text() == "mine"
    assert (tmp_path / "out.csv.part").exists()
