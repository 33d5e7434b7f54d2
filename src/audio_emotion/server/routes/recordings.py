"""/v1/audio: emotions, timeline and explain, about one recording that comes with the request."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ...errors import ServiceError
from ...inference.speaker import Speaker
from ...notices import Code, Notice
from ...timeline.settings import TimelineSettings
from ..state import State, state_of
from ..work.decoder import Recording
from ..work.pool import Worker
from ..work.tasks import Answer, Task
from . import describe
from .options import (
    EMOTIONS,
    EXPLANATIONS,
    TIMELINES,
    Options,
    TimelineOptions,
    choose_format,
    merged,
)
from .uploads import received

router = APIRouter(prefix="/v1/audio", tags=["recordings"])
WARNINGS = "X-Audio-Warnings"  # the codes of what qualifies an answer, in every format
WAIT = "X-Answer-Within"  # seconds after which the client does not want an answer any more
T = TypeVar("T", bound=Options)


@router.post("/emotions", openapi_extra=describe.EMOTIONS, response_class=Response)
async def emotions(request: Request, options: Annotated[Options, Query()]) -> Response:
    """Predict one emotion for a recording."""
    return await answered(request, options, EMOTIONS, lambda task: task.emotions)


@router.post("/timeline", openapi_extra=describe.TIMELINE, response_class=Response)
async def timeline(request: Request, options: Annotated[TimelineOptions, Query()]) -> Response:
    """Predict emotions over the time of a recording, as segments."""
    return await answered(request, options, TIMELINES, lambda task: task.timeline)


@router.post("/explain", openapi_extra=describe.EXPLAIN, response_class=Response)
async def explain(request: Request, options: Annotated[Options, Query()]) -> Response:
    """Find which seconds and frequencies of a recording support the prediction."""
    return await answered(request, options, EXPLANATIONS, lambda task: task.explain)


async def answered(
    request: Request,
    options: T,
    formats: Mapping[str, str],
    what: Callable[[Task], Callable[[Worker], Answer]],
) -> Response:
    """Take the recording of a request, and answer it in one of the formats.

    Raises:
        AudioEmotionError: it cannot be answered.
    """
    state = state_of(request)
    seconds = _seconds(request, state)
    limits = state.settings.limits
    async with received(request, state.uploads, limits.fields) as upload:
        options = merged(options, upload.options)
        speaker = None
        if upload.speaker is not None:
            speaker = Speaker.parse(upload.speaker, "the part speaker")
        recording = Recording(
            upload.path,
            limits.audio_dur,
            round(limits.audio_dur * limits.sample_rate),
            limits.decode_cpu_dur,
            options.track,
        )
        task = Task(
            request.state.request_id,
            recording,
            choose_format(options.response_format, request, formats),
            state.metrics,
            options.settings() if isinstance(options, TimelineOptions) else TimelineSettings(),
            speaker=speaker,
        )
        async with _wanted(request, recording.cancelled):
            request.state.arrived()
            found = await _in_time(state.pool.run(what(task), recording.cancelled), seconds)
    return as_response(found, task.response_format)


def as_response(found: Answer, response_format: str) -> Response:
    """Return an answer as a response; what scripts could run in is offered as a download."""
    headers = {WARNINGS: codes(found.warnings)} if found.warnings else {}
    if response_format in {"html", "svg"}:
        headers["Content-Disposition"] = f'attachment; filename="answer.{response_format}"'
    return Response(found.body, media_type=found.media_type, headers=headers)


def codes(warnings: tuple[Notice, ...]) -> str:
    """Return the codes of warnings, once each."""
    return " ".join(dict.fromkeys(notice.code.value for notice in warnings))


def _seconds(request: Request, state: State) -> float:
    """Return for how long the answer is worth waiting."""
    most = state.settings.limits.answer_dur
    named = request.headers.get(WAIT)
    if named is None:
        return most
    try:
        seconds = float(named)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise ServiceError(f"{WAIT} is a number of seconds", Code.BAD_REQUEST)
    return min(seconds, most)


async def _in_time(answer: Awaitable[Answer], seconds: float) -> Answer:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise ServiceError(f"there was no answer in {seconds:g} s", Code.DEADLINE) from None


@asynccontextmanager
async def _wanted(request: Request, cancelled: threading.Event) -> AsyncIterator[None]:
    """Cancel the block if the client goes away meanwhile."""
    working = asyncio.current_task()
    assert working

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        cancelled.set()
        working.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not watching.done():
            raise
        working.uncancel()
        raise ClientDisconnect from None
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
