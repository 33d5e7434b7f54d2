"""The command as people type it."""

import csv
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from audio_emotion import EMOTIONS, Classifier
from audio_emotion.cli import predict as predict_command
from audio_emotion.cli.app import app, main
from audio_emotion.datasets import Clip
from audio_emotion.inference.model_file import default_model
from audio_emotion.inference.result import FileResult, predict_file

RUNNER = CliRunner()
PROGRAM = [sys.executable, "-c", "from audio_emotion.cli.app import main; main()"]
GROUP: Any = typer.main.get_command(app)


def predict(*arguments: object) -> list[dict[str, Any]]:
    result = RUNNER.invoke(app, ["predict", "--json", *map(str, arguments)])
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


@pytest.fixture
def exit_code(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs the program in this process and returns its exit code."""

    def run(*arguments: object) -> object:
        monkeypatch.setattr(sys, "argv", ["audio-emotion", *map(str, arguments)])
        monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
        with pytest.raises(SystemExit) as raised:
            main()
        return raised.value.code

    return run


# --- help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["predict", "timeline", "explain"])
def test_help_shows_how_a_speaker_is_named(name: str) -> None:
    result = RUNNER.invoke(app, [name, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert f"audio-emotion {name}" in result.output
    assert "--speaker me.json" in result.output


@pytest.mark.parametrize("name", GROUP.commands)
def test_help_ends_with_examples(name: str) -> None:
    result = RUNNER.invoke(app, [name, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0
    assert f"audio-emotion {name}" in result.stdout.rpartition("Examples:")[2]


@pytest.mark.parametrize("name", GROUP.commands)
def test_every_example_can_be_parsed(name: str) -> None:
    examples = GROUP.commands[name].epilog.removeprefix("Examples:").split("\n\n")
    for example in filter(None, map(str.strip, examples)):
        program, command, *arguments = shlex.split(example.rpartition("| ")[2])
        assert (program, command) == ("audio-emotion", name)
        GROUP.commands[name].make_context(name, arguments)


# --- predict ---------------------------------------------------------------------------------


def test_the_table_names_file_label_runner_up_and_duration(wav: Path) -> None:
    result = RUNNER.invoke(app, ["predict", str(wav)])
    assert result.exit_code == 0
    header, row = result.stdout.splitlines()
    assert header.split() == ["file", "label", "confidence", "runner-up", "duration"]
    assert row.split()[1] in EMOTIONS
    assert row.endswith("2.3 s")


def test_files_folders_and_patterns(wav: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.wav", "b.wav"):
        shutil.copy(wav, tmp_path / "sub" / name)
    names = [str(tmp_path / "sub" / name) for name in ("a.wav", "b.wav")]
    assert [row["file"] for row in predict(tmp_path / "sub")] == names
    assert [row["file"] for row in predict(str(tmp_path / "sub" / "*.wav"))] == names
    assert [row["file"] for row in predict(wav, names[0])] == [str(wav), names[0]]


def test_a_bad_file_gets_a_row_and_the_others_are_predicted(wav: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    result = RUNNER.invoke(app, ["predict", "--json", str(bad), str(wav)])
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert first["label"] is None
    assert first["confident"] is None
    assert "bad.wav is not audio" in first["error"]
    assert second["confident"] in {True, False}
    assert second["error"] is None


def test_standard_input(wav: Path) -> None:
    result = RUNNER.invoke(app, ["predict", "-", "--json"], input=wav.read_bytes())
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0]["file"] == "-"
    assert json.loads(result.stdout)[0]["duration"] == pytest.approx(2.3)


@pytest.mark.parametrize(("suffix", "options"), [(".jsonl", ()), (".out", ("--format", "jsonl"))])
def test_the_format_is_named_or_chosen_by_the_suffix(
    wav: Path, tmp_path: Path, suffix: str, options: tuple[str, ...]
) -> None:
    out = tmp_path / f"rows{suffix}"
    result = RUNNER.invoke(app, ["predict", str(wav), str(wav), "--out", str(out), *options])
    assert result.exit_code == 0
    assert [json.loads(line)["file"] for line in out.read_text().splitlines()] == [str(wav)] * 2


def test_only_one_format_can_be_named(wav: Path) -> None:
    result = RUNNER.invoke(app, ["predict", str(wav), "--json", "--csv"])
    assert result.exit_code == 2
    assert "choose one of" in result.stderr


def test_output_is_not_overwritten_without_force(
    wav: Path, tmp_path: Path, exit_code: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert exit_code("predict", wav, "--out", out) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert exit_code("predict", wav, "--out", out, "--force") == 0
    (row,) = csv.DictReader(io.StringIO(out.read_text()))
    assert float(row["confidence"]) == max(float(row[label]) for label in EMOTIONS)


def interrupted(
    monkeypatch: pytest.MonkeyPatch, call: int, interrupt: Callable[[], None], threads: int
) -> None:
    """Let `predict` be interrupted before it predicts its `call`-th recording."""
    calls = []

    def predict(classifier: Classifier, source: Any, **options: Any) -> FileResult:
        calls.append(source)
        if len(calls) == call:
            interrupt()
        return predict_file(classifier, source, **options)

    monkeypatch.setattr(predict_command, "predict_file", predict)
    monkeypatch.setattr(predict_command, "processors", lambda: threads)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv"])
def test_ctrl_c_keeps_the_finished_rows(
    wav: Path,
    tmp_path: Path,
    exit_code: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    format_: str,
    number: signal.Signals,
) -> None:

    def interrupt() -> None:
        with suppress(KeyboardInterrupt):  # as callbacks from C do
            signal.raise_signal(number)

    interrupted(monkeypatch, 3, interrupt, threads=1)
    out = tmp_path / "out"
    assert exit_code("predict", *[wav] * 5, "--format", format_, "--out", out) == 130
    assert f"stopped; 2 of 5 recordings are in {out}, 3 are missing" in capsys.readouterr().err
    text = out.read_text()
    assert text.count(str(wav)) == 2
    assert not list(tmp_path.glob("out.part"))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if format_ == "json":
        assert len(json.loads(text)) == 2


def test_ctrl_c_ends_several_threads(
    wav: Path,
    tmp_path: Path,
    exit_code: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)

    interrupted(monkeypatch, 6, interrupt, threads=2)
    out = tmp_path / "out.jsonl"
    assert exit_code("predict", *[wav] * 20, "--out", out) == 130
    kept = out.read_text().count("\n")
    assert kept < 6
    assert f"{kept} of 20 recordings are in {out}" in capsys.readouterr().err


def test_several_threads_keep_the_order(wav: Path, tmp_path: Path, exit_code: Any) -> None:
    paths = [tmp_path / f"{number}.wav" for number in range(12)]
    for path in paths:
        shutil.copy(wav, path)
    out = tmp_path / "out.jsonl"
    assert exit_code("predict", *paths, "--out", out) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["file"] for row in rows] == list(map(str, paths))
    assert len({row["confidence"] for row in rows}) == 1


def test_ctrl_c_ends_an_evaluation_in_words(
    ravdess: Path,
    exit_code: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = Clip.read

    def interrupted(clip: Clip) -> Any:
        with suppress(KeyboardInterrupt):  # as callbacks from C do
            signal.raise_signal(signal.SIGINT)
        return read(clip)

    monkeypatch.setattr(Clip, "read", interrupted)
    assert exit_code("evaluate", default_model(), ravdess) == 130
    assert "stopped; the evaluation is not finished" in capsys.readouterr().err


def test_ctrl_c_before_the_first_row_exits_with_130(
    wav: Path, exit_code: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(predict_command, "opened_model", interrupt)
    assert exit_code("predict", wav) == 130


def test_file_names_that_are_not_text_are_escaped(
    wav: Path, tmp_path: Path, exit_code: Any
) -> None:
    odd = tmp_path / "odd\udcff.wav"
    shutil.copy(wav, odd)
    out = tmp_path / "out.json"
    assert exit_code("predict", odd, "--out", out) == 0
    assert json.loads(out.read_text())[0]["file"] == str(odd)


def test_a_closed_pipe_is_no_error(wav: Path) -> None:
    program = subprocess.Popen(
        [*PROGRAM, "predict", "--csv", str(wav)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdout
    assert program.stderr
    program.stdout.close()
    with program.stderr:
        assert program.stderr.read() == b""
    program.wait()


# --- errors and corpora ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "x.wav", "--model", "none.onnx"], "no model file none.onnx"),
        (["predict", "*.none"], "no file matches"),
        (["predict", "x.wav", "--format", "docx"], "no format 'docx'"),
        (["data", "nowhere"], "nowhere does not exist"),
        (["train", "--data", ".", "--out", "r", "--set", "lr"], "not of the form"),
        (["train", "--data", ".", "--out", "r", "--config", "voice"], "it is now called 'default'"),
        (["train", "--data", ".", "--out", "r", "--resume", "--set", "x=1"], "unknown key 'x'"),
        (["train", "--data", ".", "--out", "r", "--resume", "--set", "name=x"], "leave --set"),
        (["train", "--data", ".", "--out", "r", "--config", "finetune"], "add --init default"),
        (["explain", "x.wav", "--run", "r"], "--run is for --method gradients"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(
    exit_code: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert exit_code(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("audio-emotion: ")
    assert error.count("\n") == 1


def test_a_missing_package_names_the_extra(
    wav: Path,
    tmp_path: Path,
    exit_code: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert exit_code("timeline", wav, "--plot", tmp_path / "x.png") == 2
    error = capsys.readouterr().err
    assert "needs matplotlib" in error
    assert "audio-emotion-classifier[train]" in error


def test_data_summarises_a_corpus(ravdess: Path) -> None:
    result = RUNNER.invoke(app, ["data", str(ravdess)])
    assert result.exit_code == 0
    assert "RAVDESS: 49 clips, licence CC BY-NC-SA 4.0" in result.stdout


def test_data_says_once_what_it_skips(ravdess: Path) -> None:
    result = RUNNER.invoke(app, ["data", str(ravdess), "--labels", "sad,bored"])
    assert "RAVDESS: 6 recordings skipped: label happy is not" in result.stdout
    assert result.stderr == ""


def test_commands_say_which_recordings_they_skip(ravdess: Path) -> None:
    result = RUNNER.invoke(app, ["data", str(ravdess), "--json", "--labels", "sad,bored"])
    assert json.loads(result.stdout)["labels"] == {"sad": 6}
    assert "audio-emotion: RAVDESS: 6 recordings skipped: label happy is not" in result.stderr
