"""`audio-emotion serve`: the same answers by HTTP."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from .options import Model, say

TOKEN = "AUDIO_EMOTION_TOKEN"  # environment variable with a token


def serve(
    model: Model = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"File with a token on each line; {TOKEN} can hold one instead."),
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Let other machines in without a token.")
    ] = False,
    allowed_host: Annotated[
        list[str], typer.Option(help="Name that clients use for this service; repeatable.")
    ] = [],  # noqa: B006  as typer wants it
    allow_origin: Annotated[
        list[str], typer.Option(help="Web page that may use this service; repeatable.")
    ] = [],  # noqa: B006
    ssl_certfile: Annotated[Path | None, typer.Option(help="Certificate for HTTPS.")] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="Its private key.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Recordings at once; by default one a core.", min=1)
    ] = None,
    waiting: Annotated[
        int, typer.Option(help="Recordings that may wait; more are told to come again.", min=0)
    ] = 16,
    folder: Annotated[
        Path | None, typer.Option(help="Where jobs are kept; by default in the user's state.")
    ] = None,
    json_log: Annotated[
        bool, typer.Option("--json-log", help="Log each request as a line of JSON.")
    ] = False,
) -> None:
    """Answer by HTTP and WebSocket; needs the extra serve.

    Without options only this machine can use it. Elsewhere a token is needed, and the names that
    clients call it by.

    Examples:

      audio-emotion serve

      audio-emotion serve --host 0.0.0.0 --allowed-host emotions.example.org --token-file tokens
    """
    try:
        from ..server.run import run
        from ..server.settings import ServerSettings
    except ModuleNotFoundError as error:
        if error.name == "resource":
            raise ConfigError("the service runs on Linux and macOS; use WSL elsewhere") from error
        raise ConfigError(
            f"serving needs {error.name}; install it with pip install "
            "'audio-emotion-classifier[serve]'"
        ) from error
    named: dict[str, Any] = {
        "model": model,
        "host": host,
        "port": port,
        "tokens": _tokens(token_file),
        "no_auth": no_auth,
        "allowed_hosts": tuple(allowed_host),
        "allowed_origins": tuple(allow_origin),
        "ssl_certfile": ssl_certfile,
        "ssl_keyfile": ssl_keyfile,
        "workers": workers,
        "waiting": waiting,
        "folder": folder,
        "json_log": json_log,
    }
    settings = ServerSettings(**{key: value for key, value in named.items() if value is not None})
    if no_auth and not settings.tokens:
        say("no token is asked for: everybody who reaches this address can use it")
    scheme = "https" if ssl_certfile else "http"
    if port:  # else the system chooses one, which the log names
        say(f"{scheme}://{host}:{port}/  (Ctrl-C ends it)")
    run(settings)


def _tokens(path: Path | None) -> tuple[str, ...]:
    """Return the tokens of a file, or else that of the environment; a command line is no secret."""
    if path is None:
        return tuple(filter(None, [os.environ.pop(TOKEN, "")]))
    try:
        found = tuple(filter(None, map(str.strip, path.read_text().splitlines())))
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not found:
        raise ConfigError(f"{path} holds no token; write one on each line")
    return found
