"""The command as people type it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audio_emotion import EMOTIONS
from audio_emotion.cli.app import app
from audio_emotion.writers import TableWriter

RUNNER = CliRunner()
PROGRAM = [sys.executable, "-c", "from audio_emotion.cli.app import main; main()"]


def run(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    words = [str(argument) for argument in arguments]
    done = subprocess.run([*PROGRAM, *words], input=stdin, capture_output=True)
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(words, done.returncode, out, err)


def predict(*arguments: object) -> list[dict[str, object]]:
    result = RUNNER.invoke(app, ["predict", "--json", *map(str, arguments)])
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


@pytest.mark.parametrize(
    "name",
    [
        "predict",
        "timeline",
        "listen",
        "explain",
        "evaluate",
        "train",
        "crossval",
        "tune",
        "export",
        "data",
        "download",
    ],
)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = RUNNER.invoke(app, [name, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0
    assert f"audio-emotion {name}" in result.stdout
    assert "Example" in result.stdout


def test_table_names_file_emotion_runner_up_and_duration(wav: Path) -> None:
    result = RUNNER.invoke(app, ["predict", str(wav)])
    assert result.exit_code == 0
    header, row = result.stdout.splitlines()
    assert header.split() == ["file", "emotion", "confidence", "runner-up", "duration"]
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


def test_csv_has_a_column_for_each_emotion(wav: Path) -> None:
    result = RUNNER.invoke(app, ["predict", "--csv", str(wav)])
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert sum(float(row[label]) for label in EMOTIONS) == pytest.approx(1, abs=1e-5)
    assert float(row["confidence"]) == max(float(row[label]) for label in EMOTIONS)


def test_a_bad_file_is_a_row_and_the_rest_is_done(wav: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    result = RUNNER.invoke(app, ["predict", "--json", str(bad), str(wav)])
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert first["emotion"] is None
    assert first["confident"] is None
    assert second["confident"] in {True, False}
    assert "bad.wav is not audio" in first["error"]
    assert second["error"] is None


def test_standard_input(wav: Path) -> None:
    result = run("predict", "-", "--json", stdin=wav.read_bytes())
    assert result.returncode == 0
    assert json.loads(result.stdout)[0]["file"] == "-"


def test_output_file_is_not_overwritten_unasked(wav: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    arguments = ["predict", str(wav), "--csv", "--out", str(out)]
    assert RUNNER.invoke(app, arguments).exit_code == 0
    again = run(*arguments)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert RUNNER.invoke(app, [*arguments, "--force"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "x.wav", "--model", "none.onnx"], "no model file none.onnx"),
        (["predict", "*.none"], "nothing matches"),
        (["data", "nowhere"], "nowhere does not exist"),
        (["train", "--data", ".", "--out", "r", "--set", "lr"], "not of the form"),
    ],
)
def test_errors_are_one_line_and_code_two(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_corpus_of_other_labels_is_described_by_their_names(ravdess: Path) -> None:
    result = RUNNER.invoke(app, ["data", str(ravdess), "--json", "--labels", "sad,bored"])
    assert json.loads(result.stdout)["emotions"] == {"sad": 6}


def test_data_describes_a_corpus(ravdess: Path) -> None:
    result = RUNNER.invoke(app, ["data", str(ravdess)])
    assert result.exit_code == 0
    assert "RAVDESS: 49 clips, licence CC BY-NC-SA 4.0" in result.stdout


def test_table_keeps_brackets_in_names() -> None:
    from audio_emotion.records import Row

    assert "[red]x.wav" in TableWriter().text([Row("[red]x.wav", error="[b]odd[/b]")])
