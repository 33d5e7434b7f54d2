"""The WebSocket: samples in, emotions out while somebody speaks.

The client sends 16-bit samples as binary messages, best about 100 ms each, and text:

    {"type": "Authenticate", "token": "…"}   first, where a token is needed and no header brings it
    {"type": "Speaker", "speaker": {…}}      before samples: who speaks, as /v1/speakers answers
    {"type": "Finalize"}                     end the utterance, and answer what is left
    {"type": "KeepAlive"}                    say nothing for a while without being cut off
    {"type": "CloseStream"}                  answer what is left, and end

The service sends `session.created`, `utterance.start`, `result`, `utterance.end`, `error` and
`session.closed`; times are seconds since the first sample.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...errors import AudioEmotionError, ServiceError
from ...inference.speaker import Speaker
from ...notices import Code
from ..guards.allow import shown_token
from ..problems import describe
from ..state import State, state_of
from .session import Event, Session

router = APIRouter()
RATES = range(8_000, 48_001)  # Hz
AUTHENTICATE_DUR = 5.0  # s for the first message, where it brings the token
SEND_DUR = 10.0  # s that a client may take to receive a message
TICK_DUR = 0.5  # s after which a silent session looks whether the service is about to end
POLICY, NORMAL, AGAIN = 1008, 1000, 1013  # closing codes of WebSockets
T = TypeVar("T")


class Sessions:
    """The sessions of a service, and the threads that they share."""

    def __init__(self, state: State) -> None:
        self.open = 0
        self._state = state
        self._threads = ThreadPoolExecutor(state.settings.workers, "session")

    def enter(self) -> None:
        """Count a new session.

        Raises:
            ServiceError: there are as many as may be, or the service is about to end.
        """
        self._state.check_open()
        if self.open >= self._state.settings.limits.sessions:
            raise ServiceError(
                f"{self.open} sessions are open; ask again", Code.OVERLOADED, retry_after=10
            )
        self._change(1)

    def leave(self) -> None:
        """Count a session less."""
        self._change(-1)

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in a thread; it takes milliseconds."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _change(self, by: int) -> None:
        self.open += by
        self._state.metrics.sessions.set(self.open)


@router.websocket("/v1/audio/emotions/realtime")
async def realtime(socket: WebSocket) -> None:
    """Answer one client until it leaves, closes the stream, or breaks a rule."""
    state = state_of(socket)
    connection = Connection(socket, state)
    await socket.accept()
    try:
        await connection.authenticate()
        state.sessions.enter()
        try:
            await connection.serve()
        finally:
            state.sessions.leave()
    except WebSocketDisconnect:
        pass
    except (AudioEmotionError, TimeoutError) as error:
        await connection.end(error)


class Connection:
    """One client's WebSocket."""

    def __init__(self, socket: WebSocket, state: State) -> None:
        self.socket = socket
        self.state = state
        self.limits = state.settings.limits

    async def authenticate(self) -> None:
        """Check the token of the handshake, or else of the first message.

        Raises:
            ServiceError: it is missing or wrong.
        """
        token = shown_token(self.socket.scope)
        if self.state.tokens.needed and token is None:
            message = await self._receive(AUTHENTICATE_DUR)
            if isinstance(message, dict) and message.get("type") == "Authenticate":
                token = str(message.get("token"))
        self.state.tokens.check(token, (self.socket.client or ("",))[0])

    async def serve(self) -> None:
        """Receive samples and send events until the client has had enough.

        Raises:
            ServiceError: a parameter is bad, the client is silent for too long, or the service is
                about to end.
            WebSocketDisconnect: the client left.
        """
        classifier = self.state.pool.classifier
        session = Session(classifier, self._rate(), self.state.metrics)
        created = {"model": classifier.info.name, "labels": list(classifier.labels)}
        await self._send(Event("session.created", {**created, "sample_rate": session.rate}))
        loop = asyncio.get_running_loop()
        until = loop.time() + self.limits.session_dur
        while True:
            message = await self._next(session, until - loop.time())
            if isinstance(message, bytes):
                await self._push(session, message)
            elif message["type"] == "Speaker":
                session = await self._of_speaker(session, message.get("speaker"))
            elif message["type"] == "Finalize":
                await self._run(session.finalize)
            elif message["type"] == "CloseStream":
                await self._finish(session)
                await self.socket.close(NORMAL)
                return

    async def end(self, error: Exception) -> None:
        """Send an error and close."""
        if isinstance(error, TimeoutError):
            error = ServiceError("the client is too slow", Code.TOO_SLOW)
        fields = self._problem(error)
        code = AGAIN if fields["status"] == 503 else POLICY
        try:
            await self._send(Event("error", fields))
            await self.socket.close(code, fields["code"])
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            pass  # it left meanwhile

    async def _of_speaker(self, session: Session, values: Any) -> Session:
        """Return a new session for a speaker; the old one where samples came before.

        Raises:
            SpeakerError: it is no speaker of this model.
        """
        if session.duration:
            await self._complain("the speaker comes before samples")
            return session
        speaker = Speaker.parse(json.dumps(values), "the speaker")
        classifier = self.state.pool.classifier.for_speaker(speaker)
        return Session(classifier, session.rate, self.state.metrics)

    def _rate(self) -> int:
        asked = self.socket.query_params
        unknown = set(asked) - {"encoding", "sample_rate", "channels"}
        if unknown or asked.get("encoding", "linear16") != "linear16":
            raise ServiceError("the parameters are encoding=linear16 and sample_rate",
                               Code.BAD_SETTING)  # fmt: skip
        rate = asked.get("sample_rate", "16000")
        if asked.get("channels", "1") != "1":
            raise ServiceError("samples are of one channel", Code.BAD_SETTING)
        if not rate.isdecimal() or int(rate[:6]) not in RATES:
            raise ServiceError(
                f"sample_rate is {RATES.start} to {RATES.stop - 1}", Code.BAD_SETTING
            )
        return int(rate)

    async def _next(self, session: Session, left: float) -> Any:
        """Return the next message; end the session if there is none for too long."""
        idle = 0.0
        while idle < self.limits.idle_dur and left > idle:
            if self.state.draining:
                await self._finish(session)
                self.state.check_open()
            try:
                message = await self._receive(TICK_DUR)
            except TimeoutError:
                idle += TICK_DUR
                continue
            if message is not None:
                return message
        await self._finish(session)
        what = "silent" if left > idle else "connected"
        raise ServiceError(f"the client was {what} for too long", Code.TOO_SLOW)

    async def _receive(self, seconds: float) -> dict[str, Any] | bytes | None:
        """Return samples, or an object with a type; None after telling of what is neither."""
        async with asyncio.timeout(seconds):
            message = await self.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", NORMAL))
        if (data := message.get("bytes")) is not None:
            if len(data) % 2 == 0 and len(data) <= self.limits.message:
                return bytes(data)
            await self._complain("samples have two bytes each, at most 1 MiB together")
            return None
        try:
            found = json.loads(message.get("text") or "")
        except (ValueError, RecursionError):
            await self._complain("a text is JSON")
            return None
        known = ("Authenticate", "Speaker", "Finalize", "KeepAlive", "CloseStream")
        if not isinstance(found, dict) or found.get("type") not in known:
            await self._complain(f"an object has a type, one of {', '.join(known)}")
            return None
        return found

    async def _complain(self, text: str) -> None:
        await self._send(Event("error", self._problem(ServiceError(text, Code.BAD_FRAME))))

    async def _push(self, session: Session, data: bytes) -> None:
        for part in session.parts(data):  # so that nobody waits for a large message of another
            await self._run(lambda part=part: session.push(part))  # type: ignore[misc]

    async def _finish(self, session: Session) -> None:
        await self._run(session.finalize)
        await self._send(Event("session.closed", {"duration": session.duration}))

    async def _run(self, call: Callable[[], list[Event]]) -> None:
        for event in await self.state.sessions.run(call):
            await self._send(event)

    async def _send(self, event: Event) -> None:
        id_ = self.socket.state.request_id
        text = json.dumps({"type": event.type, "request_id": id_, **event.fields})
        async with asyncio.timeout(SEND_DUR):
            await self.socket.send_text(text)

    def _problem(self, error: Exception) -> dict[str, Any]:
        fields = describe(error, self.socket.state.request_id)
        self.state.metrics.rejected.labels(fields["code"]).inc()
        fields["problem"] = fields.pop("type")  # `type` is that of the message
        return fields
