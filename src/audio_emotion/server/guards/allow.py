"""Who may ask: host names, origins of web pages, and tokens."""

import hashlib
import hmac
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import ServiceError
from ...notices import Code
from ..problems import response
from ..settings import ServerSettings

PROBES = {"/healthz", "/readyz"}  # called by the address of a container, and without secrets
PROTECTED = ("/v1/", "/metrics")  # what needs a token; the rest are pages and descriptions
SAFE = {"GET", "HEAD", "OPTIONS"}
MOST_ADDRESSES = 10_000  # whose wrong tokens are remembered


class Allow:
    """Refuses requests to other hosts, from other pages, and without a token.

    A page of another address can make a browser send requests to this machine.  It can even give
    itself a name that leads here (DNS rebinding), so the host is checked, and not only whether the
    origin agrees with it.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, tokens: "Tokens") -> None:
        self.app = app
        self.settings = settings
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        try:
            self._check(scope, Headers(scope=scope))
        except ServiceError as error:
            await response(error, scope)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        if scope["path"] not in PROBES:
            self._check_host(headers)
        if scope["type"] == "websocket" or scope["method"] not in SAFE:
            self._check_origin(headers)
        # A browser cannot send a header with a WebSocket; its first message brings the token.
        if scope["type"] == "http" and scope["path"].startswith(PROTECTED):
            self.tokens.check(_shown(headers), _address(scope))

    def _check_host(self, headers: Headers) -> None:
        names = headers.getlist("host")
        if len(names) != 1 or _host(names[0]) not in self.settings.hosts:
            raise ServiceError("name the hosts that clients use with --allowed-host", Code.BAD_HOST)

    def _check_origin(self, headers: Headers) -> None:
        """Let programs pass, which send no origin, pages of this service, and those allowed."""
        origin = headers.get("origin")
        if origin is None:
            allowed = headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
        else:
            same = origin.partition("://")[2].lower() == headers.get("host", "").lower()
            allowed = same or origin in self.settings.allowed_origins
        if not allowed:
            raise ServiceError("name the page's address with --allow-origin", Code.BAD_ORIGIN)


class Tokens:
    """Compares tokens in constant time, and slows down who guesses.

    Args:
        settings: with the tokens; without any, everybody passes.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.needed = bool(settings.tokens)
        self._digests = [_digest(token) for token in settings.tokens]
        self._limits = settings.limits
        self._failures: dict[str, list[float]] = {}  # times of wrong tokens, by address

    def check(self, token: str | None, address: str) -> None:
        """Refuse a token that is missing or wrong.

        Raises:
            ServiceError: it is, or too many wrong ones came from this address.
        """
        if not self.needed:
            return
        now = time.monotonic()
        recent = [t for t in self._failures.get(address, ()) if t > now - self._limits.failure_dur]
        if len(recent) >= self._limits.failures:
            wait = round(self._limits.failure_dur)
            raise ServiceError(f"wait {wait} s", Code.TOO_MANY_ATTEMPTS, retry_after=wait)
        digest = _digest(token or "")
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            if token is not None:
                self._remember(address, [*recent, now])
            raise ServiceError(
                "send the token as Authorization: Bearer … or X-API-Key", Code.UNAUTHORIZED
            )

    def _remember(self, address: str, failures: list[float]) -> None:
        self._failures.pop(address, None)
        self._failures[address] = failures  # the latest last
        if len(self._failures) > MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]


def shown_token(scope: Scope) -> str | None:
    """Return the token in the headers of a request or handshake, if there is one."""
    return _shown(Headers(scope=scope))


def _shown(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return headers.get("x-api-key")


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _digest(token: str) -> bytes:
    """Tokens are compared by digests, which are equally long."""
    return hashlib.sha256(token.encode()).digest()


def _host(header: str) -> str | None:
    """Return the name in a `Host` header without its port."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None
