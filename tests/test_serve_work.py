"""How the service works: decoders of strangers' recordings, the queue, cancelling and ending."""

import io
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import soundfile

from audio_emotion import read_audio
from audio_emotion.errors import AudioError, ModelError, OutputError, ServiceError
from audio_emotion.server.run import run
from audio_emotion.server.settings import Limits, ServerSettings
from audio_emotion.server.work.decoder import CancelledWork, Decoder, Recording
from audio_emotion.server.work.tasks import Answer, Task
from conftest import RATE, SAMPLES, through_ffmpeg, voice
from serving import PATIENCE, TOKEN, Held, Service, serving, wait_for

SAMPLE = SAMPLES / "fast_high.flac"
MUCH = {"max_dur": 600.0, "max_samples": 1 << 26, "cpu_dur": 30.0}


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    found = Decoder(Limits(stall_dur=2.0))
    found.start()
    yield found
    found.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one worker, where nobody can wait."""
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, Limits(audio_dur=10.0), waiting=0, tokens=(TOKEN,)) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client(headers={"X-API-Key": TOKEN}) as found:
        yield found


def post(client: httpx.Client, content: bytes, what: str = "emotions") -> httpx.Response:
    return client.post(f"/v1/audio/{what}", files={"file": content})


def post_alone(service: Service) -> httpx.Response:
    with service.client() as client:
        return post(client, SAMPLE.read_bytes())


def decoded(decoder: Decoder, path: Path, **limits: Any) -> np.ndarray:
    with decoder.open(Recording(path, **{**MUCH, **limits})) as stream:
        return np.concatenate([block[:, 0] for block in stream.blocks])


def process_of(decoder: Decoder) -> int:
    assert decoder._process
    return decoder._process.pid


# --- decoders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["slow_low.flac", "trembling.ogg"])
def test_a_decoder_gives_the_samples_of_the_package(decoder: Decoder, name: str) -> None:
    np.testing.assert_array_equal(decoded(decoder, SAMPLES / name), read_audio(SAMPLES / name)[0])


def test_notices_and_errors_come_through(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "opposite.wav"
    soundfile.write(path, np.stack([voice(), -voice()], 1), RATE)
    with decoder.open(Recording(path, **MUCH)) as stream:
        assert sum(map(len, stream.blocks)) == len(voice())
    assert [notice.code for notice in stream.notices] == ["channels_cancel"]
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(AudioError, match="the recording is truncated"):
        decoded(decoder, path)
    before = process_of(decoder)
    assert len(decoded(decoder, SAMPLE))
    assert process_of(decoder) == before  # a bad recording costs no process


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_decoder_has_little_of_everything(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIO_EMOTION_TOKEN", TOKEN)
    decoder.close()
    decoder.start()
    decoded(decoder, SAMPLE, cpu_dur=7.0)
    folder = Path(f"/proc/{process_of(decoder)}")
    lines = (folder / "limits").read_text().splitlines()
    soft = {line[:26].strip(): line[26:47].strip() for line in lines}
    memory = int((folder / "statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    assert 0 < int(soft["Max address space"]) - memory <= decoder.limits.decode_memory
    assert 7 <= int(soft["Max cpu time"]) <= 15
    assert soft["Max file size"] == soft["Max core file size"] == "0"
    assert TOKEN.encode() not in (folder / "environ").read_bytes()
    alone = (folder / "ns" / "net").readlink() != Path("/proc/self/ns/net").readlink()
    assert alone is not decoder.network


def in_sandbox(program: str) -> subprocess.CompletedProcess[str]:
    begin = "from audio_emotion.server.work.sandbox import _allow_seconds, _leave_network, _limit\n"
    return subprocess.run(
        [sys.executable, "-c", begin + program],
        env=dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_a_decoder_s_memory_ends() -> None:
    result = in_sandbox("_limit(1 << 26)\nbytearray(1 << 25)\nbytearray(1 << 27)")
    assert "MemoryError" in result.stderr


def test_a_decoder_s_time_ends() -> None:
    assert in_sandbox("_allow_seconds(0)\nwhile True: pass").returncode == -signal.SIGXCPU


def test_a_decoder_writes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "written"
    result = in_sandbox(
        f"_limit(1 << 28)\nwith open({str(path)!r}, 'wb') as file: file.write(b'x')"
    )
    assert result.returncode
    assert not path.exists() or not path.read_bytes()


def test_a_decoder_has_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        address = trap.getsockname()
        result = in_sandbox(
            "import socket\nif not _leave_network(): raise SystemExit('skip')\n"
            f"socket.create_connection({address!r}, timeout=1)"
        )
    if result.stderr.startswith("skip"):
        pytest.skip("the system does not let this user leave its network")
    assert "OSError" in result.stderr or "TimeoutError" in result.stderr


def test_a_decoder_that_hangs_is_killed(decoder: Decoder) -> None:
    decoder.start()
    before = process_of(decoder)
    os.kill(before, signal.SIGSTOP)
    with pytest.raises(ServiceError, match="time") as raised:
        decoded(decoder, SAMPLE, cpu_dur=1.0)
    assert raised.value.code == "decode_limit"
    assert len(decoded(decoder, SAMPLE))
    assert process_of(decoder) != before


def test_the_sound_of_a_page_is_that_of_the_track(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "two.mka"
    path.write_bytes(two_tracks())
    loud = [decoder.encode(Recording(path, track=track, **MUCH))[0].max() for track in (1, 2)]
    assert loud[0] == pytest.approx(0.1, abs=0.05)
    assert loud[1] == pytest.approx(0.8, abs=0.05)


def two_tracks() -> bytes:
    """A quiet tone and a loud one."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="matroska") as output:
        for _ in range(2):
            output.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for track, level in zip(output.streams, (0.1, 0.8), strict=True):
            tone = level * np.sin(np.arange(RATE) / 9)
            pcm = np.round(tone * 32_767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate = RATE
            for packet in [*track.encode(frame), *track.encode(None)]:
                output.mux(packet)
    return stream.getvalue()


def test_encoding_may_take_longer_than_a_block(tmp_path: Path) -> None:
    patient = Decoder(Limits(stall_dur=0.0))
    peaks, opus = patient.encode(Recording(SAMPLES / "slow_low.flac", **MUCH))
    patient.close()
    assert len(peaks)
    assert opus.startswith(b"OggS")


def test_a_decoder_that_crashes_is_replaced(decoder: Decoder) -> None:
    recording = Recording(SAMPLE, **MUCH)
    with decoder.open(recording):
        os.kill(process_of(decoder), signal.SIGSEGV)
        decoder._process.wait()  # type: ignore[union-attr]
        with pytest.raises(ServiceError) as raised:
            decoder._receive(recording, 1.0)  # all of it had arrived before the crash
    assert raised.value.code == "decode_limit"
    assert len(decoded(decoder, SAMPLE))


def test_a_decoder_stops_when_nobody_wants_the_answer(decoder: Decoder) -> None:
    recording = Recording(SAMPLE, **MUCH)
    recording.cancelled.set()
    with pytest.raises(CancelledWork), decoder.open(recording):
        pass
    assert len(decoded(decoder, SAMPLE))


# --- recordings that attack --------------------------------------------------------------------


def traps(path: Path, port: int) -> dict[str, str]:
    """Files that name another file or an address, by their container."""
    url = f"http://127.0.0.1:{port}/x.wav"
    segments = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\n{}\n#EXT-X-ENDLIST\n"
    return {
        "hls-address": segments.format(url),
        "hls-file": segments.format(path),
        "hls-protocol": segments.format(f"file://{path}"),
        "ffconcat": f"ffconcat version 1.0\nfile '{path}'\n",
        "ffconcat-relative": f"ffconcat version 1.0\nfile {os.path.relpath(SAMPLE)}\n",
        "concat": f"file '{path}'\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT5S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        f"<Period><AdaptationSet mimeType='audio/mp4'><Representation id='1' bandwidth='9'>"
        f"<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=audio {port} RTP/AVP 0\na=rtpmap:0 PCMU/8000\n",
        "asx": f'<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
    }


@pytest.mark.parametrize("kind", traps(Path(), 0))
def test_a_recording_opens_no_other_file_and_no_socket(
    client: httpx.Client, wav: Path, kind: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.1)
        text = traps(wav, trap.getsockname()[1])[kind]
        response = post(client, text.encode())
        with pytest.raises(TimeoutError):
            trap.accept()
    assert (response.status_code, response.json()["code"]) == (422, "bad_audio")


@pytest.mark.parametrize("format_", ["MAT5", "PVF", "XI", "SVX", "IRCAM", "VOC", "AVR"])
def test_only_plain_containers_are_opened(
    client: httpx.Client, tmp_path: Path, format_: str
) -> None:
    path = tmp_path / "sound"
    subtype = "DPCM_16" if format_ == "XI" else "PCM_16"
    soundfile.write(path, voice(), RATE, format=format_, subtype=subtype)
    response = post(client, path.read_bytes())
    assert (response.status_code, response.json()["code"]) == (422, "bad_audio")
    assert "container" in response.json()["detail"]


@pytest.mark.parametrize(
    ("container", "codec"), [("matroska", "libopus"), ("mp4", "aac"), ("adts", "aac")]
)
def test_plain_containers_of_ffmpeg_are_decoded(
    client: httpx.Client, container: str, codec: str
) -> None:
    response = post(client, through_ffmpeg(voice(), container, codec, RATE))
    assert response.status_code == 200
    assert response.json()["duration"] == pytest.approx(len(voice()) / RATE, abs=0.1)


@pytest.mark.parametrize("what", ["emotions", "timeline", "explain"])
def test_a_small_file_of_many_seconds_is_refused(
    client: httpx.Client, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "bomb.flac"
    soundfile.write(path, np.zeros(20 * RATE, np.int16), RATE)
    assert path.stat().st_size < 20_000
    response = post(client, path.read_bytes(), what)
    assert (response.status_code, response.json()["code"]) == (413, "too_long")
    assert "/v1/jobs" in response.json()["detail"]


def test_a_small_file_of_many_samples_is_refused(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "bomb.flac"
    for samples, status in [(400_000, 200), (500_000, 413)]:  # both less than a second
        soundfile.write(path, np.zeros((samples, 8), np.int16), 655_350)
        assert post(client, path.read_bytes()).status_code == status


def test_nothing_of_a_recording_stays(service: Service, client: httpx.Client) -> None:
    folder = service.state.uploads
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    seen: list[int] = []
    plain = Task.emotions

    def watched(task: Task, worker: Any) -> Answer:
        seen.append(stat.S_IMODE(task.recording.path.stat().st_mode))
        return plain(task, worker)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "emotions", watched)
        post(client, SAMPLE.read_bytes())
    post(client, b"no audio")
    assert seen == [0o600]
    assert list(folder.iterdir()) == []


# --- the queue -----------------------------------------------------------------------------------


@pytest.fixture
def block(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    found = Held(monkeypatch, "emotions")
    yield found
    found.end.set()


def test_a_full_queue_refuses_at_once_and_loses_nothing(
    service: Service, client: httpx.Client, block: Held
) -> None:
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(post, client, SAMPLE.read_bytes())
        wait_for(lambda: block.begun)
        with service.client(headers={"X-API-Key": TOKEN}) as other:
            for what in ("emotions", "timeline", "explain"):
                refused = post(other, SAMPLE.read_bytes(), what)
                assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
                assert int(refused.headers["retry-after"]) >= 1
            assert other.get("/healthz").status_code == 200
            assert 'audio_emotion_queue_depth{pool="requests"} 1.0' in other.get("/metrics").text
        block.end.set()
        assert first.result().json()["label"] == "happy"
    wait_for(lambda: service.state.pool.depth == 0)
    assert post(client, SAMPLE.read_bytes()).status_code == 200


def test_a_recording_on_its_way_keeps_others_out_for_a_moment(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a busy service lets in many at once, and refuses them after their bodies."""
    monkeypatch.setattr("audio_emotion.server.work.pool.ARRIVAL_DUR", 2.0)
    sound, pool = SAMPLE.read_bytes(), service.state.pool
    head = (
        f"POST /v1/audio/emotions HTTP/1.1\r\nHost: {service.host}:{service.port}\r\n"
        f"X-API-Key: {TOKEN}\r\nContent-Length: {len(sound)}\r\n\r\n"
    )
    wait_for(lambda: pool.depth == 0)
    with socket.create_connection((service.host, service.port), timeout=PATIENCE) as slow:
        slow.sendall(head.encode() + sound[:100])
        wait_for(lambda: pool._arriving)
        refused = post(client, sound)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        wait_for(lambda: post(client, sound).status_code == 200)
        wait_for(lambda: pool.depth == 0)
        slow.sendall(sound[100:])
        assert slow.recv(12) == b"HTTP/1.1 200"
    assert not pool._arriving


def test_a_client_that_leaves_cancels_its_work(service: Service, block: Held) -> None:
    with (
        httpx.Client(base_url=service.url, headers={"X-API-Key": TOKEN}, timeout=0.5) as impatient,
        pytest.raises(httpx.ReadTimeout),
    ):
        post(impatient, SAMPLE.read_bytes())
    wait_for(lambda: block.cancelled)
    wait_for(lambda: service.state.pool.depth == 0)


def test_a_client_that_leaves_while_it_waits_costs_nothing(tmp_path: Path, block: Held) -> None:
    with serving(tmp_path, waiting=1) as running, ThreadPoolExecutor(1) as thread:
        first = thread.submit(post_alone, running)
        wait_for(lambda: block.begun)
        with (
            httpx.Client(base_url=running.url, timeout=0.3) as impatient,
            pytest.raises(httpx.ReadTimeout),
        ):
            post(impatient, SAMPLE.read_bytes())
        wait_for(lambda: running.state.pool.depth == 1)
        block.end.set()
        assert first.result().status_code == 200
    assert block.begun == 1


def test_an_answer_that_comes_too_late_is_no_answer(
    service: Service, client: httpx.Client, block: Held
) -> None:
    headers = {"X-Answer-Within": "0.2"}
    response = client.post("/v1/audio/emotions", content=SAMPLE.read_bytes(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (504, "deadline")
    wait_for(lambda: block.cancelled)
    wait_for(lambda: service.state.pool.depth == 0)


@pytest.mark.parametrize("within", ["soon", "0", "-1", "nan"])
def test_a_deadline_is_a_number(client: httpx.Client, within: str) -> None:
    headers = {"X-Answer-Within": within}
    response = client.post("/v1/audio/emotions", content=b"x", headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def test_answers_are_not_mixed_up(tmp_path: Path) -> None:
    paths = sorted(path for path in SAMPLES.iterdir() if path.suffix in {".flac", ".ogg"})
    with serving(tmp_path, workers=2, waiting=64) as running, running.client() as client:
        expected = {path: post(client, path.read_bytes()).json() for path in paths}

        def ask(path: Path) -> tuple[Path, dict[str, Any]]:
            return path, post(client, path.read_bytes()).json()

        with ThreadPoolExecutor(6) as threads:
            for path, found in threads.map(ask, paths * 4):
                assert {**found, "id": ""} == {**expected[path], "id": ""}


# --- the end -------------------------------------------------------------------------------------


def test_the_end_waits_for_what_runs_and_takes_nothing_new(tmp_path: Path, block: Held) -> None:
    with (
        serving(tmp_path) as running,
        running.client() as client,
        ThreadPoolExecutor(1) as thread,
    ):
        assert client.get("/readyz").json() == {"status": "ok"}
        first = thread.submit(post_alone, running)
        wait_for(lambda: block.begun)
        running.server.handle_exit(signal.SIGTERM, None)
        time.sleep(0.5)  # for which a service that does not wait would have closed its door
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "ending"})
        for path in ("/v1/audio/emotions", "/v1/jobs"):
            refused = client.post(path, content=SAMPLE.read_bytes())
            assert (refused.status_code, refused.json()["code"]) == (503, "shutting_down")
            assert refused.headers["retry-after"]
        assert client.get("/healthz").status_code == 200
        block.end.set()
        assert first.result().json()["label"] == "happy"
        wait_for(lambda: running.server.should_exit)


def test_the_end_does_not_wait_for_ever(tmp_path: Path, block: Held) -> None:
    with (
        serving(tmp_path, Limits(drain_dur=0.2)) as running,
        ThreadPoolExecutor(1) as thread,
    ):
        first = thread.submit(post_alone, running)
        wait_for(lambda: block.begun)
        running.server.handle_exit(signal.SIGTERM, None)
        wait_for(lambda: running.server.should_exit)
        block.end.set()
        first.exception()


def test_the_command_serves_and_ends_by_sigterm(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from audio_emotion.cli.app import main; main()"]
    command = [*program, "serve", "--port", "0", "--folder", str(tmp_path), "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            begun = ""
            while not (named := re.search(r"http://127\.0\.0\.1:(\d+)", begun)):
                line = process.stderr.readline() if process.stderr else ""
                assert line, begun
                begun += line
            port = int(named[1])
            assert port  # the one that the system chose
            wait_for(lambda: answers(port))
            response = httpx.post(
                f"http://127.0.0.1:{port}/v1/audio/emotions",
                files={"file": SAMPLE.read_bytes()},
                timeout=PATIENCE,
            )
            assert response.json()["label"] == "happy"
            process.send_signal(signal.SIGTERM)
            _, error = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "POST /v1/audio/emotions 200" in error


def test_a_service_that_cannot_begin_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {"port": 0, "workers": 1, "folder": tmp_path / "state"}
    with pytest.raises(ModelError, match="there is no model file"):
        run(ServerSettings(model=tmp_path / "missing.onnx", **options))
    (tmp_path / "state").write_text("a file")
    with pytest.raises(OutputError):
        run(ServerSettings(**options))
    assert "Traceback" not in caplog.text


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False
