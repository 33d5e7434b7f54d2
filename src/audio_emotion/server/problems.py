"""Every error as `application/problem+json` (RFC 9457), from one table of codes."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from ..errors import AudioEmotionError, ServiceError
from ..notices import Code

MEDIA_TYPE = "application/problem+json"
LOG = logging.getLogger("audio_emotion.server")

PROBLEMS: dict[Code, tuple[int, str]] = {  # the status, and what the code means
    Code.BAD_REQUEST: (400, "The request is malformed"),
    Code.BAD_HOST: (400, "The service does not answer to this host name"),
    Code.UNAUTHORIZED: (401, "A token is missing or wrong"),
    Code.BAD_ORIGIN: (403, "This web page may not use the service"),
    Code.NOT_FOUND: (404, "There is nothing at this address"),
    Code.BAD_METHOD: (405, "This address does not take this method"),
    Code.NOT_ACCEPTABLE: (406, "There is no format that the request accepts"),
    Code.TOO_SLOW: (408, "The client sends too slowly"),
    Code.NOT_READY: (409, "The job has not ended"),
    Code.TOO_LARGE: (413, "The request has too many bytes"),
    Code.TOO_LONG: (413, "The recording is too long"),
    Code.UNSUPPORTED_MEDIA: (415, "The content type holds no recording"),
    Code.BAD_AUDIO: (422, "The recording cannot be used"),
    Code.BAD_SPEAKER: (422, "The speaker's file cannot be used"),
    Code.BAD_SETTING: (422, "An option is unknown or out of range"),
    Code.DECODE_LIMIT: (422, "Decoding the recording takes too much memory or time"),
    Code.BAD_FRAME: (422, "A message is malformed"),
    Code.TOO_MANY_ATTEMPTS: (429, "Too many wrong tokens came from this address"),
    Code.FAILED: (500, "The service failed"),
    Code.OVERLOADED: (503, "The service is busy"),
    Code.SHUTTING_DOWN: (503, "The service is about to end"),
    Code.DEADLINE: (504, "The answer was not ready in time"),
}
_BY_STATUS = {404: Code.NOT_FOUND, 405: Code.BAD_METHOD, 400: Code.BAD_REQUEST}


def describe(error: Exception, request_id: str) -> dict[str, Any]:
    """Return the fields of a problem; an error that nobody foresaw shows nothing of itself."""
    code = error.code if isinstance(error, AudioEmotionError) else Code.FAILED
    if code not in PROBLEMS:
        code = Code.FAILED
    status, title = PROBLEMS[code]
    detail = title if status == HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
    return {
        "type": f"/docs#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code.value,
        "request_id": request_id,
    }


def response(error: Exception, scope: Scope) -> JSONResponse:
    """Return the response to a request that failed, and note the reason for metrics and log."""
    state = scope.setdefault("state", {})
    fields = describe(error, state.get("request_id", ""))
    state["code"] = fields["code"]
    if fields["code"] == Code.FAILED:
        LOG.error("request %s failed", state.get("request_id"), exc_info=error)
    headers = {}
    if fields["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="audio-emotion"'
    if retry_after := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(retry_after)
    return JSONResponse(fields, fields["status"], headers, MEDIA_TYPE)


def from_http(error: HTTPException) -> ServiceError:
    """Return an error of the framework as one of ours."""
    code = _BY_STATUS.get(error.status_code, Code.FAILED)
    return ServiceError(str(error.detail or PROBLEMS[code][1]), code)


def from_validation(error: RequestValidationError) -> ServiceError:
    """Return what the framework found wrong with parameters, without their values."""
    found = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
    return ServiceError("; ".join(found), Code.BAD_SETTING)
