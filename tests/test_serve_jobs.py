"""Jobs: long recordings, progress, restarts, and what is forgotten."""

import json
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from audio_emotion import Classifier, read_audio, timeline
from audio_emotion.errors import ConfigError
from audio_emotion.formats.timelines import FORMATS
from audio_emotion.server.jobs.runner import Jobs
from audio_emotion.server.jobs.store import Store
from audio_emotion.server.settings import Limits, ServerSettings
from conftest import SAMPLES
from serving import Held, Service, serving, wait_for

SAMPLE = SAMPLES / "slow_low.flac"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service"), Limits(audio_dur=1.0)) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as found:
        yield found


def create(client: httpx.Client, path: Path = SAMPLE, **options: Any) -> str:
    with path.open("rb") as file:
        response = client.post("/v1/jobs", files={"file": file}, params=options)
    assert response.status_code == 202
    id_: str = response.json()["id"]
    assert response.headers["location"] == f"/v1/jobs/{id_}"
    return id_


def state(client: httpx.Client, id_: str) -> str:
    found: str = client.get(f"/v1/jobs/{id_}").json()["state"]
    return found


def ended(client: httpx.Client, id_: str) -> str:
    wait_for(lambda: state(client, id_) in {"done", "failed"})
    return state(client, id_)


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A recording of two minutes."""
    signal_, rate = read_audio(SAMPLE)
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(signal_, 40), rate)
    return path


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    found = Held(monkeypatch, "timeline")
    yield found
    found.end.set()


# --- results -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["json", "srt"])
def test_a_job_s_result_is_the_timeline(client: httpx.Client, format_: str) -> None:
    id_ = create(client, response_format=format_)  # longer than is answered at once
    assert ended(client, id_) == "done"
    response = client.get(f"/v1/jobs/{id_}/result")
    expected = timeline(*read_audio(SAMPLE), Classifier(threads=1))
    assert response.text == FORMATS[format_][0](expected, b"")


def test_a_job_can_be_a_page_with_the_sound(client: httpx.Client) -> None:
    id_ = create(client, response_format="html")
    assert ended(client, id_) == "done"
    response = client.get(f"/v1/jobs/{id_}/result")
    assert "data:audio/ogg" in response.text
    assert response.headers["content-disposition"].startswith("attachment")


def test_the_recording_is_private_and_goes_with_the_job(
    service: Service, client: httpx.Client, held: Held
) -> None:
    folder = service.state.settings.folder / "jobs"
    id_ = create(client)
    wait_for(lambda: held.begun)
    (audio,) = folder.glob("*.audio")
    assert stat.S_IMODE(audio.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert audio.read_bytes() == SAMPLE.read_bytes()
    held.end.set()
    assert ended(client, id_) == "done"
    assert not audio.exists()


def test_a_recording_arrives_on_the_disk_where_it_stays(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []
    plain = service.state.jobs.add

    def add(audio: Path, *rest: Any) -> str:
        folders.append(audio.parent)
        return plain(audio, *rest)

    monkeypatch.setattr(service.state.jobs, "add", add)
    create(client)
    assert folders == [service.state.settings.folder / "jobs"]  # no file moves between disks


def test_a_job_that_fails_says_why(service: Service, client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("no audio")
    id_ = create(client, path)
    assert ended(client, id_) == "failed"
    assert client.get(f"/v1/jobs/{id_}").json()["problem"]["code"] == "bad_audio"
    response = client.get(f"/v1/jobs/{id_}/result")
    assert (response.status_code, response.json()["code"]) == (422, "bad_audio")
    assert not [*(service.state.settings.folder / "jobs").glob("*.audio")]


def test_progress_comes_as_events(client: httpx.Client, long: Path) -> None:
    id_ = create(client, long)
    with client.stream("GET", f"/v1/jobs/{id_}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in stream.iter_lines() if line]
    names = [line.partition(": ")[2] for line in lines if line.startswith("event")]
    facts = [json.loads(line.partition(": ")[2]) for line in lines if line.startswith("data")]
    assert names == [*["progress"] * (len(names) - 1), "done"]
    seconds = [fact["done"] for fact in facts]
    assert seconds == sorted(seconds)
    assert any(0 < fact["done"] <= fact["total"] for fact in facts if fact["total"])
    assert facts[-1]["done"] == facts[-1]["total"] > 100
    assert client.get(f"/v1/jobs/{id_}").json() == facts[-1]


def test_progress_is_forgotten_with_its_job(service: Service, client: httpx.Client) -> None:
    id_ = create(client)
    assert ended(client, id_) == "done"
    assert id_ in service.state.jobs.progress
    assert client.delete(f"/v1/jobs/{id_}").status_code == 204
    assert id_ not in service.state.jobs.progress


def test_a_result_is_not_there_before_the_end(client: httpx.Client, held: Held) -> None:
    id_ = create(client)
    wait_for(lambda: held.begun)
    response = client.get(f"/v1/jobs/{id_}/result")
    assert (response.status_code, response.json()["code"]) == (409, "not_ready")
    assert client.post("/v1/audio/emotions", content=b"x").status_code == 422  # not kept waiting


def test_ids_cannot_be_guessed(client: httpx.Client) -> None:
    first, second = create(client), create(client)
    assert len(first) >= 20
    assert first != second
    for path in ("", "/result", "/events"):
        assert client.get(f"/v1/jobs/other{path}").json()["code"] == "not_found"
    assert client.delete("/v1/jobs/..%2Fjobs").status_code in (404, 405)  # 405: the page's
    assert ended(client, second) == "done"


# --- deleting and forgetting ---------------------------------------------------------------------


def test_a_job_can_be_deleted(service: Service, client: httpx.Client, long: Path) -> None:
    id_ = create(client, long)
    wait_for(lambda: client.get(f"/v1/jobs/{id_}").json()["done"] or state(client, id_) == "done")
    assert client.delete(f"/v1/jobs/{id_}").status_code == 204
    assert client.get(f"/v1/jobs/{id_}").status_code == 404
    assert not [*(service.state.settings.folder / "jobs").glob("*.audio")]
    assert ended(client, create(client)) == "done"  # the worker goes on


def test_deleting_stops_the_work(client: httpx.Client, held: Held) -> None:
    id_ = create(client)
    wait_for(lambda: held.begun)
    client.delete(f"/v1/jobs/{id_}")
    create(client)
    wait_for(lambda: held.begun == 2)
    assert held.cancelled == 1


def test_results_are_forgotten(tmp_path: Path) -> None:
    with serving(tmp_path, Limits(result_dur=1.0)) as running, running.client() as client:
        id_ = create(client)
        assert ended(client, id_) == "done"
        wait_for(lambda: client.get(f"/v1/jobs/{id_}").status_code == 404)
        wait_for(lambda: running.state.jobs.store.get(id_) is None)
        wait_for(lambda: id_ not in running.state.jobs.progress)


def test_jobs_are_limited(tmp_path: Path, held: Held) -> None:
    with serving(tmp_path, Limits(jobs=2)) as running, running.client() as client:
        create(client)
        create(client)
        response = client.post("/v1/jobs", content=b"x")
        assert (response.status_code, response.json()["code"]) == (503, "overloaded")
        assert response.headers["retry-after"]
        held.end.set()


# --- restarts ------------------------------------------------------------------------------------


def test_jobs_go_on_after_a_restart(tmp_path: Path, held: Held) -> None:
    with serving(tmp_path) as running, running.client() as client:
        first, second = create(client), create(client, response_format="csv")
        wait_for(lambda: held.begun)
        running.server.handle_exit(signal.SIGTERM, None)
    held.end.set()
    store = Store(tmp_path / "jobs" / "jobs.sqlite")
    assert [job.attempts for job in store.open_jobs()] == [0, 0]  # it was no fault of theirs
    store.close()
    with serving(tmp_path) as running, running.client() as client:
        assert ended(client, first) == ended(client, second) == "done"
        assert client.get(f"/v1/jobs/{second}/result").text.startswith("start,end,label")


def test_a_job_that_was_killed_with_the_service_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "a.audio").write_bytes(SAMPLE.read_bytes())
    (folder / "stranger.audio").write_bytes(b"of a request that was not answered")
    store = Store(folder / "jobs.sqlite")
    store.add("a", "id", {"response_format": "json"})
    store.begin("a")
    store.close()  # as if the power had gone
    with serving(tmp_path) as running, running.client() as client:
        assert ended(client, "a") == "done"
        assert not [*folder.glob("*.audio")]


def test_a_job_that_kills_the_service_is_not_begun_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "a.audio").write_bytes(SAMPLE.read_bytes())
    for _ in range(3):
        store = Store(folder / "jobs.sqlite")
        if store.get("a") is None:
            store.add("a", "id", {"response_format": "json"})
        store.begin("a")
        store.close()
    with serving(tmp_path) as running, running.client() as client:
        assert ended(client, "a") == "failed"
        assert client.get("/v1/jobs/a").json()["problem"]["code"] == "decode_limit"


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    import asyncio

    from audio_emotion.server.app import create_app

    with serving(tmp_path):
        other = create_app(ServerSettings(folder=tmp_path, workers=1)).state.service
        with pytest.raises(ConfigError, match="--folder"):
            asyncio.run(Jobs(other).start())


def test_a_result_is_written_as_a_whole(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.sqlite")
    assert store._database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    store.add("a", "id", {})
    store.finish("a", "text/csv", "", b"x" * 100)
    job = store.get("a")
    assert job
    assert (job.state, store.result("a")) == ("done", b"x" * 100)
    store.delete_ended(time.time() - 1)
    assert store.get("a")
    store.delete_ended(time.time() + 1)
    assert store.get("a") is None
    store.close()


def test_what_ran_when_the_service_ended_waits_again(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    for _ in range(2):
        store = Store(path)
        if store.get("a") is None:
            store.add("a", "id", {})
        job = store.get("a")
        assert job
        assert job.state == "queued"
        store.begin("a")
        store.close()
