"""Whether there is room for one more recording."""

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import ServiceError
from ..problems import response
from ..state import State


class Room:
    """Refuses recordings that could not even wait, before anything is spent on them.

    A busy service that parses what it is going to refuse is busy with that.

    Args:
        app: what is guarded.
        state: of the service.
        routes: that take a recording, by their paths.
    """

    def __init__(self, app: ASGIApp, state: State, routes: Mapping[str, Any]) -> None:
        self.app = app
        self.state = state
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        try:
            self.state.check_open()
            arrived = self.state.pool.expect()
        except ServiceError as error:
            scope["route"] = route  # for log and metrics
            await response(error, scope)(scope, receive, send)
            return
        scope["state"]["arrived"] = arrived
        try:
            await self.app(scope, receive, send)
        finally:
            arrived()
