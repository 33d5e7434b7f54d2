"""/v1/jobs: timelines of recordings that are too long to wait for."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ...errors import ServiceError
from ...notices import Code
from ..jobs.store import OPEN, Job
from ..state import State, state_of
from . import describe
from .options import TIMELINES, TimelineOptions, choose_format, merged
from .recordings import WARNINGS
from .uploads import received

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
POLL_DUR = 0.25  # s between two looks at a job that somebody follows
BEAT_DUR = 10.0  # s after which a silent stream says that it lives


@router.post("", status_code=202, openapi_extra=describe.JOBS, response_class=JSONResponse)
async def create(request: Request, options: Annotated[TimelineOptions, Query()]) -> JSONResponse:
    """Take a recording of up to twelve hours, and return at once where its timeline will be."""
    state = state_of(request)
    state.check_open()
    state.jobs.check_room()
    folder = state.jobs.folder  # which may be on another disk than uploads
    async with received(request, folder, state.settings.limits.fields) as upload:
        if upload.speaker is not None:  # personal data, which would wait on a disk
            raise ServiceError("a job takes no speaker", Code.BAD_REQUEST)
        options = merged(options, upload.options)
        options.settings()
        options.response_format = choose_format(options.response_format, request, TIMELINES)
        values = options.model_dump(exclude_unset=False)
        id_ = state.jobs.add(upload.path, request.state.request_id, values)
    shown = _shown(state, state.jobs.get(id_))
    return JSONResponse(shown, 202, {"Location": f"/v1/jobs/{id_}"})


@router.get("/{id}")
async def show(id: str, request: Request) -> JSONResponse:
    """Return how far a job is: queued, running, done or failed."""
    state = state_of(request)
    return JSONResponse(_shown(state, state.jobs.get(id)))


@router.get("/{id}/events", response_class=StreamingResponse)
async def events(id: str, request: Request) -> StreamingResponse:
    """Follow a job as server-sent events: progress, and at last done or failed."""
    state = state_of(request)
    state.jobs.get(id)
    return StreamingResponse(_follow(state, id), media_type="text/event-stream")


@router.get("/{id}/result", response_class=Response)
async def result(id: str, request: Request) -> Response:
    """Return the timeline of a job that is done, in the format that was asked for."""
    state = state_of(request)
    job = state.jobs.get(id)
    if job.state in OPEN:
        raise ServiceError(f"the job is {job.state}", Code.NOT_READY, retry_after=5)
    if job.problem:
        raise ServiceError(job.problem["detail"], Code(job.problem["code"]))
    body = await run_in_threadpool(state.jobs.store.result, id)
    headers = {WARNINGS: job.warnings} if job.warnings else {}
    if job.media_type == TIMELINES["html"]:
        headers["Content-Disposition"] = 'attachment; filename="answer.html"'
    return Response(body, media_type=job.media_type, headers=headers)


@router.delete("/{id}", status_code=204, response_class=Response)
async def delete(id: str, request: Request) -> Response:
    """Stop a job, and forget its recording and its result."""
    state_of(request).jobs.delete(id)
    return Response(status_code=204)


def _shown(state: State, job: Job) -> dict[str, Any]:
    done, total = state.jobs.progress.get(job.id, (0.0, None))
    return {
        "id": job.id,
        "state": job.state,
        "task": "timeline",
        "response_format": job.options["response_format"],
        "done": round(done, 3),
        "total": total and round(total, 3),
        "problem": job.problem,
    }


async def _follow(state: State, id_: str) -> AsyncIterator[str]:
    """Yield an event whenever something changed, until the job or the service ends."""
    latest, silent = None, 0.0
    while not state.draining:
        try:
            shown = _shown(state, state.jobs.get(id_))
        except ServiceError:
            return  # it was deleted
        if shown != latest:
            name = "progress" if shown["state"] in OPEN else shown["state"]
            yield f"event: {name}\ndata: {json.dumps(shown)}\n\n"
            latest, silent = shown, 0.0
        elif silent >= BEAT_DUR:
            yield ": still here\n\n"
            silent = 0.0
        if shown["state"] not in OPEN:
            return
        await asyncio.sleep(POLL_DUR)
        silent += POLL_DUR
