"""What a service allows, with every limit and its unit."""

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from ..errors import ConfigError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")  # names of this machine that are always answered
MIN_TOKEN = 16  # characters, so that nobody guesses one
MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one client may ask for; sizes in bytes, durations in seconds."""

    body: int = 32 * MIB  # of a request that is answered at once
    job_body: int = 1024 * MIB  # of a job
    small_body: int = 64 << 10  # of a request that brings no recording
    fields: int = 8  # parts of a form beside the recording
    chunk_dur: float = 10.0  # until the next part of a body arrives
    body_dur: float = 60.0  # until a body is complete
    job_body_dur: float = 600.0
    header_dur: float = 10.0  # until the headers of a request are complete
    keep_alive_dur: float = 5.0  # between two requests of a connection
    connections: int = 256

    audio_dur: float = 600.0  # of a recording that is answered at once
    job_audio_dur: float = 43_200.0
    sample_rate: int = 48_000  # Hz at which those durations may be used up in full
    answer_dur: float = 120.0  # until an answer is there, waiting included

    decode_memory: int = 512 * MIB  # beside that of the decoder itself
    decode_cpu_dur: float = 30.0  # of processor time
    job_decode_cpu_dur: float = 1800.0
    stall_dur: float = 15.0  # until a decoder yields the next block

    jobs: int = 16  # that have not ended
    job_attempts: int = 3  # before a job counts as the cause of the crashes it was part of
    result_dur: float = 3600.0  # for which a result is kept

    sessions: int = 32  # of WebSockets at once
    message: int = MIB  # of a WebSocket
    idle_dur: float = 10.0  # without a message
    session_dur: float = 3600.0
    drain_dur: float = 60.0  # for work that is running when the service is asked to end

    failures: int = 10  # wrong tokens from one address in `failure_dur`
    failure_dur: float = 60.0


@dataclass(frozen=True)
class ServerSettings:
    """How a service runs.

    Raises:
        ConfigError: other machines could use it without a token, a token is short, or a number is
            out of range.
    """

    model: Path | None = None  # by default the shipped one
    host: str = "127.0.0.1"  # address to listen at
    port: int = 8000  # 0 lets the system choose
    tokens: tuple[str, ...] = field(default=(), repr=False)  # one of which a client must show
    no_auth: bool = False  # whether other machines may go without
    allowed_hosts: tuple[str, ...] = ()  # names that clients may call it by, beside `host`
    allowed_origins: tuple[str, ...] = ()  # pages of other addresses that may use it
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)  # recordings at once
    waiting: int = 16  # recordings that wait for a worker
    folder: Path = field(default_factory=lambda: default_folder())  # of jobs
    json_log: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not self.tokens and not self.no_auth and not is_loopback(self.host):
            raise ConfigError(
                f"other machines can reach {self.host}; name a token with --token-file or "
                "AUDIO_EMOTION_TOKEN, or say --no-auth"
            )
        if any(len(token) < MIN_TOKEN or not token.isascii() for token in self.tokens):
            raise ConfigError(f"a token must have at least {MIN_TOKEN} characters of ASCII")
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise ConfigError("--ssl-certfile and --ssl-keyfile belong together")
        if self.workers < 1 or self.waiting < 0:
            raise ConfigError("a service needs at least one worker, and no less than zero waiting")
        for origin in self.allowed_origins:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                raise ConfigError(f"{origin!r} is no origin, such as https://example.org")

    @property
    def hosts(self) -> frozenset[str]:
        """Names, in lower case and without a port, that a client may call the service by."""
        return frozenset(name.lower() for name in (*LOCAL_NAMES, self.host, *self.allowed_hosts))


def default_folder() -> Path:
    """Return where the jobs of this user are kept.

    Raises:
        ConfigError: the user has no home.
    """
    try:
        return platformdirs.user_state_path("audio-emotion")
    except RuntimeError as error:
        raise ConfigError("this user has no home; name a folder with --folder") from error


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
