"""What the routes of one service share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from ..errors import AudioEmotionError, ServiceError
from ..notices import Code
from .guards.allow import Tokens
from .metrics import Metrics
from .settings import ServerSettings
from .work.pool import Pool

if TYPE_CHECKING:
    from .jobs.runner import Jobs
    from .routes.realtime import Sessions


@dataclass
class State:
    """Everything that lives as long as the service."""

    settings: ServerSettings
    metrics: Metrics
    tokens: Tokens
    pool: Pool
    uploads: Path = field(init=False)  # a folder that only this service can read
    jobs: "Jobs" = field(init=False)
    sessions: "Sessions" = field(init=False)
    failure: AudioEmotionError | None = None  # why it could not begin
    draining: bool = False  # whether it finishes what it does and takes no more
    requests: int = 0  # that are being answered

    @property
    def ready(self) -> bool:
        """Whether new work is welcome."""
        return self.pool.ready and not self.draining

    def check_open(self) -> None:
        """Refuse new work once the service is about to end.

        Raises:
            ServiceError: it is.
        """
        if self.draining:
            raise ServiceError("ask again, or ask another", Code.SHUTTING_DOWN, retry_after=5)


def state_of(connection: HTTPConnection) -> State:
    """Return the state of the service that a request or a WebSocket belongs to."""
    state: State = connection.app.state.service
    return state
