"""A batch: its plan, each recording exactly once, errors as rows, and what the command says."""

import csv
import hashlib
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from audio_emotion import EMOTIONS, Classifier, __version__, read_audio, timeline
from audio_emotion.batch import estimate, report
from audio_emotion.batch.job import Job
from audio_emotion.batch.outputs import write_output
from audio_emotion.batch.parts import Parts
from audio_emotion.batch.plan import SHARD_BYTES, cut, make_plan, read_plan, share
from audio_emotion.batch.run import Tally
from audio_emotion.batch.sources import find
from audio_emotion.batch.storage import Folder
from audio_emotion.batch.work import content
from audio_emotion.batch.work.shard import Part, ShardTask, answers, run_shard
from audio_emotion.cli import batch as commands
from audio_emotion.cli.app import app
from audio_emotion.cli.batch import describe
from audio_emotion.errors import AudioEmotionError, AudioError, ConfigError, OutputError
from batching import SAMPLES, HereWorker, batch, command, killing, parts_of, recordings, table

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(threads=1)


def work(
    out: Path,
    *sources: object,
    classifier: Classifier,
    tasks: list[ShardTask] | None = None,
    **options: Any,
) -> Parts:
    """Work off a batch in this process."""
    found = batch(out, *sources, **options)
    plan = found.plan()
    parts, worker = Parts(found.folder, plan), HereWorker(found.job, classifier)
    for task in parts.open_shards() if tasks is None else tasks:
        arguments: Any = (found.job, plan, found.folder, task, worker, Tally().report)
        part = run_shard(*arguments)
        if part:
            parts.add(part)
    return parts


# --- sources ---------------------------------------------------------------------------------


def test_folders_are_searched_and_hidden_files_left_out(tmp_path: Path) -> None:
    recordings(tmp_path / "a" / "b", 2, ".hidden.flac", "notes.md")
    recordings(tmp_path / "a" / "c", 1)
    items = list(find([str(tmp_path / "a")]))
    names = [Path(item.uri).relative_to(tmp_path).as_posix() for item in items]
    assert names == ["a/b/00000.flac", "a/b/00001.flac", "a/c/00000.flac"]
    assert items[0].size == SAMPLES[0].stat().st_size
    assert str(items[0].version).startswith("20")


def test_patterns_and_files(tmp_path: Path) -> None:
    recordings(tmp_path, 3)
    pattern = [item.uri for item in find([str(tmp_path / "*1.flac")])]
    assert pattern == [str(tmp_path / "00001.flac")]
    with pytest.raises(AudioError, match="no recording"):
        list(find([str(tmp_path / "*.mp3")]))
    with pytest.raises(AudioError, match="does not exist"):
        list(find([str(tmp_path / "none.flac")]))


@pytest.mark.parametrize("suffix", ["txt", "csv", "tsv", "parquet"])
def test_lists_carry_their_columns(tmp_path: Path, suffix: str) -> None:
    recordings(tmp_path, 2)
    rows = {"path": ["00000.flac", "gone.flac"], "agent": ["Ann", "Bo"], "label": ["x", "y"]}
    path = tmp_path / f"list.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table(rows | {"call": [7, 8]}), path)
    elif suffix == "txt":
        path.write_text("\ufeff" + "\n".join(rows["path"]) + "\n\n", encoding="utf-8")
    else:
        separator = {"csv": ";", "tsv": "\t"}[suffix]
        lines = [separator.join(line) for line in (rows.keys(), *zip(*rows.values(), strict=True))]
        path.write_text("\n".join(lines), encoding="utf-8")
    plan = batch(tmp_path / "out", path).plan()
    found = pq.read_table(tmp_path / "out" / "plan.parquet")
    assert found["uri"].to_pylist() == [str(tmp_path / n) for n in rows["path"]]
    assert found["size"].to_pylist() == [SAMPLES[0].stat().st_size, None]
    assert plan.files == 2
    if suffix != "txt":  # a column with the name of one of ours gets another
        assert found["agent"].to_pylist() == ["Ann", "Bo"]
        assert found["input_label"].to_pylist() == ["x", "y"]
    if suffix == "parquet":
        assert found["call"].type == pa.int64()


def test_a_list_without_a_known_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("file\na.wav\n")
    with pytest.raises(AudioError, match="uri or path"):
        list(find([str(tmp_path / "list.csv")]))


def test_members_of_an_archive_are_read_in_place(tmp_path: Path, classifier: Classifier) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number, sample in enumerate(SAMPLES[:3]):
            archive.add(sample, f"{number}.flac")
            archive.add(__file__, f"{number}.json")
    work(tmp_path / "out", tmp_path / "a.tar", classifier=classifier)
    found = table(tmp_path / "out").to_pylist()
    assert [row["uri"] for row in found] == [f"tar://{n}.flac::{tmp_path}/a.tar" for n in range(3)]
    expected = [classifier.file(sample) for sample in SAMPLES[:3]]
    assert [row["confidence"] for row in found] == pytest.approx([p.confidence for p in expected])
    (tmp_path / "b.tar").write_bytes(b"\x1f\x8b" + 1000 * b"x")
    with pytest.raises(AudioError, match="uncompressed tar"):
        list(find([str(tmp_path / "b.tar")]))


# --- the plan --------------------------------------------------------------------------------


def test_shards_have_about_equal_bytes_and_no_gaps() -> None:
    sizes = np.random.default_rng(0).integers(1, 1 << 20, 20_000)
    shards = cut(sizes)
    assert (np.diff(shards) >= 0).all()
    assert set(shards) == set(range(shards[-1] + 1))
    bytes_ = np.bincount(shards, sizes)
    assert bytes_.max() < 1.1 * bytes_.mean()
    huge = cut(np.array([1, 1, 40 * SHARD_BYTES, 1, -1]))
    assert set(huge) == set(range(huge[-1] + 1))
    assert cut(np.array([-1])).tolist() == [0]


def test_the_plan_is_frozen_and_other_batches_are_refused(tmp_path: Path) -> None:
    source = recordings(tmp_path / "in", 3)
    plan = batch(tmp_path / "out", source, source).plan()
    assert (plan.files, plan.shards) == (3, 3)  # the second source repeats the first
    recordings(tmp_path / "in", 0, "later.flac")
    assert batch(tmp_path / "out", source, source).plan() == plan
    with pytest.raises(OutputError, match="another folder for other sources"):
        batch(tmp_path / "out", source / "*").plan()
    with pytest.raises(OutputError, match=r"another model, task, setting .*emotions"):
        batch(tmp_path / "out", source, source, task="timeline").plan()
    (tmp_path / "out" / "part-00000-0123.parquet").touch()
    with pytest.raises(OutputError, match="another batch"):
        parts_of(tmp_path / "out")
    with pytest.raises(OutputError, match="name its sources"):
        batch(tmp_path / "empty").plan()


def test_the_first_plan_wins(tmp_path: Path) -> None:
    source, folder = recordings(tmp_path / "in", 2), Folder(str(tmp_path / "out"))
    first = make_plan(Job(), EMOTIONS, [str(source)], folder)
    recordings(tmp_path / "in", 0, "later.flac")
    assert make_plan(Job(), EMOTIONS, [str(source)], folder) == first == read_plan(folder)


def test_the_fingerprint_is_of_model_settings_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.onnx").write_bytes(b"other")
    jobs = [Job(), Job("timeline"), Job(model=str(tmp_path / "other.onnx")), Job(max_dur=5)]
    prints = {job.fingerprint() for job in jobs}
    monkeypatch.setattr("audio_emotion.batch.job.__version__", __version__ + "x")
    assert len(prints | {Job().fingerprint()}) == 5
    assert Job(memory=1, time_limit=1).fingerprint() == Job().fingerprint()


def test_shares_are_disjoint_and_complete() -> None:
    assert sorted(n for k in (1, 2, 3) for n in share(range(10), f"{k}/3")) == list(range(10))
    for wrong in ("0/3", "4/3", "3", "a/b"):
        with pytest.raises(ConfigError, match="K/N"):
            share(range(10), wrong)


# --- rows ------------------------------------------------------------------------------------


def test_rows_are_those_of_the_classifier(tmp_path: Path, classifier: Classifier) -> None:
    parts = work(tmp_path / "out", recordings(tmp_path / "in", 5), classifier=classifier)
    assert parts.complete
    for row, sample in zip(table(tmp_path / "out").to_pylist(), SAMPLES, strict=True):
        expected = classifier.file(sample)
        assert (row["label"], row["confident"]) == (expected.label, expected.confident)
        found = {label: row[f"p_{label}"] for label in EMOTIONS}
        assert found == pytest.approx(expected.probabilities, abs=1e-6)  # of float32
        assert row["warnings"] == [notice.code for notice in expected.warnings]
        assert row["fingerprint"] == Job().fingerprint()


def test_a_column_names_who_speaks(tmp_path: Path, classifier: Classifier) -> None:
    first, second, third = sorted(recordings(tmp_path / "in", 3).iterdir())
    me = classifier.enroll([SAMPLES[0], SAMPLES[1], SAMPLES[2]])
    me.save(tmp_path / "me.json")
    lines = [f"{first},me.json", f"{second},", f"{third},{tmp_path}/nobody.json"]
    (tmp_path / "list.csv").write_text("\n".join(["path,who", *lines]))
    parts = work(
        tmp_path / "out", tmp_path / "list.csv", classifier=classifier, speaker_column="who"
    )
    assert parts.complete
    rows = {Path(row["uri"]).name: row for row in table(tmp_path / "out").to_pylist()}
    for path, speaker in ((first, me), (second, None)):
        expected = classifier.file(path, speaker=speaker)
        assert rows[path.name]["confidence"] == pytest.approx(expected.confidence, abs=1e-6)
    assert rows[third.name]["error"] == "bad_speaker"
    with pytest.raises(ConfigError, match="has the column whom"):
        batch(tmp_path / "other", tmp_path / "list.csv", speaker_column="whom").plan()


def test_timelines_have_a_row_for_each_segment(tmp_path: Path, classifier: Classifier) -> None:
    source = recordings(tmp_path / "in", 1, "bad.flac")
    work(tmp_path / "out", source, classifier=classifier, task="timeline")
    *rows, error = table(tmp_path / "out").to_pylist()
    expected = timeline(*read_audio(SAMPLES[0]), classifier).segments
    assert [(r["segment"], r["start"], r["end"], r["label"]) for r in rows] == [
        (number, s.start, s.end, s.label) for number, s in enumerate(expected)
    ]
    assert (error["segment"], error["error"]) == (None, "bad_audio")


def test_a_bad_file_is_a_row_with_code_and_hash(tmp_path: Path, classifier: Classifier) -> None:
    source = recordings(tmp_path / "in", 1, "bad.flac")
    (source / "list.csv").write_text("path\nbad.flac\n00000.flac\ngone.flac\n.\n")
    parts = work(tmp_path / "out", source / "list.csv", classifier=classifier)
    bad, good, gone, folder = table(tmp_path / "out").to_pylist()
    assert (bad["error"], good["error"]) == ("bad_audio", None)
    assert bad["sha256"] == hashlib.sha256((source / "bad.flac").read_bytes()).hexdigest()
    assert gone["error_message"].endswith("does not exist")
    assert gone["sha256"] is None
    assert "no regular file" in folder["error_message"]
    assert parts.errors == {"bad_audio": 3}


# --- exactly once ----------------------------------------------------------------------------


def test_the_file_that_kills_its_worker_is_found(tmp_path: Path, classifier: Classifier) -> None:
    source = recordings(tmp_path / "in", 3, "00001-deadly.flac")
    found = batch(tmp_path / "out", source)
    plan = found.plan()
    items = [item for n in range(plan.shards) for item in plan.items(found.folder, n)]
    worker: Any = HereWorker(found.job, classifier)
    answered = list(answers(found.job, worker, items))
    assert [item["item"] for item, _ in answered] == list(range(4))
    errors = [answer["rows"][0].get("error") for _, answer in answered]
    assert errors == [None, "worker_died", None, None]
    assert len(answered[1][1]["sha256"]) == 64
    # With it in flight, the worker had another file, which is handed over again, alone.
    assert worker.handed.count("00001-deadly.flac") == 3
    assert worker.handed.count("00002.flac") == 1
    worker.late = True
    late = [answer["rows"][0].get("error") for _, answer in answers(found.job, worker, items)]
    assert late == [None, "decode_limit", None, None]


def test_workers_that_crash_are_killed_or_hang(tmp_path: Path) -> None:
    names = ("killer.flac", "killer-crash.flac", "sleeper.flac")
    source = recordings(tmp_path / "in", 6, *names)
    env, out = killing(tmp_path / "hook"), tmp_path / "out"
    script = (
        "from batching import *; from audio_emotion.batch.run import Tally\n"
        f"b = batch({str(out)!r}, {str(source)!r}, jobs=2, time_limit=10.0)\n"
        "b.run(Parts(b.folder, b.plan()), Tally())"
    )
    line = [sys.executable, "-c", script]
    subprocess.run(line, env=env, check=True, cwd=Path(__file__).parent)
    rows = {Path(row["uri"]).stem: row["error"] for row in table(out).to_pylist()}
    expected = {f"{n:05}": None for n in range(6)}
    killers = {"killer": "worker_died", "killer-crash": "worker_died", "sleeper": "decode_limit"}
    assert rows == expected | killers
    assert (out / "_SUCCESS").exists()


def test_what_cannot_be_reached_is_left_for_later(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "WAITS", (0.0,))
    source, down = recordings(tmp_path / "in", 20), {"00003.flac", "00010.flac", "00011.flac"}
    tries: list[str] = []
    opened = content._open

    def flaky(path: Path) -> Any:
        tries.append(path.name)
        if path.name in down:
            raise ConnectionResetError("the network is down")
        return opened(path)

    monkeypatch.setattr(content, "_open", flaky)
    parts = work(tmp_path / "out", source, classifier=classifier)
    assert tries.count("00003.flac") == 2
    assert (parts.files, parts.left, parts.complete) == (17, 3, False)
    assert not parts.errors
    assert any("the network is down" in part.why for part in parts)
    down.remove("00011.flac")
    again = work(tmp_path / "out", classifier=classifier, tasks=parts.leftovers())
    assert (again.files, again.left) == (18, 2)
    down.clear()
    last = work(tmp_path / "out", classifier=classifier, tasks=again.leftovers())
    assert last.complete
    assert table(tmp_path / "out")["item"].to_pylist() == list(range(20))
    assert parts_of(tmp_path / "out").finish()["rows"] == 20


def test_errors_are_tried_again(tmp_path: Path, classifier: Classifier) -> None:
    source = recordings(tmp_path / "in", 17, "bad.flac")
    parts = work(tmp_path / "out", source, classifier=classifier)
    parts.finish()
    (source / "bad.flac").write_bytes(SAMPLES[0].read_bytes())
    assert parts.reopen_errors() == 1
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    assert (parts.files, parts.left, parts.complete) == (17, 1, False)
    work(tmp_path / "out", classifier=classifier, tasks=parts.leftovers())
    found = parts_of(tmp_path / "out")
    assert found.complete
    assert not found.errors
    assert found.reopen_errors() == 0
    rows = table(tmp_path / "out").to_pylist()
    assert [row["item"] for row in rows] == list(range(18))
    by_name = {Path(row["uri"]).name: row["label"] for row in rows}
    assert by_name["bad.flac"] == by_name["00000.flac"]


def test_errors_of_a_later_generation_are_tried_again(
    tmp_path: Path, classifier: Classifier
) -> None:
    """The first part file takes up the later ones, whose rows must not stay beside it."""
    work(tmp_path / "out", recordings(tmp_path / "in", 17, "bad.flac"), classifier=classifier)
    parts = parts_of(tmp_path / "out")
    parts.reopen_errors()
    work(tmp_path / "out", classifier=classifier, tasks=parts.leftovers())  # bad as before
    found = parts_of(tmp_path / "out")
    assert max(part.generation for part in found) == 1
    assert found.reopen_errors() == 1
    again = parts_of(tmp_path / "out")
    assert (max(part.generation for part in again), again.left) == (0, 1)
    assert len(table(tmp_path / "out")) == 17


@pytest.mark.parametrize("harm", ["change", "remove", "add"])
def test_verify_finds_what_differs(tmp_path: Path, classifier: Classifier, harm: str) -> None:
    parts = work(tmp_path / "out", recordings(tmp_path / "in", 3), classifier=classifier)
    with pytest.raises(OutputError, match="not complete"):
        parts.verify()
    parts.finish()
    assert parts.verify()["files"] == 3
    path = tmp_path / "out" / parts.names()[1]
    if harm == "change":
        rows = pq.read_table(path)
        wrong = rows.set_column(rows.column_names.index("label"), "label", [["wrong"]])
        pq.write_table(wrong, path)
    elif harm == "remove":
        path.unlink()
    else:
        path.with_name(path.name.replace("00001", "00001.1")).write_bytes(path.read_bytes())
        parts.add(Part(1, 1, 1, 1.0))
        with pytest.raises(OutputError, match="repeats rows"):
            parts.finish()
        return
    with pytest.raises(OutputError, match=r"part-00001.*is missing, new or changed"):
        parts_of(tmp_path / "out").verify()


@pytest.mark.parametrize("name", ["part-00001", "plan.parquet"])
def test_damaged_files_are_named_with_a_way_on(
    tmp_path: Path, classifier: Classifier, name: str
) -> None:
    source = recordings(tmp_path / "in", 3)
    work(tmp_path / "out", source, classifier=classifier).finish()
    (path,) = (tmp_path / "out").glob(f"{name}*")
    path.write_bytes(path.read_bytes()[:-30])
    for option in ("--status", "--verify", "--jobs=1"):
        found = RUNNER.invoke(app, ["batch", "--out", str(tmp_path / "out"), option])
        assert isinstance(found.exception, OutputError)
        assert f"{path.name} " in str(found.exception)
        assert "is truncated or damaged" in str(found.exception)
    if name == "part-00001":
        assert "remove it, and the same command" in str(found.exception)
        path.unlink()
        work(tmp_path / "out", classifier=classifier).finish()
        assert parts_of(tmp_path / "out").verify()["files"] == 3


# --- outputs ---------------------------------------------------------------------------------


def test_outputs_of_the_whole(tmp_path: Path, classifier: Classifier) -> None:
    source = recordings(tmp_path / "in", 20, "bad.flac")
    (source / "list.csv").write_text(
        "path,agent\n" + "".join(f"{n:05}.flac,=ANN{n % 2}\n" for n in range(20)) + "bad.flac,Bo\n"
    )
    found = batch(tmp_path / "out", source / "list.csv")
    with pytest.raises(OutputError, match="not complete"):
        write_output(Parts(found.folder, found.plan()), "csv")
    parts = work(tmp_path / "out", classifier=classifier)
    for name in ("csv", "jsonl"):
        assert write_output(parts, name) == f"results.{name}"
    with pytest.raises(OutputError, match="csv, jsonl"):
        write_output(parts, "xml")
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == table(tmp_path / "out").to_pylist()
    assert [row["label"] for row in rows] == [json.loads(line)["label"] or "" for line in lines]
    assert rows[0]["agent"] == "'=ANN0"  # which a spreadsheet does not run


def test_the_report_counts_by_folder_and_by_column(tmp_path: Path, classifier: Classifier) -> None:
    source = recordings(tmp_path / "in" / "a", 6, "bad.flac")
    recordings(tmp_path / "in" / "<b>", 2)
    parts = work(tmp_path / "out", tmp_path / "in", classifier=classifier)
    report.write_report(parts)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "9 recordings" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    rows = pq.read_table(tmp_path / "out" / "report.parquet").to_pylist()
    values = {(Path(row["group"]).name, row["kind"], row["name"]): row["value"] for row in rows}
    assert values["a", "files", "all"] == 7
    assert values["a", "error", "bad_audio"] == 1
    assert sum(v for (group, kind, _), v in values.items() if (group, kind) == ("a", "label")) == 6
    unconfident = sum(not classifier.file(SAMPLES[n % len(SAMPLES)]).confident for n in range(6))
    assert values["a", "files", "unconfident"] == unconfident > 0
    with pytest.raises(OutputError, match="no list has a column 'agent'"):
        report.write_report(parts, "agent")
    assert source.exists()


def test_the_report_of_timelines_counts_seconds(tmp_path: Path, classifier: Classifier) -> None:
    source = recordings(tmp_path / "in", 2)
    report.write_report(work(tmp_path / "out", source, classifier=classifier, task="timeline"))
    rows = pq.read_table(tmp_path / "out" / "report.parquet").to_pylist()
    seconds = sum(row["value"] for row in rows if row["kind"] == "label")
    assert seconds == pytest.approx(sum(classifier.file(s).duration for s in SAMPLES[:2]))


# --- the command -----------------------------------------------------------------------------


def test_the_command_from_dry_run_to_verify(tmp_path: Path) -> None:
    source, out = recordings(tmp_path / "in", 5, "bad.flac"), tmp_path / "out"
    said = command(source, "--out", out, "--jobs", 1, "--dry-run")
    assert "6 recordings" in said
    assert "hours of audio" in said
    assert not out.exists()
    said = command(source, "--out", out, "--jobs", 2, "--format", "csv", "--report")
    assert "6 of 6 recordings" in said
    assert "bad_audio 1" in said
    assert {"_SUCCESS", "results.csv", "report.html"} <= {path.name for path in out.iterdir()}
    assert "6 rows of 6 recordings" in command("--out", out, "--verify")
    assert "6 of 6 shards" in command("--out", out, "--status")


def test_what_is_done_can_be_asked_whatever_the_task(
    tmp_path: Path, classifier: Classifier
) -> None:
    work(
        tmp_path / "out", recordings(tmp_path / "in", 1), classifier=classifier, task="timeline"
    ).finish()
    for option in ("--status", "--verify"):
        assert RUNNER.invoke(app, ["batch", "--out", str(tmp_path / "out"), option]).exit_code == 0
    (tmp_path / "out" / parts_of(tmp_path / "out").names()[0]).unlink()
    assert RUNNER.invoke(app, ["batch", "--out", str(tmp_path / "out"), "--status"]).exit_code == 1
    found = RUNNER.invoke(app, ["batch", "--out", str(tmp_path / "none"), "--status"])
    assert "holds no batch" in str(found.exception)
    assert not (tmp_path / "none").exists()


def test_shares_together_make_the_whole(tmp_path: Path) -> None:
    source, out = recordings(tmp_path / "in", 4), tmp_path / "out"
    said = command(source, "--out", out, "--jobs", 1, "--shard", "1/2", "--format", "csv")
    assert "results.csv is written when all recordings have their rows" in said
    assert not (out / "_SUCCESS").exists()
    command(source, "--out", out, "--jobs", 1, "--shard", "2/2")
    assert (out / "_SUCCESS").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("in", "--out", "out", "--task", "verse"), "no task 'verse'"),
        (("in", "--out", "out", "--format", "xml"), "no format 'xml'"),
        (
            (str(SAMPLES[0]), "--out", "OUT", "--report", "--by", "team"),
            "no list has a column 'team'",
        ),
        (
            (str(SAMPLES[0]), "--out", "OUT", "--dry-run", "--report", "--by", "team"),
            "a column 'team'",
        ),
        (("in", "--out", "out", "--by", "team"), "--by groups the --report"),
        (("--out", "out", "--dry-run"), "out holds no batch; name its sources"),
        (("in", "--out", "out", "--shard", "9/3"), "not K/N"),
        (("nowhere", "--out", "out"), "does not exist"),
        (("s4://b/a", "--out", "out"), "s4"),
    ],
)
def test_mistakes_are_refused_in_words(tmp_path: Path, arguments: Any, words: str) -> None:
    arguments = [str(tmp_path / "out") if word == "OUT" else word for word in arguments]
    found = RUNNER.invoke(app, ["batch", *arguments])
    assert isinstance(found.exception, AudioEmotionError)
    assert words in str(found.exception)


def test_an_estimate_is_that_of_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = recordings(tmp_path / "in", 60)
    found = batch(tmp_path / "out", source)
    plan = found.plan()
    monkeypatch.setattr(estimate, "SAMPLE", 5)
    audio = estimate.estimate(found.job, plan, found.folder, 1).audio
    durations = [Classifier().file(sample).duration for sample in SAMPLES]
    assert min(durations) * 60 <= audio <= max(durations) * 60


def test_progress_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally()
    for _ in range(10):
        tally.report(360.0, None, False)
    tally.report(0.0, "bad_audio", False)
    tally.report(0.0, None, True)
    monkeypatch.setattr("time.monotonic", lambda: 11.0)
    assert describe(tally, 71, 0.0) == "1.0 h of audio, 1.0/s, 1:00 min left, 1 errors"


def test_where_there_is_no_terminal_progress_is_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.REPORT_DUR == 60
    monkeypatch.setattr(commands, "REPORT_DUR", 0.01)
    with commands._progress(Tally(), 71):
        time.sleep(0.2)
    first, *more = capsys.readouterr().err.splitlines()
    assert first.startswith("audio-emotion: 0 of 71 recordings, 0.0 h of audio")
    assert more
