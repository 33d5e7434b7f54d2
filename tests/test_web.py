"""The page as files: what they are, what they may do, and how the service sends them."""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from audio_emotion.cli.app import app
from audio_emotion.errors import ConfigError
from audio_emotion.inference.model_file import default_model
from audio_emotion.web import site
from audio_emotion.web.facts import facts
from audio_emotion.web.site import PAGE, Site
from serving import serving

SCRIPTS = sorted(PAGE.glob("*.js"))


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page whose runtime was fetched, even where it was not."""
    folder = tmp_path / "page"
    (folder / "ort").mkdir(parents=True)
    for path in PAGE.glob("*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / site.RUNTIME[0]).write_text("export const env = {};")
    (folder / site.RUNTIME[1]).write_bytes(gzip.compress(b"wasm"))
    monkeypatch.setattr(site, "PAGE", folder)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("service")) as running, running.client() as found:
        yield found


def test_the_service_sends_the_page(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.text == (PAGE / "index.html").read_text(encoding="utf-8")
    for path in SCRIPTS:
        found = client.get(f"/{path.name}")
        assert found.headers["content-type"].startswith("text/javascript")
        policy = found.headers["content-security-policy"]  # a worker has that of its script
        assert "script-src 'self' 'wasm-unsafe-eval';" in policy
        assert "connect-src 'self';" in policy
        assert "unsafe-inline" not in policy


def test_the_service_sends_its_model(client: httpx.Client) -> None:
    packed = client.get("/model.onnx.gz")
    assert "content-encoding" not in packed.headers
    assert gzip.decompress(packed.content) == default_model().read_bytes()
    found = client.get("/page.json").json()
    assert found["engines"][-1] == "server"
    assert found["model"] == client.get("/v1/models").json()["data"][0]


def test_nothing_else_is_sent(client: httpx.Client) -> None:
    for path in ("/../site.py", "/%2e%2e/site.py", "/site.py", "/ort/none"):
        assert client.get(path).status_code == 404


def test_the_page_asks_no_other_address() -> None:
    for path in [*SCRIPTS, PAGE / "index.html", PAGE / "page.css"]:
        found = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text(encoding="utf-8"))
        assert set(found) <= {"http://www.w3.org"}, path.name  # the name of SVG


def test_the_modules_stay_small() -> None:
    assert len(SCRIPTS) > 10
    assert not {p.name: n for p in SCRIPTS if (n := p.read_text().count("\n")) > 300}


@pytest.mark.usefixtures("runtime")
def test_the_folder_holds_everything(tmp_path: Path) -> None:
    out = tmp_path / "site"
    done = CliRunner().invoke(app, ["page", "--out", str(out)])
    assert done.exit_code == 0, done.output
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {"index.html", "worker.js", "page.json", "model.onnx.gz", *site.RUNTIME} <= found
    assert json.loads((out / "page.json").read_text())["engines"] == ["browser"]
    for path in out.glob("*.js"):
        for name in re.findall(r'"(\./[^"]+)"', path.read_text()):
            assert (out / name).is_file(), f"{path.name} imports {name}"


@pytest.mark.usefixtures("runtime")
def test_one_file_holds_everything_and_can_reach_nothing() -> None:
    text = Site().single_file()
    policy = re.search(r'Policy" content="([^"]+)"', text)
    assert policy
    assert "connect-src" not in policy[1]
    assert policy[1].startswith("default-src 'none';")
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]+"', text)
    assert 'from "./' not in text
    blocks = dict(re.findall(r'<script type="text/plain" id="file:([^"]+)">([^<]+)</script>', text))
    assert blocks.keys() == {
        *("page.json", "model.onnx.gz", "speech.onnx.gz"),
        *("worker.js", "worklet.js", site.RUNTIME[1]),
    }
    assert (
        gzip.decompress(base64.b64decode(blocks["model.onnx.gz"])) == default_model().read_bytes()
    )
    assert b'from "./' not in base64.b64decode(blocks["worker.js"])


@pytest.mark.usefixtures("runtime")
def test_a_folder_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["page", "--out", str(tmp_path)])
    assert "exists already" in str(done.exception)


def test_without_the_runtime_the_command_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "RUNTIME", ("ort/none",))
    assert Site(service=True).engines == ["server"]
    with pytest.raises(ConfigError, match="make page"):
        Site().write(tmp_path / "site")


def test_a_model_of_another_rate_does_not_run_in_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "runs_in_browsers", lambda info: False)
    assert Site(service=True).engines == ["server"]
    with pytest.raises(ConfigError, match="another sampling rate"):
        Site().single_file()


def test_the_facts_are_those_of_the_model() -> None:
    found = facts(None, ["browser"])
    assert len(found["labels"]) == 8
    assert set(found["labels"]) <= found["colours"].keys()
    assert found["rule"]["rate"] == 16_000
    assert all(isinstance(value, int | float) for value in found["rule"].values())
