"""What the service refuses: each attack of docs/security.md that a request can make."""

import json
import logging
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from audio_emotion.cli.serve import _tokens
from audio_emotion.errors import ConfigError, ServiceError
from audio_emotion.server.app import create_app
from audio_emotion.server.guards.allow import Allow, Tokens
from audio_emotion.server.settings import Limits, ServerSettings
from conftest import SAMPLES
from serving import PATIENCE, TOKEN, Service, serving

SAMPLE = SAMPLES / "fast_high.flac"
SMALL = Limits(
    body=100_000, job_body=200_000, small_body=1_000, fields=2, failures=3, chunk_dur=0.5,
    body_dur=2.0, job_body_dur=60.0, header_dur=0.5, keep_alive_dur=60.0,
)  # fmt: skip
REALTIME = "/v1/audio/emotions/realtime"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with small limits, which needs no token."""
    with serving(tmp_path_factory.mktemp("service"), SMALL) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that needs a token, and that one page may use."""
    folder = tmp_path_factory.mktemp("guarded")
    options: dict[str, Any] = {"tokens": (TOKEN,), "allowed_origins": ("https://page.example",)}
    with serving(folder, SMALL, **options) as running:
        yield running


def head(service: Service, path: str = "/v1/audio/emotions", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {service.host}:{service.port}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def raw(service: Service, *parts: bytes, pause: float = 0.0) -> tuple[int, bytes]:
    """Send parts over a socket; return the status, 0 if there is none, and the answer."""
    with socket.create_connection((service.host, service.port), timeout=PATIENCE) as connection:
        with suppress(ConnectionError):  # the service may have had enough
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        answer = received(connection)
    return int(answer.split()[1]) if answer else 0, answer


def received(connection: socket.socket) -> bytes:
    """Return one answer, or what there is of it when the connection ends."""
    answer = b""
    with suppress(ConnectionError):
        while not complete(answer) and (more := connection.recv(65_536)):
            answer += more
    return answer


def complete(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
    return bool(end) and len(body) >= int(length or 0)


def code(answer: bytes) -> str:
    body = answer.partition(b"\r\n\r\n")[2].decode()
    found: str = json.JSONDecoder().raw_decode(body)[0]["code"]
    return found


# --- sizes -------------------------------------------------------------------------------------


def test_a_body_that_states_too_much_is_refused_before_it_comes(service: Service) -> None:
    status, answer = raw(service, head(service, REALTIME, "Content-Length: 99999999"))
    assert (status, code(answer)) == (413, "too_large")
    assert b"connection: close" in answer


@pytest.mark.parametrize(
    ("path", "most"),
    [("/v1/audio/emotions", 100_000), ("/v1/jobs", 200_000), ("/v1/models", 1_000)],
)
def test_each_route_has_a_limit_of_its_own(service: Service, path: str, most: int) -> None:
    with service.client() as client:
        over = client.post(path, content=bytes(most + 1))
        assert (over.status_code, over.json()["code"]) == (413, "too_large")
        below = client.post(path, content=bytes(most))
        assert below.status_code != 413


def test_a_chunked_body_is_counted_as_it_comes(service: Service) -> None:
    chunk = b"%x\r\n%s\r\n" % (30_000, bytes(30_000))
    begin = head(service, "/v1/audio/emotions", "Transfer-Encoding: chunked")
    status, answer = raw(service, begin, *[chunk] * 4)  # and no end
    assert (status, code(answer)) == (413, "too_large")
    assert b"connection: close" in answer


def test_a_form_is_counted_as_it_comes(service: Service) -> None:
    with service.client() as client:
        response = client.post("/v1/audio/emotions", files={"file": bytes(150_000)})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_a_body_that_states_too_little_is_two_requests(service: Service) -> None:
    sound = SAMPLE.read_bytes()
    status, answer = raw(service, head(service, "/v1/audio/emotions", "Content-Length: 4") + sound)
    assert (status, code(answer)) == (422, "bad_audio")


def test_both_lengths_at_once_are_refused(service: Service) -> None:
    both = ("Content-Length: 4", "Transfer-Encoding: chunked", "Content-Length: 5")
    assert raw(service, head(service, "/v1/audio/emotions", *both))[0] == 400


def test_long_headers_are_refused(service: Service) -> None:
    begin = head(service, "/v1/audio/emotions", f"X: {'x' * 20_000}")[:-4]
    assert raw(service, begin, b"x", pause=0.1)[0] == 400


# --- times -------------------------------------------------------------------------------------


def test_a_body_that_stops_is_refused(service: Service) -> None:
    status, answer = raw(service, head(service, "/v1/jobs", "Content-Length: 1000"), b"x")
    assert (status, code(answer)) == (408, "too_slow")


def test_a_body_that_dribbles_is_refused(service: Service) -> None:
    begin = head(service, "/v1/audio/emotions", "Content-Length: 12")
    status, answer = raw(service, begin, *[b"x"] * 12, pause=0.25)  # each in time, and all there
    assert (status, code(answer)) == (408, "too_slow")


@pytest.mark.parametrize("begin", [b"", b"POST /v1/audio/emotions HTTP/1.1\r\n"])
def test_a_socket_without_a_request_is_closed(service: Service, begin: bytes) -> None:
    assert raw(service, begin) == (0, b"")


def test_headers_that_dribble_are_given_up(service: Service) -> None:
    letters = [bytes([byte]) for byte in head(service, "/v1/models", "X: " + "x" * 30)]
    assert raw(service, *letters[:40], pause=0.05) == (0, b"")


def test_a_second_request_has_to_come_in_time_too(service: Service) -> None:
    request = f"GET /healthz HTTP/1.1\r\nHost: {service.host}\r\n\r\n".encode()
    with socket.create_connection((service.host, service.port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        assert received(connection).startswith(b"HTTP/1.1 200")
        time.sleep(0.7)  # longer than a request may take, for there is none
        connection.sendall(request)
        assert received(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /heal")
        assert connection.recv(65_536) == b""


def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    with (
        serving(tmp_path, Limits(keep_alive_dur=0.3)) as running,
        socket.create_connection((running.host, running.port), timeout=PATIENCE) as connection,
    ):
        connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {running.host}\r\n\r\n".encode())
        assert received(connection).startswith(b"HTTP/1.1 200")
        assert connection.recv(65_536) == b""


def test_connections_are_limited(tmp_path: Path) -> None:
    with serving(tmp_path, Limits(connections=3)) as running:
        idle = [socket.create_connection((running.host, running.port)) for _ in range(4)]
        time.sleep(0.2)
        with running.client() as client:
            assert client.get("/healthz").status_code == 503
        for connection in idle:
            connection.close()


# --- forms -------------------------------------------------------------------------------------


def test_a_form_has_one_file(service: Service) -> None:
    with service.client() as client:
        files = [("file", SAMPLE.read_bytes()[:9])] * 2
        response = client.post("/v1/audio/emotions", files=files)
        assert (response.status_code, response.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("name", ["speaker", "options"])
def test_a_file_in_place_of_a_text_is_named(service: Service, name: str) -> None:
    with service.client() as client:
        files = {"file": SAMPLE.read_bytes(), name: b"{}"}
        response = client.post("/v1/audio/emotions", files=files)
        assert (response.status_code, response.json()["code"]) == (400, "bad_request")
        assert f"-F {name}='<FILE'" in response.json()["detail"]


def test_a_form_has_few_fields(service: Service) -> None:
    with service.client() as client:
        data = {f"field{n}": "x" for n in range(3)}
        response = client.post("/v1/audio/emotions", files={"file": b"x"}, data=data)
        assert "Too many fields" in response.json()["detail"]
        response = client.post("/v1/audio/emotions", files={"file": b"x"}, data={"other": "x"})
        assert "options and speaker" in response.json()["detail"]


def test_a_field_is_short(service: Service) -> None:
    with service.client() as client:
        data = {"options": " " * 70_000}
        response = client.post("/v1/audio/emotions", files={"file": b"x"}, data=data)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b'{"url": "http://127.0.0.1/secret.wav"}'),
        ("application/x-www-form-urlencoded", b"url=file%3A%2F%2F%2Fetc%2Fpasswd"),
        ("text/plain", b"http://127.0.0.1/secret.wav"),
    ],
)
def test_an_address_is_no_recording(service: Service, media_type: str, body: bytes) -> None:
    with service.client() as client:
        headers = {"Content-Type": media_type}
        response = client.post("/v1/audio/emotions", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media")


def test_an_address_in_a_field_is_not_followed(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap, service.client() as client:
        trap.settimeout(0.2)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/x.wav"
        for sent in ({"data": {"file": url}}, {"files": {"file": url.encode()}}):
            response = client.post("/v1/audio/emotions", **sent)  # type: ignore[arg-type]
            assert response.status_code in {400, 415, 422}
        with pytest.raises(TimeoutError):
            trap.accept()


def test_a_compressed_body_is_not_unpacked(service: Service) -> None:
    with service.client() as client:
        headers = {"Content-Encoding": "gzip", "Content-Type": "audio/flac"}
        response = client.post("/v1/audio/emotions", content=b"x", headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media")


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../../../../tmp/evil.wav", "/etc/passwd", "a\x1b[31m\r\nX-Evil: 1.wav", "concat:x"]
)
def test_the_name_of_a_file_is_neither_used_nor_logged(
    service: Service, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    escaped = name.replace("\r", "%0D").replace("\n", "%0A").encode()
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\nx\r\n--b--\r\n'
        % escaped
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with service.client() as client:
        response = client.post("/v1/audio/emotions", content=form, headers=headers)
    assert response.status_code == 422
    words = ("evil", "passwd", "31m", "concat")
    assert not any(word in response.text.lower() + caplog.text.lower() for word in words)
    assert "x-evil" not in response.headers


def test_the_log_has_the_route_and_not_the_address(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "audio_emotion.access")
    with service.client() as client:
        client.get("/v1/models/secret-name?api_key=secret-key")
        client.get("/%1b%5b31msecret-path")
    assert "/v1/models/{name}" in caplog.text
    assert "secret" not in caplog.text
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize("named", ["x" * 65, "two words", "a\tb", ""])
def test_an_odd_request_id_is_replaced(service: Service, named: str) -> None:
    with service.client() as client:
        found = client.get("/healthz", headers={"X-Request-ID": named}).headers["x-request-id"]
    assert found != named
    assert len(found) == 16


def test_the_log_can_be_json(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "audio_emotion.access")
    with serving(tmp_path, json_log=True) as running, running.client() as client:
        client.get("/healthz", headers={"X-Request-ID": "mine"})
    (line,) = [r.getMessage() for r in caplog.records if r.name == "audio_emotion.access"]
    facts = json.loads(line)
    assert set(facts) == {
        *("time", "request_id", "client", "method", "route", "status", "code", "ms")
    }
    assert (facts["request_id"], facts["route"], facts["status"]) == ("mine", "/healthz", 200)


# --- hosts and origins -------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "127.0.0.2"])
def test_another_host_name_is_refused(service: Service, host: str) -> None:
    request = f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    status, answer = raw(service, request)
    assert (status, code(answer)) == (400, "bad_host")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "[::1]:8000", "LOCALHOST"])
def test_the_names_of_this_machine_are_answered(service: Service, host: str) -> None:
    request = f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    assert raw(service, request)[0] == 200


def test_two_host_names_are_refused(service: Service) -> None:
    request = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert raw(service, request)[0] == 400
    settings = ServerSettings()
    guard = Allow(None, settings, Tokens(settings))  # type: ignore[arg-type]
    for names in ([b"localhost", b"evil.example"], []):  # what other servers let pass
        headers = Headers(raw=[(b"host", name) for name in names])
        with pytest.raises(ServiceError):
            guard._check({"type": "http", "method": "GET", "path": "/"}, headers)


def test_another_host_name_is_refused_by_the_websocket(service: Service) -> None:
    url = f"ws://evil.example:{service.port}{REALTIME}"
    with (
        socket.create_connection((service.host, service.port)) as connection,
        pytest.raises(InvalidStatus) as refused,
        connect(url, sock=connection),
    ):
        pass
    assert refused.value.response.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://localhost:1"},  # another service of this machine
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_pages_change_nothing(service: Service, headers: dict[str, str]) -> None:
    with service.client(headers=headers) as client:
        for method, path in [("POST", "/v1/audio/emotions"), ("DELETE", "/v1/jobs/x")]:
            response = client.request(method, path)
            assert (response.status_code, response.json()["code"]) == (403, "bad_origin")
        assert client.get("/healthz").status_code == 200


def test_other_pages_open_no_websocket(service: Service) -> None:
    url = f"ws://{service.host}:{service.port}{REALTIME}"
    with pytest.raises(InvalidStatus) as refused, connect(url, origin="http://evil.example"):  # type: ignore[arg-type]
        pass
    assert refused.value.response.status_code == 403


def test_the_service_s_own_page_may_use_it(service: Service) -> None:
    with service.client(headers={"Origin": service.url}) as client:
        response = client.post("/v1/audio/emotions", files={"file": SAMPLE.read_bytes()})
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers  # CORS is off


def test_only_a_page_that_was_named_may_use_it_from_elsewhere(guarded: Service) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key"}
    with guarded.client(headers={"X-API-Key": TOKEN}) as client:
        for origin, allowed in [("https://page.example", True), ("https://evil.example", False)]:
            headers = {"Origin": origin}
            before = client.options("/v1/audio/emotions", headers=headers | asked)
            assert (before.status_code == 200) is allowed
            response = client.post("/v1/audio/emotions", headers=headers)
            assert (response.status_code != 403) is allowed
            found = response.headers.get("access-control-allow-origin")
            assert (found == origin) is allowed


# --- tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"bearer {TOKEN}"},
                {"X-API-Key": TOKEN}],
)  # fmt: skip
def test_a_token_opens(guarded: Service, headers: dict[str, str]) -> None:
    with guarded.client(headers=headers) as client:
        assert client.get("/v1/models").status_code == 200
        assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/models", "/v1/jobs/x", "/v1/jobs/x/result", "/v1/jobs/x/events", "/metrics"],
)
def test_without_a_token_nothing_opens(guarded: Service, path: str) -> None:
    with guarded.client() as client:
        response = client.get(path)
        assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert client.post("/v1/audio/emotions").status_code == 401
        assert client.get("/healthz").status_code == 200


def test_who_guesses_has_to_wait() -> None:
    tokens = Tokens(ServerSettings(tokens=(TOKEN,), limits=SMALL))

    def guess(token: str | None, address: str = "192.0.2.1") -> str:
        try:
            tokens.check(token, address)
        except ServiceError as error:
            return str(error.code)
        return "open"

    assert [guess(f"{n}") for n in range(4)] == [*["unauthorized"] * 3, "too_many_attempts"]
    assert guess(TOKEN) == "too_many_attempts"  # or a guess would still be answered
    assert guess(TOKEN, "192.0.2.2") == "open"
    assert [guess(None, "192.0.2.3") for _ in range(9)] == ["unauthorized"] * 9


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import hmac

    compared: list[tuple[int, int]] = []
    plain = hmac.compare_digest

    def watched(a: Any, b: Any) -> bool:
        compared.append((len(a), len(b)))
        return plain(a, b)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    tokens = Tokens(ServerSettings(tokens=(TOKEN, TOKEN * 2, TOKEN * 3)))
    tokens.check(TOKEN, "")
    assert compared == [(32, 32)] * 3  # all of them, though the first was right


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_other_machines_need_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="--no-auth"):
        ServerSettings(host=host)
    assert ServerSettings(host=host, no_auth=True)
    assert ServerSettings(host=host, tokens=(TOKEN,))


@pytest.mark.parametrize("options", [{"tokens": ("short",)}, {"allowed_origins": ("page.example",)},
                                     {"ssl_certfile": Path("x")}, {"workers": 0}])  # fmt: skip
def test_settings_that_protect_nobody_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ServerSettings(**options)


@pytest.mark.parametrize("content", ["", " \n\n"])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(content)
    with pytest.raises(ConfigError, match="tokens holds no token"):
        _tokens(path)
    path.write_text(f"{TOKEN}\n\n")
    assert _tokens(path) == (TOKEN,)


def test_a_user_without_a_home_names_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def homeless(_: str) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_state_path", homeless)
    assert ServerSettings(folder=tmp_path).folder == tmp_path
    with pytest.raises(ConfigError, match="--folder"):
        ServerSettings()


def test_tokens_are_not_shown() -> None:
    assert TOKEN not in repr(ServerSettings(tokens=(TOKEN,)))


def test_the_websocket_needs_the_token_in_its_first_message(guarded: Service) -> None:
    url = f"ws://{guarded.host}:{guarded.port}{REALTIME}"
    with connect(url) as session:
        session.send(json.dumps({"type": "Authenticate", "token": TOKEN}))
        assert json.loads(session.recv(PATIENCE))["type"] == "session.created"
    with connect(url, additional_headers={"X-API-Key": TOKEN}) as session:
        assert json.loads(session.recv(PATIENCE))["type"] == "session.created"
    first: str | bytes
    for first in ('{"type": "KeepAlive"}', bytes(3200), '{"type": "Authenticate", "token": "x"}'):
        with connect(url) as session:
            session.send(first)
            error = json.loads(session.recv(PATIENCE))
            assert (error["type"], error["code"]) == ("error", "unauthorized")
            with pytest.raises(ConnectionClosed):
                session.recv(PATIENCE)


# --- what browsers are told ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/v1/models", "/no/such"])
def test_every_answer_protects_browsers(service: Service, path: str) -> None:
    with service.client() as client:
        headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; frame-anc")
    assert "unsafe-inline" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in headers
    assert "server" not in headers


def test_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with serving(tmp_path, ssl_certfile=certificate, ssl_keyfile=key) as running:
        trusted = ssl.create_default_context(cafile=certificate)
        response = httpx.get(f"https://localhost:{running.port}/healthz", verify=trusted)
        assert response.status_code == 200
        assert "max-age" in response.headers["strict-transport-security"]
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://localhost:{running.port}/healthz")


def test_the_framework_s_telemetry_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    app = create_app(ServerSettings())
    assert not any(app._telemetry.values())
    assert not app._native_telemetry.enabled()


def test_the_description_says_how_to_show_a_token() -> None:
    assert "security" not in create_app(ServerSettings()).openapi()
    found = create_app(ServerSettings(tokens=(TOKEN,))).openapi()
    assert found["security"] == [{"bearer": []}, {"key": []}]
    assert set(found["components"]["securitySchemes"]) == {"bearer", "key"}
