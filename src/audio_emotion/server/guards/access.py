"""The outermost guard: identity, log, metrics and the headers that protect browsers."""

import json
import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any, TypeAlias

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..problems import response
from ..state import State

LOG = logging.getLogger("audio_emotion.access")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
RawHeader: TypeAlias = tuple[bytes, bytes]
UNMATCHED = "unmatched"  # the route of an address that there is none for
STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE = (  # of the pages of the service itself; the second source of scripts is WebAssembly
    f"{STRICT}; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; worker-src 'self'"
)
HEADERS = {
    "Content-Security-Policy": STRICT,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    "Cache-Control": "no-store",
}


class Access:
    """Gives each request an id, logs and counts it, and answers errors that nobody foresaw.

    The log has the route, never the address that was asked for: names and tokens can be in it.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state
        headers = dict(HEADERS)
        if state.settings.ssl_certfile:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        self.headers = [(name.lower().encode(), text.encode()) for name, text in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = _request_id(Headers(scope=scope).get("x-request-id"))
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                status = message["status"]
                message["headers"] = self._protected(message["headers"], state["request_id"])
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        self.state.requests += 1
        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            if status:  # too late for an answer
                raise
            await response(error, scope)(scope, receive, sending)
        finally:
            self.state.requests -= 1
            self._note(scope, status, time.perf_counter() - began)

    def _protected(self, headers: Iterable[RawHeader], request_id: str) -> list[RawHeader]:
        """Return headers with those of the service that they lack."""
        there = {name.lower() for name, _ in headers}
        lacking = (header for header in self.headers if header[0] not in there)
        return [*headers, *lacking, (b"x-request-id", request_id.encode())]

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        method = scope.get("method", "WS")
        method = method if method in {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "WS"} else "OTHER"
        self.state.metrics.requests.labels(method, route, status).inc()
        if method != "WS":
            self.state.metrics.request_seconds.labels(route).observe(seconds)
        if code := scope["state"].get("code"):
            self.state.metrics.rejected.labels(code).inc()
        LOG.info("%s", self._line(scope, method, route, status, seconds))

    def _line(self, scope: Scope, method: str, route: str, status: int, seconds: float) -> str:
        facts: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "request_id": scope["state"]["request_id"],
            "client": (scope.get("client") or ("-",))[0],
            "method": method,
            "route": route,
            "status": status,
            "code": scope["state"].get("code", "-"),
            "ms": round(1000 * seconds, 1),
        }
        return (
            json.dumps(facts)
            if self.state.settings.json_log
            else " ".join(map(str, facts.values()))
        )


def _request_id(named: str | None) -> str:
    """Return the id that a client names if it is plain, and otherwise a new one."""
    return named if named and REQUEST_ID.fullmatch(named) else secrets.token_hex(8)
