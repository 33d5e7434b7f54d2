"""Batches from and to object stores and HTTP, on this machine: nothing leaves it."""

import http.server
import os
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pyarrow.parquet as pq
import pytest

from audio_emotion import Classifier
from audio_emotion.batch.parts import Parts
from audio_emotion.batch.run import Batch, Tally
from audio_emotion.batch.sources import find
from audio_emotion.batch.storage import Folder, unmasked
from audio_emotion.batch.work import content
from audio_emotion.batch.work.content import is_transient, opened
from audio_emotion.batch.work.shard import run_shard
from audio_emotion.errors import AudioError, ConfigError, OutputError
from batching import SAMPLES, HereWorker, batch, command, parts_of, table

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of botocore and moto


def work(found: Batch) -> Parts:
    """Work off a batch in this process."""
    plan = found.plan()
    parts, worker = Parts(found.folder, plan), HereWorker(found.job, Classifier(threads=1))
    for task in (*parts.open_shards(), *parts.leftovers()):
        arguments: Any = (found.job, plan, found.folder, task, worker, Tally().report)
        part = run_shard(*arguments)
        if part:
            parts.add(part)
    return parts


# --- memory:// -------------------------------------------------------------------------------


@pytest.fixture
def memory() -> Iterator[Any]:
    """The files of `memory://`, which is one for the process."""
    fs = fsspec.filesystem("memory")
    for number, sample in enumerate(SAMPLES):
        fs.pipe_file(f"/calls/{number % 2}/{number}.flac", sample.read_bytes())
    fs.pipe_file("/calls/notes.md", b"no recording")
    yield fs
    fs.rm("/", recursive=True)


def test_a_store_is_listed_read_and_written(memory: Any) -> None:
    assert [item.uri for item in find(["memory://calls/1"])] == [
        "memory:///calls/1/1.flac",
        "memory:///calls/1/3.flac",
    ]
    assert len(list(find(["memory://calls/*/*.flac"]))) == len(SAMPLES)
    with pytest.raises(AudioError, match="no recording"):
        list(find(["memory://calls/*.mp3"]))
    parts = work(batch("memory://results", "memory://calls"))
    assert parts.complete
    parts.finish()
    assert parts_of("memory://results").verify()["files"] == len(SAMPLES)
    durations = sorted(Classifier().file(sample).duration for sample in SAMPLES)
    assert sorted(table("memory://results")["duration"].to_pylist()) == durations
    parts.folder.remove("_SUCCESS")
    parts.folder.remove("_SUCCESS")
    assert "_SUCCESS" not in parts.folder.names()


def test_a_store_without_its_library_is_refused() -> None:
    with pytest.raises(ConfigError, match="s4"):
        Folder("s4://bucket/results")
    with pytest.raises(ConfigError), opened({"uri": "s4://a.wav", "offset": None, "size": 1}):
        pass


def test_long_recordings_go_through_a_file(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "IN_MEMORY", 1000)
    memory.pipe_file("/a.bin", bytes(range(200)) * 20)
    item = {"uri": "memory://a.bin", "offset": None, "size": None}
    with opened(item) as (file, _):
        assert file.read() == bytes(range(200)) * 20
    part = {"uri": "tar://x::memory://a.bin", "offset": 150, "size": 3000}
    for most in (1000, 5000):
        monkeypatch.setattr(content, "IN_MEMORY", most)
        with opened(part) as (file, _):
            assert file.read() == (bytes(range(200)) * 20)[150:3150]


# --- s3:// -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of moto's server on this machine, which its environment names."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    pytest.importorskip("s3fs")
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        fs = fsspec.filesystem("s3")
        fs.mkdir("corpus")
        for number, sample in enumerate(SAMPLES):
            fs.pipe_file(f"corpus/in/{number % 2}/{number}.flac", sample.read_bytes())
        yield "s3://corpus"
    server.stop()


def test_a_bucket_is_worked_off_by_processes(bucket: str, tmp_path: Path) -> None:
    command(f"{bucket}/in", "--out", f"{bucket}/out", "--jobs", 1)
    assert parts_of(f"{bucket}/out").verify()["files"] == len(SAMPLES)
    found = {row["uri"]: row["label"] for row in table(f"{bucket}/out").to_pylist()}
    expected = {
        f"{bucket}/in/{n % 2}/{n}.flac": Classifier().file(s).label for n, s in enumerate(SAMPLES)
    }
    assert found == expected
    with parts_of(f"{bucket}/out").folder.open("plan.parquet") as file:
        plan = pq.read_table(file)
    assert len(set(plan["version"].to_pylist())) == len(SAMPLES)  # etags
    assert plan["size"].to_pylist() == [SAMPLES[n].stat().st_size for n in (0, 2, 4, 1, 3)]


def test_an_archive_in_a_bucket_is_read_in_ranges(bucket: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(SAMPLES[0], "x/0.flac")
        archive.add(SAMPLES[1], "x/1.flac")
    fsspec.filesystem("s3").put_file(str(tmp_path / "a.tar"), "corpus/a.tar")
    last = list(find([f"{bucket}/a.tar"]))[-1]
    assert last.uri == f"tar://x/1.flac::{bucket}/a.tar"
    item = {"uri": last.uri, "offset": last.offset, "size": last.size}
    with opened(item) as (file, _):
        assert file.read() == SAMPLES[1].read_bytes()


def test_what_is_not_in_a_bucket_is_an_error_at_once(bucket: str) -> None:
    missing = {"uri": f"{bucket}/in/none.flac", "offset": None, "size": None}
    with pytest.raises(AudioError, match="does not exist"), opened(missing):
        pass


# --- http:// ---------------------------------------------------------------------------------


class Flaky(http.server.SimpleHTTPRequestHandler):
    """A server that is busy the first times it is asked for a file."""

    busy: ClassVar[Counter[str]] = Counter()
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        Flaky.asked[self.path] += 1
        if Flaky.busy[self.path] > 0:
            Flaky.busy[self.path] -= 1
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A site with the samples, and a list of them."""
    for number, sample in enumerate(SAMPLES):
        os.link(sample, tmp_path / f"{number}.flac")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *a: Flaky(*a, directory=str(tmp_path))
    )
    Flaky.busy.clear()
    Flaky.asked.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    lines = [f"{url}/{number}.flac" for number in range(len(SAMPLES))]
    (tmp_path / "list.txt").write_text("\n".join([*lines, f"{url}/none.flac"]))
    yield url
    server.shutdown()
    server.server_close()


def test_busy_servers_are_asked_again(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "WAITS", (0.0, 0.0))
    Flaky.busy.update({"/1.flac": 2, "/2.flac": 3})  # of three tries, and one more of what is left
    parts = work(batch(tmp_path / "out", tmp_path / "list.txt"))
    assert parts.left == 1
    assert Flaky.asked["/1.flac"] == 3
    parts = work(batch(tmp_path / "out"))
    assert parts.complete
    rows = table(tmp_path / "out").to_pylist()
    expected = [Classifier().file(sample).label for sample in SAMPLES]
    assert [row["label"] for row in rows] == [*expected, None]
    assert "does not exist" in rows[-1]["error_message"]
    assert Flaky.asked["/none.flac"] == 1


def test_servers_that_fail_leave_recordings_and_missing_ones_are_rows(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsspec says of all of them that the file is not there."""
    monkeypatch.setattr(content, "WAITS", (0.0,))
    (tmp_path / "urls.csv").write_text(
        f"path\n{site}/0.flac\n{site}/1.flac\n{site}/none.flac\nhttp://127.0.0.1:9/x.wav"
    )
    Flaky.busy["/1.flac"] = 99
    parts = work(batch(tmp_path / "out", tmp_path / "urls.csv"))
    assert parts.left == 2
    assert parts.errors == {"bad_audio": 1}
    why = " ".join(part.why for part in parts if part.left)
    assert "503" in why or "Cannot connect" in why
    with pytest.raises(AudioError, match=r"x\.wav cannot be reached: Cannot connect"):
        list(find(["http://127.0.0.1:9/x.wav"]))
    with pytest.raises(AudioError, match=r"none\.flac does not exist"):
        list(find([f"{site}/none.flac"]))


def test_only_over_http_is_a_missing_file_taken_for_a_failure() -> None:
    error = FileNotFoundError("in/none.flac")
    error.__cause__ = ValueError("NoSuchKey")  # as stores may give the reason
    assert unmasked(error) is error


@pytest.mark.parametrize(
    ("error", "remote", "passes"),
    [
        (ConnectionResetError(), False, True),
        (TimeoutError(), False, True),
        (OSError(116, "stale file handle"), False, True),
        (OSError(5, "input/output error"), False, False),
        (OSError(5, "slow down"), True, True),
        (FileNotFoundError(), True, False),
        (PermissionError(), True, False),
        (ValueError(), True, True),
    ],
)
def test_which_errors_may_pass(error: Exception, remote: bool, passes: bool) -> None:
    assert is_transient(error, remote) is passes


@pytest.mark.parametrize(
    ("status", "passes"), [(500, True), (503, True), (429, True), (403, False)]
)
def test_which_statuses_may_pass(status: int, passes: bool) -> None:
    error = OSError()
    error.status = status  # type: ignore[attr-defined]
    assert is_transient(error, remote=True) is passes


def test_a_folder_writes_whole_files_or_none(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "no space left on device")

    for folder in (Folder(str(tmp_path / "out")), Folder("memory://half")):
        for once in (False, True):
            with pytest.raises(OutputError, match="no space"):
                folder.write("part", fail, once=once)
        assert folder.names() == []
