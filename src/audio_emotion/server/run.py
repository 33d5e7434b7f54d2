"""The HTTP server around a service: TLS, limits of connections, and an orderly end."""

import asyncio
import logging
import time
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .app import create_app
from .settings import ServerSettings
from .state import State


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that waits for the headers of a request, but not for ever."""

    header_dur = 10.0  # s
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take bytes; from the first of a request on, wait until its headers are complete."""
        if self._waiting is None and self._idle:
            self._wait()
        super().data_received(data)
        if not self._idle:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Leave the connection to the WebSocket, which has limits of its own."""
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.header_dur, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self._idle and not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """Ends in two steps: first it takes no new work and says so, then it closes."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self.state = state
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; at the second signal end at once."""
        if self.state.draining:
            super().handle_exit(sig, frame)
        self.state.draining = True
        self._until = time.monotonic() + self.state.settings.limits.drain_dur

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second whether everything is done."""
        if self._until is not None:
            state = self.state
            busy = state.pool.depth or state.sessions.open or state.requests
            if not busy or time.monotonic() > self._until:
                self.should_exit = True
        return await super().on_tick(counter)


def server(settings: ServerSettings) -> Server:
    """Return a server that is ready to run."""
    app = create_app(settings)
    limits = settings.limits
    protocol = type("Protocol", (PatientProtocol,), {"header_dur": limits.header_dur})
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "http": protocol,
        "ws": "websockets-sansio",
        "ws_max_size": limits.message,
        "ws_per_message_deflate": False,  # small messages can unpack to large ones
        "limit_concurrency": limits.connections,
        "timeout_keep_alive": limits.keep_alive_dur,
        "timeout_graceful_shutdown": 5,
        "server_header": False,
        "access_log": False,  # the service has its own, without addresses
        "log_config": None,
    }
    if settings.ssl_certfile:
        options |= {"ssl_certfile": settings.ssl_certfile, "ssl_keyfile": settings.ssl_keyfile}
    return Server(uvicorn.Config(app, **options), app.state.service)


def run(settings: ServerSettings) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        AudioEmotionError: the service cannot begin, because of its model or its folder.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    running = server(settings)
    logging.getLogger("uvicorn.error").addFilter(lambda _: running.state.failure is None)
    try:
        running.run()
    except SystemExit:
        if running.state.failure:
            raise running.state.failure from None  # in words, without a traceback
        raise
