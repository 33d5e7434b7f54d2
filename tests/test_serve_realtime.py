"""The WebSocket: the segments of a timeline, while somebody speaks."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from audio_emotion import Classifier, TimelineStream, read_audio, resample
from audio_emotion.server.settings import Limits
from audio_emotion.timeline import NO_SPEECH
from conftest import SAMPLES
from serving import PATIENCE, Service, serving, wait_for

RATE = 16_000  # Hz
HUNDRED_MS = 2 * RATE // 10  # bytes


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service"), Limits(idle_dur=1.0, sessions=2)) as running:
        yield running


def opened(service: Service, query: str = "?encoding=linear16&sample_rate=16000") -> Any:
    url = f"ws://{service.host}:{service.port}/v1/audio/emotions/realtime{query}"
    return connect(url, max_size=None)


def next_event(session: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(session.recv(PATIENCE))
    return found


def events_until(session: ClientConnection, last: str) -> list[dict[str, Any]]:
    found = [next_event(session)]
    while found[-1]["type"] != last:
        found.append(next_event(session))
    return found


def speech() -> bytes:
    """Two utterances with a second of silence after each, as 16-bit samples."""
    parts = []
    for name in ("slow_low.flac", "fast_high.flac"):
        parts += [resample(*read_audio(SAMPLES / name), RATE), np.zeros(RATE, np.float32)]
    return (np.concatenate(parts) * 32_767).astype("<i2").tobytes()


def send(session: ClientConnection, sound: bytes, size: int = HUNDRED_MS) -> None:
    for start in range(0, len(sound), size):
        session.send(sound[start : start + size])


def closed(session: ClientConnection) -> int:
    """Wait for the end of a session, and return its code."""
    frame = None
    try:
        while True:
            session.recv(PATIENCE)
    except ConnectionClosed as end:
        frame = end.rcvd
    assert frame
    return frame.code


@pytest.mark.parametrize("size", [HUNDRED_MS, 1 << 20])
def test_results_are_the_segments_of_a_stream(service: Service, size: int) -> None:
    stream, sound = TimelineStream(Classifier(threads=1)), speech()
    segments = stream.push(np.frombuffer(sound, "<i2"), RATE) + stream.close()
    expected = [s for s in segments if s.label != NO_SPEECH]
    with opened(service) as session:
        send(session, sound, size)
        session.send('{"type": "CloseStream"}')
        events = events_until(session, "session.closed")
        assert closed(session) == 1000
    final = [e for e in events if e["type"] == "result" and e["final"]]
    assert [e["label"] for e in final] == [s.label for s in expected]
    for name in ("start", "end", "confidence"):
        values = [getattr(segment, name) for segment in expected]
        np.testing.assert_allclose([e[name] for e in final], values, atol=6e-4)
    assert events[-1]["duration"] == pytest.approx(len(sound) / 2 / RATE)


def test_a_speaker_adjusts_the_results(service: Service) -> None:
    classifier, sound = Classifier(threads=1), speech()
    speaker = classifier.enroll([(np.frombuffer(sound, "<i2"), RATE)])
    stream = TimelineStream(classifier.for_speaker(speaker))
    segments = stream.push(np.frombuffer(sound, "<i2"), RATE) + stream.close()
    told = json.dumps({"type": "Speaker", "speaker": speaker.as_dict()})
    with opened(service) as session:
        session.send(told)
        send(session, sound)
        session.send('{"type": "CloseStream"}')
        events = events_until(session, "session.closed")
    final = [e["confidence"] for e in events if e["type"] == "result" and e["final"]]
    expected = [s.confidence for s in segments if s.label != NO_SPEECH]
    np.testing.assert_allclose(final, expected, atol=6e-4)
    with opened(service) as session:
        send(session, sound[:HUNDRED_MS])
        session.send(told)
        assert events_until(session, "error")[-1]["detail"] == "the speaker comes before samples"


def test_what_is_no_speaker_ends_the_session(service: Service) -> None:
    with opened(service) as session:
        session.send('{"type": "Speaker", "speaker": {"model": 1}}')
        assert events_until(session, "error")[-1]["code"] == "bad_speaker"
        assert closed(session) == 1008


def test_events_come_in_order(service: Service) -> None:
    with opened(service) as session:
        send(session, speech())
        session.send('{"type": "CloseStream"}')
        events = events_until(session, "session.closed")
    types = [event["type"] for event in events]
    assert (types[0], types[-1]) == ("session.created", "session.closed")
    assert [t for t in types if "utterance" in t] == ["utterance.start", "utterance.end"] * 2
    assert types.index("result") > types.index("utterance.start")
    interim = [e for e in events if e["type"] == "result" and not e["final"]]
    assert interim
    for event in interim:
        assert event["confidence"] == max(event["probabilities"].values())
    starts = [e["start"] for e in events if e["type"] == "result" and e["final"]]
    assert starts == sorted(starts)
    assert len({event["request_id"] for event in events}) == 1


def test_results_come_while_somebody_speaks(service: Service) -> None:
    with opened(service) as session:
        send(session, speech()[: 2 * 5 * RATE // 2])
        events = events_until(session, "result")  # the stream is still open
    assert events[-1]["final"] is False


def test_finalize_answers_what_is_left_and_goes_on(service: Service) -> None:
    sound = speech()[: 2 * RATE]  # within the first utterance
    with opened(service) as session:
        send(session, sound)
        session.send('{"type": "Finalize"}')
        first = events_until(session, "utterance.end")
        assert [e["final"] for e in first if e["type"] == "result"][-1] is True
        send(session, sound)
        session.send('{"type": "CloseStream"}')
        rest = events_until(session, "session.closed")
    (again,) = [e for e in rest if e["type"] == "utterance.start"]
    assert again["start"] >= 1.0
    assert rest[-1]["duration"] == pytest.approx(2.0)


def test_silence_is_no_utterance(service: Service) -> None:
    with opened(service) as session:
        send(session, bytes(2 * 2 * RATE))
        session.send('{"type": "CloseStream"}')
        types = [event["type"] for event in events_until(session, "session.closed")]
    assert types == ["session.created", "session.closed"]


@pytest.mark.parametrize(
    ("message", "text"),
    [(b"x", "two bytes"), ("no JSON", "JSON"), ("[1]", "type"), ('{"type": "Eval"}', "type"),
     ("[" * 100_000, "JSON")],
)  # fmt: skip
def test_a_malformed_message_is_told_and_the_session_goes_on(
    service: Service, message: str | bytes, text: str
) -> None:
    with opened(service) as session:
        next_event(session)
        session.send(message)
        error = next_event(session)
        assert (error["type"], error["code"], error["status"]) == ("error", "bad_frame", 422)
        assert text in error["detail"]
        assert {"title", "problem", "request_id"} <= error.keys()
        session.send('{"type": "CloseStream"}')
        assert next_event(session)["type"] == "session.closed"


def test_a_large_message_ends_the_session(service: Service) -> None:
    with opened(service) as session:
        next_event(session)
        session.send(bytes((1 << 20) + 2))
        assert closed(session) == 1009


@pytest.mark.parametrize(
    "query",
    ["?encoding=mp3", "?sample_rate=7999", "?sample_rate=48001", "?sample_rate=x", "?channels=2",
     "?sample_rate=" + "9" * 5000, "?model=/etc/passwd"],
)  # fmt: skip
def test_bad_parameters_are_told(service: Service, query: str) -> None:
    with opened(service, query) as session:
        error = next_event(session)
        assert (error["type"], error["code"]) == ("error", "bad_setting")
        assert closed(session) == 1008


def test_a_silent_client_is_cut_off_unless_it_keeps_alive(service: Service) -> None:
    with opened(service) as session:
        next_event(session)
        stop = threading.Event()

        def keep_alive() -> None:
            for _ in range(4):
                session.send('{"type": "KeepAlive"}')
                stop.wait(0.5)

        keep_alive()
        with pytest.raises(TimeoutError):
            session.recv(0)
        types = [event["type"] for event in events_until(session, "error")]
        assert types == ["session.closed", "error"]
        assert closed(session) == 1008


def test_sessions_are_limited(service: Service) -> None:
    wait_for(lambda: service.state.sessions.open == 0)
    with opened(service) as first, opened(service) as second:
        next_event(first)
        next_event(second)
        with opened(service) as third:
            error = next_event(third)
            assert error["code"] == "overloaded"
            assert closed(third) == 1013
    wait_for(lambda: service.state.sessions.open == 0)


def test_a_session_has_an_end(tmp_path: Path) -> None:
    with serving(tmp_path, Limits(session_dur=0.8)) as running, opened(running) as session:
        stop = threading.Event()

        def chatter() -> None:
            while not stop.wait(0.05):
                try:
                    session.send('{"type": "KeepAlive"}')
                except ConnectionClosed:
                    return

        thread = threading.Thread(target=chatter)
        thread.start()
        assert closed(session) == 1008
        stop.set()
        thread.join()


def test_a_session_ends_with_the_service_and_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as running, opened(running) as session:
        send(session, speech()[: 2 * RATE])
        events_until(session, "utterance.start")
        running.server.handle_exit(signal.SIGTERM, None)
        events = events_until(session, "error")
        assert [e for e in events if e["type"] == "result" and e["final"]]
        assert [e["type"] for e in events[-2:]] == ["session.closed", "error"]
        assert events[-1]["code"] == "shutting_down"
        assert closed(session) == 1013
