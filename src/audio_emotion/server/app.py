"""`create_app`: a service from its settings."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..errors import AudioEmotionError
from ..version import __version__
from .guards.access import Access
from .guards.allow import Allow, Tokens
from .guards.body import BodyLimits
from .guards.room import Room
from .jobs.runner import Jobs
from .metrics import Metrics
from .problems import from_http, from_validation, response
from .routes import jobs, realtime, recordings, service, speakers
from .settings import Limits, ServerSettings
from .state import State
from .work.pool import Pool

DESCRIPTION = (
    "Recognises eight emotions in speech and song. A recording is sent as the part file of a form, "
    "or as the body itself. Errors are application/problem+json with a stable code."
)
SILENT_TELEMETRY: Any = {  # of the framework, which sends nothing unless asked; nor is it asked
    **dict.fromkeys(("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False)
}
TOKENS = {  # how a client shows its token, in the words of OpenAPI
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
CLIENT_LEFT = 499  # what nginx logs when nobody waits for the answer any more


def create_app(settings: ServerSettings | None = None) -> FastAPI:
    """Return a service; it opens the model and starts the decoders when it is run.

    Args:
        settings: the defaults if left out.
    """
    settings = settings or ServerSettings()
    metrics = Metrics()
    pool = Pool(settings.model, settings.workers, settings.waiting, settings.limits, metrics)
    state = State(settings, metrics, Tokens(settings), pool)
    app = FastAPI(
        title="audio-emotion",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        telemetry=SILENT_TELEMETRY,
        redirect_slashes=False,
    )
    app.state.service = state
    for module in (recordings, speakers, jobs, realtime, service):
        app.include_router(module.router)
    service.add_page(app, settings.model)
    _describe(app, bool(settings.tokens))
    _answer_errors(app)
    _guard(app, state)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.service
    with tempfile.TemporaryDirectory(prefix="audio-emotion-") as folder:
        state.uploads = Path(folder)
        state.sessions = realtime.Sessions(state)
        state.jobs = Jobs(state)
        try:
            await run_in_threadpool(state.pool.start)
            await state.jobs.start()
            yield
        except AudioEmotionError as error:
            state.failure = error
            raise
        finally:
            state.draining = True
            await state.jobs.close()
            await run_in_threadpool(state.pool.close)
            state.sessions.close()


def _describe(app: FastAPI, tokens: bool) -> None:
    """Add what the framework does not know to the description: errors and tokens."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        found = plain()
        found["x-problems"] = service.described_problems()
        if tokens:
            found.setdefault("components", {})["securitySchemes"] = TOKENS
            found["security"] = [{name: []} for name in TOKENS]
        return found

    app.openapi = openapi  # type: ignore[method-assign]


def _answer_errors(app: FastAPI) -> None:
    """Turn every error into a problem."""

    async def ours(request: Request, error: Exception) -> Response:
        return response(error, request.scope)

    async def theirs(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return response(from_http(error), request.scope)

    async def parameters(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return response(from_validation(error), request.scope)

    async def left(request: Request, error: Exception) -> Response:
        request.state.code = "client_left"
        return Response(status_code=CLIENT_LEFT)

    app.add_exception_handler(AudioEmotionError, ours)
    app.add_exception_handler(HTTPException, theirs)
    app.add_exception_handler(RequestValidationError, parameters)
    app.add_exception_handler(ClientDisconnect, left)


def _guard(app: FastAPI, state: State) -> None:
    """Put the guards around the routes, the innermost first."""
    settings = state.settings
    taking = (*recordings.router.routes, *speakers.router.routes)
    routes = {route.path: route for route in taking if isinstance(route, APIRoute)}
    app.add_middleware(Room, state=state, routes=routes)
    app.add_middleware(Allow, settings=settings, tokens=state.tokens)
    app.add_middleware(
        BodyLimits, limits=settings.limits, most=lambda path: _most(path, settings.limits)
    )
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After", "Location", recordings.WARNINGS],
        )
    app.add_middleware(Access, state=state)


def _most(path: str, limits: Limits) -> tuple[int, float]:
    """Return how many bytes a body may have at this path, and how many seconds it may take."""
    if path == "/v1/jobs":
        return limits.job_body, limits.job_body_dur
    if path.startswith(("/v1/audio/", "/v1/speakers")):
        return limits.body, limits.body_dur
    return limits.small_body, limits.body_dur
