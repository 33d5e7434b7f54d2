"""Fixtures: one Chromium, one service, and a fresh page for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import MICROPHONE, Visit, browser
from playwright.sync_api import Browser, Playwright, sync_playwright

from audio_emotion import Classifier
from serving import Service, serving


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake microphone plays; each recording begins it anew, as it is by then."""
    return tmp_path_factory.mktemp("microphone") / "sound.wav"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chrome(playwright: Playwright, sound: Path) -> Iterator[Browser]:
    with browser(
        playwright, *MICROPHONE, f"--use-file-for-fake-audio-capture={sound}%noloop"
    ) as started:
        yield started


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service"), workers=2) as running:
        yield running


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier(threads=1)


@pytest.fixture(scope="session")
def shared(chrome: Browser, service: Service) -> dict[str, Visit]:
    """A page for each engine, that several tests use one after the other."""
    return {name: Visit(chrome.new_context(), service.url, name) for name in ("browser", "server")}


@pytest.fixture
def page(request: pytest.FixtureRequest, shared: dict[str, Visit]) -> Iterator[Visit]:
    """The shared page of the engine that a test names; in the end its console must be empty."""
    found = shared[request.param]
    yield found
    assert not found.complaints


@pytest.fixture
def visit(chrome: Browser, service: Service) -> Iterator[Callable[..., Visit]]:
    """Open a page of one's own; in the end its console must be empty."""
    contexts, visits = [], []

    def open_page(engine: str = "browser", url: str = service.url, **options: Any) -> Visit:
        contexts.append(chrome.new_context(**options))
        visits.append(Visit(contexts[-1], url, engine))
        return visits[-1]

    yield open_page
    for context in contexts:
        context.close()
    assert not [complaint for made in visits for complaint in made.complaints]
