"""What the service says of itself: models, health, metrics, and its pages."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from ...errors import ServiceError
from ...notices import Code
from ...web.facts import described
from ...web.site import PAGE, Site
from ..guards.access import PAGE as PAGE_POLICY
from ..problems import PROBLEMS
from ..state import state_of
from . import describe

router = APIRouter()
HERE = Path(__file__).parents[1] / "static"
MADE = {"json": "application/json", "gz": "application/gzip"}  # media types by suffix
HEAD = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}


@router.get("/v1/models", tags=["service"], openapi_extra=describe.MODELS)
def models(request: Request) -> JSONResponse:
    """Describe the model: labels, scores, licence, intended use and digest."""
    return JSONResponse({"object": "list", "data": [described(state_of(request).settings.model)]})


@router.get("/v1/models/{name}", tags=["service"])
def model(name: str, request: Request) -> JSONResponse:
    """Describe the model of this name."""
    found = described(state_of(request).settings.model)
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


def add_page(app: FastAPI, model: Path | None) -> None:
    """Serve the page at /, with the model of the service."""
    site = Site(model, service=True)

    async def made(request: Request) -> Response:
        name = request.url.path[1:]
        body = await run_in_threadpool(site.read, name)
        return Response(body, media_type=MADE[name.rpartition(".")[2]], headers=HEAD)

    for name in site.made:
        app.add_route(f"/{name}", made, include_in_schema=False)
    app.mount("/", Page(directory=PAGE, html=True), "page")


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
