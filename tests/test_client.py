"""The client: what a service answers, as the objects that the package gives."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from audio_emotion import Classifier, Client, read_audio, timeline
from audio_emotion import client as client_module
from audio_emotion.errors import (
    AudioError,
    ConfigError,
    OutputError,
    ServiceError,
    SpeakerError,
)
from audio_emotion.notices import Code
from audio_emotion.server.settings import Limits
from audio_emotion.timeline import TimelineSettings
from conftest import SAMPLES
from serving import TOKEN, Service, normal_voice, serving

SAMPLE = SAMPLES / "fast_high.flac"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, Limits(audio_dur=10.0), tokens=(TOKEN,)) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, token=TOKEN) as found:
        yield found


def scripted(monkeypatch: pytest.MonkeyPatch, *answers: httpx.Response | Exception) -> list[float]:
    """Let requests get these answers; return the seconds that the client waits meanwhile."""
    left, waits = list(answers), []

    def post(*_: Any, **__: Any) -> httpx.Response:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        answer.request = httpx.Request("POST", "http://x/v1/audio/timeline")
        return answer

    monkeypatch.setattr(httpx.Client, "post", post)
    monkeypatch.setattr(client_module.time, "sleep", waits.append)
    return waits


def busy(**headers: str) -> httpx.Response:
    problem = {"code": "overloaded", "detail": "ask again", "request_id": "r1"}
    return httpx.Response(503, json=problem, headers=headers)


def test_a_prediction_is_that_of_the_classifier(client: Client) -> None:
    expected = Classifier(threads=1).file(SAMPLE)
    for source in (SAMPLE, str(SAMPLE), SAMPLE.read_bytes()):
        assert client.file(source) == expected
    with SAMPLE.open("rb") as file:
        assert client.file(file) == expected
        assert client.file(file) == expected  # from its start again


def test_a_speaker_is_enrolled_and_used(client: Client, tmp_path: Path) -> None:
    own = Classifier(threads=1)
    normal = normal_voice(tmp_path / "normal.wav")
    me = client.enroll(normal)
    adjusted = own.file(SAMPLE, speaker=me)
    assert client.file(SAMPLE, speaker=me).probabilities == pytest.approx(adjusted.probabilities)
    found = client.timeline(SAMPLE, speaker=me).probabilities
    expected = timeline(*read_audio(SAMPLE), own.for_speaker(me)).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(ServiceError, match="a job takes no speaker"):
        client.timeline(SAMPLE, speaker=me, as_job=True)
    with pytest.raises(SpeakerError, match="another model"):
        client.file(SAMPLE, speaker=replace(me, model=64 * "0"))


@pytest.mark.parametrize("found", ["me.json", ""])
def test_what_is_no_speaker_is_refused(client: Client, found: Any) -> None:
    for attempt in (client.file, client.timeline):
        with pytest.raises(SpeakerError, match=r"is no Speaker; load it with Speaker\.load"):
            attempt(SAMPLE, speaker=found)


def test_what_qualifies_an_enrolment_comes_along(client: Client, tmp_path: Path) -> None:
    signal, rate = read_audio(normal_voice(tmp_path / "normal.wav"))
    soundfile.write(tmp_path / "clipped.wav", np.clip(20 * signal, -1, 1), rate)
    found = client.enroll(tmp_path / "clipped.wav").warnings
    assert Code.CLIPPED in [notice.code for notice in found]
    same = read_audio(tmp_path / "clipped.wav")  # the service says nothing of a file's name
    assert found == Classifier(threads=1).enroll([same]).warnings


def test_a_timeline_is_that_of_the_package(client: Client) -> None:
    settings = TimelineSettings(win_dur=1.0, uncertain_below=0.9)
    expected = timeline(*read_audio(SAMPLE), Classifier(threads=1), settings)
    for as_job in (False, True):
        found = client.timeline(SAMPLE, settings, as_job=as_job)
        assert found.segments == tuple(
            type(s)(round(s.start, 3), round(s.end, 3), s.label, s.confidence)
            for s in expected.segments
        )
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)


def test_a_job_leaves_nothing_with_the_service(service: Service, client: Client) -> None:
    client.timeline(SAMPLE, as_job=True)
    rows = service.state.jobs.store._database.execute("SELECT count(*) FROM jobs").fetchone()
    assert rows[0] == 0


def test_errors_are_those_of_the_package(client: Client, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="not audio"):
        client.file(b"no audio")
    with pytest.raises(AudioError, match="does not exist"):
        client.file(tmp_path / "missing.wav")
    with pytest.raises(ConfigError, match="hop_dur"):
        client.timeline(SAMPLE, TimelineSettings(win_dur=40.0, hop_dur=31.0))


def test_a_service_that_refuses_says_why(service: Service) -> None:
    with Client(service.url) as client, pytest.raises(ServiceError) as raised:
        client.file(SAMPLE)
    assert raised.value.code == "unauthorized"
    assert raised.value.request_id


def test_the_client_waits_for_a_busy_service(monkeypatch: pytest.MonkeyPatch) -> None:
    body = '{"schema": "other"}'
    answers = [busy(**{"Retry-After": "3"}), busy(), busy(**{"Retry-After": "9999"})]
    waits = scripted(monkeypatch, *answers, httpx.Response(200, text=body))
    with (
        Client("http://x") as client,
        pytest.raises(OutputError, match="no audio-emotion-timeline"),
    ):
        client.timeline(b"x")
    assert len(waits) == 3
    for wait, expected in zip(waits, (3.0, 2.0, 30.0), strict=True):
        assert 0.75 * expected <= wait <= 1.25 * expected


def test_the_client_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = scripted(monkeypatch, *[busy(**{"Retry-After": "1"})] * 3)
    with Client("http://x", retries=2) as client, pytest.raises(ServiceError) as raised:
        client.timeline(b"x")
    assert (raised.value.code, raised.value.retry_after) == ("overloaded", 1)
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (httpx.Response(502, text="<html>"), "answers 502"),
        (httpx.Response(400, json=["x"]), "answers 400"),
        (httpx.ConnectError("refused"), "refused"),
    ],
)
def test_what_is_no_service_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception, text: str
) -> None:
    scripted(monkeypatch, answer)
    with Client("http://x") as client, pytest.raises(ServiceError, match=text):
        client.timeline(b"x")


def test_a_code_of_a_newer_service_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, httpx.Response(418, json={"code": "teapot", "detail": "I am a teapot"}))
    with Client("http://x") as client, pytest.raises(ServiceError, match="teapot") as raised:
        client.timeline(b"x")
    assert raised.value.code == "failed"


def test_the_name_of_the_file_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def post(_: Any, path: str, *, files: Any, data: Any, params: Any) -> httpx.Response:
        sent.append((files["file"][0], params))
        return httpx.Response(500, request=httpx.Request("POST", "http://x"))

    monkeypatch.setattr(httpx.Client, "post", post)
    with Client("http://x") as client, pytest.raises(ServiceError):
        client.file(SAMPLE, track=2)
    assert sent == [("recording", {"track": 2})]


def test_without_httpx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match=r"audio-emotion-classifier\[client\]"):
        Client("http://x")


def test_without_fastapi_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from audio_emotion.cli.serve import serve

    for name in [name for name in sys.modules if name.startswith("audio_emotion.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigError, match=r"audio-emotion-classifier\[serve\]"):
        serve()
