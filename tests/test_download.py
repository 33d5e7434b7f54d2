"""Downloads from a local server that works or fails in several ways."""

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from soundfile import write

from audio_emotion.datasets import download, load_corpus
from audio_emotion.datasets.download import Archive, download_ravdess, fetch, unpack
from audio_emotion.errors import DownloadError

NAME = "Audio_Speech_Actors_01-24.zip"


def archive(*members: str) -> bytes:
    clip = io.BytesIO()
    write(clip, np.random.default_rng(0).uniform(-1, 1, 30_000), 24_000, format="WAV")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for member in members:
            opened.writestr(member, clip.getvalue())
    return stream.getvalue()


GOOD = archive("Actor_01/03-01-01-01-01-01-01.wav", "Actor_02/03-01-02-01-01-01-02.wav")
assert len(GOOD) > 4 * download.CHUNK


class Server(ThreadingHTTPServer):
    """Serves `content` and breaks the first `breaks` connections after `break_after` bytes."""

    content = GOOD
    breaks = 0
    break_after = 2 * download.CHUNK
    ranges = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requested: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requested.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(asked[6:-1]) if asked and self.server.ranges else 0
        if asked and self.server.ranges and start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if asked and self.server.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            body = body[: self.server.break_after]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def get(server: Server, out: Path, sum_: str | None = None) -> Path:
    archives = (Archive(NAME, sum_ or md5(server.content)),)
    return download_ravdess(out, base_url=server.url, archives=archives, pause=0.01)


def test_archive_becomes_a_corpus(server: Server, tmp_path: Path) -> None:
    out = get(server, tmp_path / "RAVDESS")
    assert [clip.speaker for clip in load_corpus(out).clips] == ["01", "02"]
    assert [path.name for path in out.iterdir()] == ["Audio_Speech_Actors_01-24"]
    get(server, out)
    assert len(server.requested) == 1  # nothing is fetched twice


def test_file_with_a_wrong_sum_is_deleted(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"MD5 sum {md5(GOOD)}, but {'0' * 32} was published"):
        get(server, tmp_path, "0" * 32)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_download_is_resumed(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.breaks, server.ranges = 2, ranges
    get(server, tmp_path)
    assert server.requested == [
        None,
        *(f"bytes={n * download.CHUNK}-" for n in ((2, 4) if ranges else (2, 2))),
    ]
    assert len(load_corpus(tmp_path).clips) == 2


def test_failed_download_is_resumed_by_the_next_call(server: Server, tmp_path: Path) -> None:
    server.breaks, server.break_after = 99, 100
    with pytest.raises(DownloadError, match="run the same command again"):
        get(server, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.part"]
    server.breaks = 0
    get(server, tmp_path)
    assert len(load_corpus(tmp_path).clips) == 2


def test_complete_partial_file_is_only_verified(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(GOOD)
    get(server, tmp_path)
    assert len(load_corpus(tmp_path).clips) == 2


def test_missing_file_is_requested_once(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="404"):
        get(server, tmp_path)
    assert len(server.requested) == 1


def test_endless_file_is_stopped(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    with pytest.raises(DownloadError, match="more than 1000 bytes"):
        fetch(server.url, tmp_path / NAME, md5(GOOD))


@pytest.mark.parametrize(
    "unsafe",
    [
        "../03-01-01-01-01-01-01.wav",
        "/tmp/03-01-01-01-01-01-01.wav",
        "Actor_01/../../03-01-01-01-01-01-01.wav",
        "C:\\03-01-01-01-01-01-01.wav",
    ],
)
def test_unsafe_names_are_not_unpacked(tmp_path: Path, unsafe: str) -> None:
    path = tmp_path / NAME
    path.write_bytes(archive("Actor_01/03-01-01-01-01-01-01.wav", unsafe))
    with pytest.raises(DownloadError, match="leads out of its folder"):
        unpack(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == [NAME]


def test_links_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as opened:
        link = zipfile.ZipInfo("Actor_01/03-01-01-01-01-01-01.wav")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(DownloadError, match="leads out of its folder"):
        unpack(path, tmp_path / "out")


def test_archive_that_unpacks_to_too_much_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    path = tmp_path / NAME
    path.write_bytes(GOOD)
    with pytest.raises(DownloadError, match="unpacks to more than 1000 bytes"):
        unpack(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == [NAME]


def test_a_kill_while_unpacking_leaves_nothing_that_is_loaded(tmp_path: Path) -> None:
    path, target = tmp_path / "all.zip", tmp_path / "all"
    path.write_bytes(GOOD)
    code = """
import os, signal, sys, zipfile
from pathlib import Path
from audio_emotion.datasets.download import unpack

plain = zipfile.ZipFile.extractall
def extractall(*arguments):
    plain(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

zipfile.ZipFile.extractall = extractall
unpack(Path(sys.argv[1]), Path(sys.argv[2]))
"""
    subprocess.run([sys.executable, "-c", code, str(path), str(target)])
    assert len(list(tmp_path.rglob("*.wav"))) > 0
    assert {clip.path for clip in load_corpus(tmp_path).clips} == {path}
    unpack(path, target)
    assert sorted(tmp_path.iterdir()) == [target, path]


def test_damaged_archive_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(GOOD[: len(GOOD) // 2])
    with pytest.raises(DownloadError, match=f"{NAME} is not a readable zip"):
        unpack(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == [NAME]


def test_published_sums_are_those_of_zenodo() -> None:
    assert {a.name: a.md5 for a in download.ARCHIVES} == {
        "Audio_Speech_Actors_01-24.zip": "bc696df654c87fed845eb13823edef8a",
        "Audio_Song_Actors_01-24.zip": "5411230427d67a21e18aa4d466e6d1b9",
    }
