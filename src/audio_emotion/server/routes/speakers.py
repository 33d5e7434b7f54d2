"""/v1/speakers: a neutral voice in, a speaker's file out; nothing is stored."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from . import describe
from .options import Options
from .recordings import answered

router = APIRouter(prefix="/v1/speakers", tags=["speakers"])
FORMATS = {"json": "application/json"}


@router.post("", openapi_extra=describe.SPEAKERS, response_class=Response)
async def enroll(request: Request, options: Annotated[Options, Query()]) -> Response:
    """Learn what neutral sounds like in a voice, from 3 to 60 s of it.

    The answer is a speaker's file, for the part `speaker` of other requests and for `--speaker`.
    """
    return await answered(request, options, FORMATS, lambda task: task.enroll)
