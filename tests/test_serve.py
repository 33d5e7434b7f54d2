"""The service's answers: the same as those of the package, in every format."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pysubs2
import pytest
import soundfile

from audio_emotion import Classifier, explain, read_audio, timeline
from audio_emotion.formats.timelines import FORMATS, parse_json
from audio_emotion.inference.speaker import Speaker
from audio_emotion.notices import Code
from audio_emotion.server.problems import PROBLEMS
from conftest import RATE, SAMPLES, voice
from serving import Service, normal_voice, serving

SAMPLE = SAMPLES / "fast_high.flac"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as found:
        yield found


def ask(client: httpx.Client, what: str, path: Path = SAMPLE, **options: Any) -> httpx.Response:
    with path.open("rb") as file:
        return client.post(f"/v1/audio/{what}", files={"file": file}, **options)


def silence(tmp_path: Path) -> Path:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(RATE), RATE)
    return path


# --- emotions --------------------------------------------------------------------------------


def test_the_answer_is_that_of_the_classifier(client: httpx.Client) -> None:
    found = ask(client, "emotions").json()
    expected = Classifier(threads=1).file(SAMPLE)
    assert list(found) == [
        *("id", "model", "duration", "speech_dur", "label", "confidence", "confident"),
        *("runner_up", "probabilities", "warnings"),
    ]
    assert {key: found[key] for key in expected.as_dict()} == expected.as_dict()
    assert found["runner_up"] == expected.ranking[1]
    assert found["model"] == "default"


@pytest.mark.parametrize("media_type", ["audio/flac", "application/octet-stream", None])
def test_a_recording_can_be_the_body_itself(client: httpx.Client, media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    found = client.post("/v1/audio/emotions", content=SAMPLE.read_bytes(), headers=headers).json()
    form = ask(client, "emotions").json()
    assert {**found, "id": ""} == {**form, "id": ""}


def test_csv_has_a_column_for_each_label(client: httpx.Client) -> None:
    response = ask(client, "emotions", headers={"Accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(response.text))
    assert float(row["happy"]) == pytest.approx(float(row["confidence"]))
    assert row["file"] == response.headers["x-request-id"]


def test_no_speech_is_an_answer(client: httpx.Client, tmp_path: Path) -> None:
    response = ask(client, "emotions", silence(tmp_path))
    found = response.json()
    assert (found["label"], found["confidence"], found["runner_up"]) == ("no speech", None, None)
    assert [warning["code"] for warning in found["warnings"]] == ["no_speech"]
    assert response.headers["x-audio-warnings"] == "no_speech"


def test_a_recording_that_ends_early_says_so_in_every_format(
    client: httpx.Client, tmp_path: Path
) -> None:
    path = tmp_path / "cut.ogg"
    path.write_bytes((SAMPLES / "trembling.ogg").read_bytes()[:-4000])
    for what, format_ in [("emotions", "csv"), ("timeline", "srt"), ("timeline", "json")]:
        response = ask(client, what, path, params={"response_format": format_})
        assert response.status_code == 200
        assert "cut_short" in response.headers["x-audio-warnings"].split()


def test_a_part_of_a_timeline_is_no_answer(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    soundfile.write(path, np.tile(voice(), 20), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # a wav header promises more
    response = ask(client, "timeline", path)
    assert response.status_code == 422
    assert "truncated" in response.json()["detail"]


# --- timeline, explain -------------------------------------------------------------------------


@pytest.mark.parametrize("format_", [name for name in FORMATS if name not in {"table", "html"}])
def test_a_timeline_in_every_format(client: httpx.Client, format_: str) -> None:
    path = SAMPLES / "slow_low.flac"
    response = ask(client, "timeline", path, params={"response_format": format_})
    expected = FORMATS[format_][0](timeline(*read_audio(path), Classifier(threads=1)), b"")
    assert response.text == expected


def test_a_timeline_as_a_page_is_a_download(client: httpx.Client) -> None:
    response = ask(client, "timeline", params={"response_format": "html"})
    assert "data:audio/ogg" in response.text
    assert response.headers["content-disposition"] == 'attachment; filename="answer.html"'


def test_options_come_by_query_or_as_a_part(client: httpx.Client) -> None:
    path = SAMPLES / "slow_low.flac"
    options = {"uncertain_below": 1.0, "response_format": "srt"}
    by_query = ask(client, "timeline", path, params=options)
    by_part = ask(client, "timeline", path, data={"options": json.dumps(options)})
    assert by_query.text == by_part.text
    assert {cue.text.split()[0] for cue in pysubs2.SSAFile.from_string(by_part.text)} == {
        "uncertain"
    }


@pytest.mark.parametrize(
    "options",
    [{"step_dur": 1e-9}, {"hop_dur": 1e-6}, {"win_dur": -1}, {"hop_dur": 3.0}, {"what": 1},
     {"win_dur": "NaN"}, {"response_format": "exe"}, {"track": 0}],
)  # fmt: skip
def test_options_out_of_range_are_refused(client: httpx.Client, options: dict[str, Any]) -> None:
    for sent in ({"params": options}, {"data": {"options": json.dumps(options)}}):
        response = ask(client, "timeline", **sent)
        assert (response.status_code, response.json()["code"]) == (422, "bad_setting")


def test_an_explanation_is_that_of_the_package(client: httpx.Client) -> None:
    found = ask(client, "explain").json()
    expected = explain(*read_audio(SAMPLE), Classifier(threads=1))
    assert found["sentence"] == expected.sentence()
    np.testing.assert_allclose(found["evidence"]["happy"], expected.of("happy"), atol=1e-5)
    assert len(found["times"]) == len(expected.times)


def test_an_explanation_can_be_a_drawing(client: httpx.Client) -> None:
    from xml.etree import ElementTree

    response = ask(client, "explain", headers={"Accept": "image/svg+xml"})
    root = ElementTree.fromstring(response.text)
    cells = explain(*read_audio(SAMPLE), Classifier(threads=1)).evidence[0].size
    assert len(root.findall("{http://www.w3.org/2000/svg}rect")) == 1 + cells


# --- formats, errors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/csv", "text/csv"),
        ("text/vtt;q=0.1, text/csv;q=0.2", "text/csv"),
        ("text/*", "text/csv"),
        ("application/pdf, */*;q=0.1", "application/json"),
        ("application/x-subrip", "application/x-subrip"),
    ],
)
def test_the_format_follows_accept(client: httpx.Client, accept: str, expected: str) -> None:
    response = ask(client, "timeline", headers={"Accept": accept})
    assert response.headers["content-type"].partition(";")[0] == expected


def test_a_format_that_is_not_there_is_refused(client: httpx.Client) -> None:
    response = ask(client, "emotions", headers={"Accept": "application/pdf"})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


def test_errors_are_problems_with_a_code_and_the_id_of_the_request(client: httpx.Client) -> None:
    response = ask(client, "emotions", Path(__file__), headers={"X-Request-ID": "mine-7"})
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == "mine-7"
    assert response.json() == {
        "type": "/docs#bad_audio",
        "title": "The recording cannot be used",
        "status": 422,
        "detail": "the recording is not audio in any format known here",
        "code": "bad_audio",
        "request_id": "mine-7",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/no/such", 404, "not_found"), ("PUT", "/v1/audio/emotions", 405, "bad_method")],
)
def test_the_errors_of_the_framework_are_problems_too(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_an_error_that_nobody_foresaw_shows_nothing(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("/home/secret")

    monkeypatch.setattr(service.state.metrics, "text", fail)
    response = client.get("/metrics")
    assert (response.status_code, response.json()["code"]) == (500, "failed")
    assert "secret" not in response.text


def test_every_code_of_an_error_is_in_the_table() -> None:
    codes = list(Code)
    errors = set(codes[codes.index(Code.BAD_REQUEST) :])
    assert errors <= set(PROBLEMS)
    assert all(400 <= status < 600 for status, _ in PROBLEMS.values())


# --- what the service says of itself ----------------------------------------------------------


def test_the_model_is_described(client: httpx.Client) -> None:
    import hashlib

    classifier = Classifier()
    (found,) = client.get("/v1/models").json()["data"]
    assert client.get(f"/v1/models/{found['id']}").json() == found
    assert found["sha256"] == hashlib.sha256(classifier.path.read_bytes()).hexdigest()
    assert found["labels"] == list(classifier.labels)
    assert found["licence"] == classifier.info.licence
    assert "not for decisions about people" in found["intended_use"]
    assert client.get("/v1/models/other").json()["code"] == "not_found"


def test_metrics_count_and_say_nothing_of_recordings(client: httpx.Client) -> None:
    ask(client, "emotions")
    ask(client, "emotions", Path(__file__))
    text = client.get("/metrics").text
    for line in (
        'http_requests_total{method="POST",route="/v1/audio/emotions",status="200"}',
        'audio_emotion_rejected_total{reason="bad_audio"}',
        'audio_emotion_predictions_total{confident="false",label="happy"}',
        'audio_emotion_queue_depth{pool="requests"} 0.0',
        "audio_emotion_audio_seconds_total",
        "audio_emotion_queue_seconds_count",
        "audio_emotion_decode_seconds_count",
        "audio_emotion_inference_seconds_count",
    ):
        assert line in text
    assert SAMPLE.name not in text


def test_the_description_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    for path in ("/docs", "/docs/docs.js", "/docs/docs.css"):
        response = client.get(path)
        assert response.status_code == 200
        assert "http://" not in response.text.replace("http://www.w3.org", "")
        assert "https://" not in response.text
        assert "script-src 'self'" in response.headers["content-security-policy"]
    assert client.get("/docs/..%2Fapp.py").status_code == 404


def test_every_example_of_the_description_can_be_sent(client: httpx.Client, normal: Path) -> None:
    api = client.get("/openapi.json").json()
    tried = 0
    for path, methods in api["paths"].items():
        for method, described in methods.items():
            form = described.get("requestBody", {}).get("content", {}).get("multipart/form-data")
            if form:
                data = {"options": json.dumps(form["example"]["options"])}
                with normal.open("rb") as file:
                    response = client.request(method, path, files={"file": file}, data=data)
                assert response.status_code in map(
                    int, filter(str.isdecimal, described["responses"])
                )
                tried += 1
    assert tried == 5
    assert {problem["code"] for problem in api["x-problems"]} == set(map(str, PROBLEMS))


def test_the_examples_of_answers_have_the_keys_of_answers(client: httpx.Client) -> None:
    api = client.get("/openapi.json").json()

    def example(path: str, status: str, media_type: str = "application/json") -> dict[str, Any]:
        content = api["paths"][path]["post"]["responses"][status]["content"]
        found: dict[str, Any] = content[media_type]["example"]
        return found

    assert example("/v1/audio/emotions", "200").keys() == ask(client, "emotions").json().keys()
    with SAMPLE.open("rb") as file:
        job = client.post("/v1/jobs", files={"file": file}).json()
    assert example("/v1/jobs", "202").keys() == job.keys() - {"problem"}  # which is null
    problem = ask(client, "emotions", Path(__file__)).json()
    found = example("/v1/audio/emotions", "4XX", "application/problem+json")
    assert {**found, "request_id": ""} == {**problem, "request_id": ""}


def test_a_timeline_comes_back_from_its_json() -> None:
    expected = timeline(*read_audio(SAMPLE))
    found = parse_json(FORMATS["json"][0](expected, b""))
    assert found.labels == expected.labels
    assert [s.label for s in found.segments] == [s.label for s in expected.segments]
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)


# --- speakers --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough speech for an enrolment."""
    return normal_voice(tmp_path_factory.mktemp("normal") / "normal.wav")


@pytest.fixture(scope="module")
def enrolled(service: Service, normal: Path) -> str:
    """A speaker's file from the service."""
    with service.client() as client, normal.open("rb") as file:
        response = client.post("/v1/speakers", files={"file": file})
    assert response.status_code == 200, response.text
    return response.text


def test_a_speaker_is_that_of_the_package(enrolled: str, normal: Path) -> None:
    speaker = Speaker.parse(enrolled, "the answer")
    expected = Classifier(threads=1).enroll([normal])
    assert speaker.as_dict() == {
        **expected.as_dict(),
        "log_probabilities": pytest.approx(expected.log_probabilities, abs=1e-5),
    }
    assert speaker.warnings == expected.warnings


def test_a_speaker_adjusts_every_answer(client: httpx.Client, enrolled: str) -> None:
    speaker = Speaker.parse(enrolled, "the answer")
    own = Classifier(threads=1)
    data = {"speaker": enrolled}
    found = ask(client, "emotions", data=data).json()
    adjusted, plain = own.file(SAMPLE, speaker=speaker), own.file(SAMPLE)
    assert found["probabilities"] == pytest.approx(adjusted.probabilities, abs=1e-6)
    assert found["probabilities"] != pytest.approx(plain.probabilities, abs=1e-3)
    made = parse_json(ask(client, "timeline", data=data).content)
    expected = timeline(*read_audio(SAMPLE), own.for_speaker(speaker))
    np.testing.assert_allclose(made.probabilities, expected.probabilities, atol=2e-4)
    told = ask(client, "explain", data=data).json()
    assert told["probabilities"] == pytest.approx(
        explain(*read_audio(SAMPLE), own.for_speaker(speaker)).probabilities, abs=1e-4
    )


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": "other"}', "{" * 5000, '{"model": "' + "0" * 70_000 + '"}']
)
def test_what_is_no_speaker_is_refused(client: httpx.Client, text: str) -> None:
    response = ask(client, "emotions", data={"speaker": text})
    assert response.status_code in {400, 413, 422}
    assert response.json()["code"] in {"bad_speaker", "bad_request", "too_large"}


def test_another_model_s_speaker_is_refused(client: httpx.Client, enrolled: str) -> None:
    other = json.dumps({**json.loads(enrolled), "model": 64 * "0"})
    problem = ask(client, "emotions", data={"speaker": other}).json()
    assert problem["code"] == "bad_speaker"
    assert "another model" in problem["detail"]


def test_too_little_speech_is_no_speaker(client: httpx.Client, tmp_path: Path) -> None:
    with silence(tmp_path).open("rb") as file:
        problem = client.post("/v1/speakers", files={"file": file}).json()
    assert (problem["status"], problem["code"]) == (422, "bad_audio")
    short = client.post("/v1/speakers", files={"file": (SAMPLES / "flat.flac").read_bytes()})
    for detail in (problem["detail"], short.json()["detail"]):
        assert "record" in detail.partition(":")[2]  # advice that a form with one file can follow
        assert not re.search("recordings|leave it out", detail)
