"""The page as files: for the service, for a folder of any web server, or all in one file."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

from ..errors import ConfigError
from ..files import write_with
from ..inference.model_file import default_model, open_model
from ..inference.session import packaged
from ..inference.vad import DETECTOR
from .facts import BROWSER, SERVER, facts, runs_in_browsers

PAGE = Path(__file__).parent / "page"
RUNTIME = ("ort/ort.wasm.bundle.min.mjs", "ort/ort-wasm-simd-threaded.wasm.gz")  # by `make page`
IMPORT = re.compile(r'(\bfrom\s*|\bimport\s*)"(\./[^"]+)"')
POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy"\s+content=")[^"]*(">)')
STYLE = '<link rel="stylesheet" href="page.css">'
SCRIPT = '<script type="module" src="page.js"></script>'
SINGLE_POLICY = (  # a page that cannot connect to anything; its parts are `data:`
    "default-src 'none'; script-src 'wasm-unsafe-eval' data: {script}; style-src {style}; "
    "img-src data: blob:; media-src blob:; worker-src data:; base-uri 'none'; form-action 'none'"
)
LOADED_BY_NAME = ("worker.js", "worklet.js")  # scripts that the page starts, beside its modules


class Site:
    """The files of the page for one model.

    Args:
        model: a model file; by default the shipped one.
        service: whether a service answers beside the page.

    Attributes:
        made: what is made for this model, by name.
    """

    def __init__(self, model: Path | None = None, *, service: bool = False) -> None:
        self.model = model or default_model()
        self.service = service
        self.made: dict[str, Callable[[], bytes]] = {
            "page.json": lambda: self._facts,
            "model.onnx.gz": lambda: self._model,
            "speech.onnx.gz": lambda: self._detector,
        }

    @cached_property
    def engines(self) -> list[str]:
        """Where the page can let the model run, the preferred place first."""
        fetched = all((PAGE / name).is_file() for name in RUNTIME)
        fits = runs_in_browsers(open_model(self.model, 1)[1])
        return [BROWSER] * (fetched and fits) + [SERVER] * self.service

    def read(self, name: str) -> bytes:
        """Return the content of a file of the page."""
        return self.made[name]() if name in self.made else (PAGE / name).read_bytes()

    def write(self, folder: Path) -> None:
        """Write the page as a folder.

        Raises:
            ConfigError: the page could not run the model.
        """
        self._check()
        for name in self._names():
            write_with(folder / name, partial(self._write, name))

    def single_file(self) -> str:
        """Return the page as one HTML file, which needs nothing else.

        Raises:
            ConfigError: the page could not run the model.
        """
        self._check()
        style, script = self._text("page.css"), self._linked("page.js")
        policy = SINGLE_POLICY.format(script=_digest(script), style=_digest(style))
        data = [self._embedded(name) for name in (*self.made, RUNTIME[1])]
        data += [_data_block(name, self._linked(name).encode()) for name in LOADED_BY_NAME]
        page = POLICY.sub(lambda found: found[1] + policy + found[2], self._text("index.html"))
        page = page.replace(STYLE, f"<style>{style}</style>")
        inline = f'<script type="module">{script}</script>'
        return page.replace(SCRIPT, "\n".join([*data, inline]))

    @cached_property
    def _facts(self) -> bytes:
        return json.dumps(facts(self.model, self.engines), ensure_ascii=False).encode()

    @cached_property
    def _model(self) -> bytes:
        return gzip.compress(self.model.read_bytes(), mtime=0)

    @cached_property
    def _detector(self) -> bytes:
        return gzip.compress(packaged(DETECTOR).read_bytes(), mtime=0)

    def _write(self, name: str, path: Path) -> None:
        path.write_bytes(self.read(name))

    def _check(self) -> None:
        if self.engines:
            return
        if not runs_in_browsers(open_model(self.model, 1)[1]):
            raise ConfigError(f"{self.model} has another sampling rate than the page, 16,000 Hz")
        raise ConfigError("the page has no runtime for the model; fetch it with make page")

    def _names(self) -> list[str]:
        files = (path for path in PAGE.rglob("*") if path.is_file())
        return [*self.made, *sorted(path.relative_to(PAGE).as_posix() for path in files)]

    def _text(self, name: str) -> str:
        return self.read(name).decode()

    def _embedded(self, name: str) -> str:
        return _data_block(name, self.read(name))

    def _linked(self, name: str) -> str:
        """Return a module whose imports are addresses that contain what they name."""

        def link(found: re.Match[str]) -> str:
            code = base64.b64encode(self._linked(found[2].removeprefix("./")).encode()).decode()
            return f'{found[1]}"data:text/javascript;base64,{code}"'

        if name.startswith("ort/"):
            return self._text(name)
        return IMPORT.sub(link, self._text(name))


def _data_block(name: str, content: bytes) -> str:
    code = base64.b64encode(content).decode()
    return f'<script type="text/plain" id="file:{name}">{code}</script>'


def _digest(text: str) -> str:
    """Return the source of a Content-Security-Policy that allows exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
