"""How large a body may be, and how slowly it may come."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...errors import ServiceError
from ...notices import Code
from ..problems import response
from ..settings import Limits

LEFTOVER = 1 << 20  # bytes of a refused body that are read, so that the client sees the answer
LEFTOVER_DUR = 0.5  # s for that


class BodyLimits:
    """Counts and times the parts of each body as they arrive, whatever its headers state.

    Args:
        app: what is guarded.
        limits: of the service.
        most: the bytes and the seconds of a body, by the path of the request.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, most: Callable[[str], tuple[int, float]]
    ) -> None:
        self.app = app
        self.limits = limits
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most, seconds = self.most(scope["path"])
        body = _Body(Headers(scope=scope), receive, most, seconds, self.limits.chunk_dur)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.finish()
                if not body.complete:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        if body.stated > most:
            await response(body.too_large(), scope)(scope, receive, sending)
        else:
            await self.app(scope, body.receive, sending)


class _Body:
    """The body of one request."""

    def __init__(
        self, headers: Headers, receive: Receive, most: int, seconds: float, chunk_dur: float
    ) -> None:
        length = headers.get("content-length", "0")
        self.stated = int(length) if length.isdecimal() else 0
        self.complete = not self.stated and "transfer-encoding" not in headers
        self._receive = receive
        self._most = most
        self._seconds = seconds
        self._chunk_dur = chunk_dur
        self._until = time.monotonic() + seconds
        self._received = 0
        self._refused = False
        self._asks_first = "expect" in headers  # so nothing comes before it is wanted

    def too_large(self) -> ServiceError:
        self._refused = True
        return ServiceError(
            f"the body has more than {self._most >> 10} KiB, which is the most here", Code.TOO_LARGE
        )

    async def receive(self) -> Message:
        """Return the next part; once the body is complete, wait as long as it takes."""
        if self.complete:
            return await self._receive()
        left = min(self._chunk_dur, self._until - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0))
        except TimeoutError:
            self._refused = True
            raise ServiceError(
                f"the body paused for {self._chunk_dur:g} s, or took {self._seconds:g} s",
                Code.TOO_SLOW,
            ) from None
        self._received += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self._received > self._most:
            raise self.too_large()
        return message

    async def finish(self) -> None:
        """Read what is left of a body that nobody wanted, if it is little and comes at once."""
        much = self.stated > self._received + LEFTOVER
        if self.complete or self._refused or self._asks_first or much:
            return
        left = self._received + LEFTOVER
        with suppress(TimeoutError):
            async with asyncio.timeout(LEFTOVER_DUR):
                while not self.complete and self._received < left:
                    message = await self._receive()
                    self._received += len(message.get("body", b""))
                    self.complete = not message.get("more_body", False)
