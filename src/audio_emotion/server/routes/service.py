"""What the service says of itself: models, health, metrics, and its pages."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from ...errors import ServiceError
from ...inference.model_file import default_model, open_model
from ...notices import Code
from ..guards.access import PAGE
from ..problems import PROBLEMS
from ..state import state_of
from . import describe

router = APIRouter()
HERE = Path(__file__).parents[1] / "static"
WEB = Path(__file__).parents[2] / "web"  # the page, where it is installed
HEAD = {"Content-Security-Policy": PAGE, "Cache-Control": "no-cache"}
INTENDED_USE = (
    "To study and to sort recordings of acted or clearly expressed emotion. What people show is "
    "not what they feel: not for decisions about people, such as hiring, policing or diagnosis. "
    "The European Union forbids emotion recognition at work and in education."
)
INDEX = """\
audio-emotion {version}

POST /v1/audio/emotions            one emotion for a recording
POST /v1/audio/timeline            emotions over its time
POST /v1/audio/explain             what supports the prediction
WS   /v1/audio/emotions/realtime   the same for a microphone
POST /v1/jobs                      long recordings
GET  /v1/models                    what the model is, and what it is for
GET  /healthz  /readyz  /metrics
GET  /docs  /openapi.json          how to use all that
"""


@router.get("/v1/models", tags=["service"], openapi_extra=describe.MODELS)
def models(request: Request) -> JSONResponse:
    """Describe the model: labels, scores, licence, intended use and digest."""
    return JSONResponse({"object": "list", "data": [_described(state_of(request).settings.model)]})


@router.get("/v1/models/{name}", tags=["service"])
def model(name: str, request: Request) -> JSONResponse:
    """Describe the model of this name."""
    found = _described(state_of(request).settings.model)
    if name != found["id"]:
        raise ServiceError(f"the model is {found['id']}", Code.NOT_FOUND)
    return JSONResponse(found)


@router.get("/healthz", tags=["service"])
async def healthz() -> JSONResponse:
    """Say that the process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", tags=["service"])
async def readyz(request: Request) -> JSONResponse:
    """Say whether new work is welcome: not before the model is there, nor once an end was asked."""
    state = state_of(request)
    status = "ok" if state.ready else "ending" if state.draining else "starting"
    return JSONResponse({"status": status}, 200 if state.ready else 503)


@router.get("/metrics", tags=["service"], response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Count requests, queues, seconds and predictions, in Prometheus' text format."""
    return PlainTextResponse(
        state_of(request).metrics.text(), media_type="text/plain; version=0.0.4"
    )


@router.get("/docs", include_in_schema=False)
async def docs() -> FileResponse:
    return FileResponse(HERE / "docs.html", headers=HEAD)


@router.get("/docs/{name}", include_in_schema=False)
async def docs_part(name: str) -> FileResponse:
    if name not in {"docs.css", "docs.js"}:
        raise ServiceError("the page has no such part", Code.NOT_FOUND)
    return FileResponse(HERE / name, headers=HEAD)


def add_page(app: FastAPI, folder: Path = WEB) -> None:
    """Serve the page at /, where it is installed, and otherwise a list of the addresses."""
    if folder.is_dir():
        app.mount("/", Page(directory=folder, html=True), "page")
        return

    @app.get("/", include_in_schema=False)
    async def index() -> PlainTextResponse:
        return PlainTextResponse(INDEX.format(version=app.version))


class Page(StaticFiles):
    """The page and its parts, which may run scripts of their own and nothing else."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with the headers of a page."""
        found = await super().get_response(path, scope)
        found.headers.update(HEAD)
        return found


def described_problems() -> list[dict[str, Any]]:
    """Return the table of errors, for the description of the service."""
    return [
        {"code": code.value, "status": status, "title": title}
        for code, (status, title) in PROBLEMS.items()
    ]


@cache
def _described(path: Path | None) -> dict[str, Any]:
    path = path or default_model()
    info = open_model(path, 1)[1]
    return {
        "id": info.name,
        "object": "model",
        "created": info.created,
        "labels": list(info.labels),
        "sampling_rate": info.sampling_rate,
        "win_dur": info.win_dur,
        "precision": info.precision,
        "calibration": info.calibration.model_dump(),
        "scores": info.scores,
        "protocol": info.protocol,
        "trained_on": info.trained_on,
        "citation": info.citation,
        "licence": info.licence,
        "intended_use": INTENDED_USE,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
