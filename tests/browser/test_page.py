"""The page as its user finds it: private, by keyboard, on a phone, in the dark, and in trouble."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browsing import FORGET, RATE, SAMPLES, Visit, browser, difference, speech, wav
from playwright.sync_api import Browser, Playwright

from audio_emotion import Classifier
from audio_emotion.inference.speaker import Speaker
from audio_emotion.web import site
from serving import Service, serving

SAMPLE = SAMPLES[0]
PHONE = {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "has_touch": True}
LONG = ("fast_high.flac", "soft_breathy.flac", "slow_low.flac")
LATE = """() => {  // the first answer of the service waits until it is released
  const plain = window.fetch, held = new Promise((done) => { window.release = done; });
  window.fetch = async (...request) => {
    window.fetch = plain;
    const response = await plain(...request);
    window.held = true;
    await held;
    return response;
  };
}"""
in_browser = pytest.mark.parametrize("page", ["browser"], indirect=True)
by_service = pytest.mark.parametrize("page", ["server"], indirect=True)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech with pauses, longer than a window."""
    return wav(tmp_path_factory.mktemp("long") / "long.wav", speech(*LONG))


def test_nothing_leaves_the_browser(visit: Callable[..., Visit], sound: Path, long: Path) -> None:
    page = visit("browser")
    assert "stays on this device" in page.text("place")
    wav(sound, speech("fast_high.flac", pause=5))
    page.tab.context.set_offline(True)
    page.send(SAMPLE)
    assert page.label in page.probabilities
    page.record()
    assert page.label in page.probabilities
    page.record("live")
    page.send(long)
    page.until(lambda: page.tab.is_visible("#exports"))
    assert page.requests == []


@by_service
def test_the_service_s_page_says_where_the_voice_goes(page: Visit) -> None:
    assert "goes to the service on this computer" in page.text("place")
    page.requests.clear()
    page.send(SAMPLE)
    assert [url.partition("/v1/")[2] for url in page.requests] == ["audio/emotions"]


@by_service
def test_an_answer_that_comes_late_is_not_shown_over_another_recording(page: Visit) -> None:
    page.send(SAMPLES[1])
    expected = page.probabilities
    page.tab.evaluate(LATE)
    page.tab.set_input_files("#file", SAMPLE)
    page.until(lambda: page.tab.evaluate("window.held"))
    page.send(SAMPLES[1])
    page.tab.evaluate("window.release()")
    page.tab.wait_for_timeout(500)
    assert page.probabilities == expected


@pytest.mark.parametrize("page", ["browser", "server"], indirect=True)
def test_a_normal_voice(page: Visit, sound: Path, classifier: Classifier) -> None:
    wav(sound, speech(*LONG, pause=0.3))
    page.send(SAMPLE)
    before = page.probabilities
    page.tab.evaluate(FORGET)
    page.tab.click("#enroll")
    page.until(lambda: page.tab.is_visible("#voice-save"))
    assert "is known from" in page.text("voice-words")
    page.wait()  # for the answer that was there before, now of this voice
    assert page.text("plain").startswith("Without your normal voice: ")
    with page.tab.expect_download() as coming:
        page.tab.click("#voice-save")
    speaker = Speaker.load(coming.value.path())
    expected = classifier.file(SAMPLE, speaker=speaker).probabilities
    assert difference(page.probabilities, expected) < 0.03
    assert difference(page.probabilities, before) > difference(page.probabilities, expected)
    page.tab.evaluate(FORGET)
    page.tab.click("#voice-forget")
    page.wait()
    assert page.probabilities == before
    assert not page.tab.is_visible("#plain")


@in_browser
def test_a_file_that_is_no_audio(page: Visit) -> None:
    page.send(Path(__file__))
    assert "finds no sound in the file" in page.text("problem")
    assert not page.tab.is_visible("#result")
    page.send(SAMPLE)
    assert page.text("problem") == ""
    assert page.tab.is_visible("#result")


def test_the_service_s_refusal_is_shown_in_its_words(visit: Callable[..., Visit]) -> None:
    page = visit("server")
    page.send(Path(__file__))
    assert page.text("problem").startswith("The recording cannot be used: ")
    assert page.complaints.pop().startswith("Failed to load resource")  # Chromium's own, of the 422


@in_browser
def test_a_recording_that_is_too_long_for_the_browser(page: Visit, tmp_path: Path) -> None:
    page.send(wav(tmp_path / "hour.wav", np.zeros(180 * RATE)))
    assert page.text("problem") == "The recording has 3 minutes; in the browser 2 are the most."


def test_a_refused_microphone(playwright: Playwright, service: Service) -> None:
    with browser(playwright) as strict:  # which grants nothing, and has no microphone
        context = strict.new_context()
        page = Visit(context, service.url, "server")
        said = []
        for name in ("NotAllowedError", "NotFoundError", "NotReadableError"):
            page.tab.evaluate(
                "name => { navigator.mediaDevices.getUserMedia = async () => {"
                " throw new DOMException('', name); }; }",
                name,
            )
            page.tab.click("#record")
            page.until(lambda: page.text("problem"))
            said.append(page.text("problem"))
            assert "running" not in (page.tab.get_attribute("#record", "class") or "")
        page.tab.evaluate("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
        page.tab.evaluate("Object.defineProperty(window, 'isSecureContext', {value: false})")
        page.tab.click("#record")
        page.until(lambda: "HTTPS" in page.text("problem"))
        assert page.complaints == []
        context.close()
    for words, text in zip(("refused", "no microphone", "another program"), said, strict=True):
        assert words in text


def test_chromium_s_own_refusal(playwright: Playwright, service: Service) -> None:
    with browser(playwright) as strict:
        context = strict.new_context()
        page = Visit(context, service.url, "server")
        page.tab.click("#record")
        page.until(lambda: page.text("problem"))
        assert "microphone" in page.text("problem")
        context.close()


def test_the_keyboard_is_enough(visit: Callable[..., Visit], sound: Path, long: Path) -> None:
    wav(sound, speech("fast_high.flac", pause=5))
    page = visit("server")
    keys = page.tab.keyboard
    focused = "() => document.activeElement.id || document.activeElement.value"
    found = []
    for _ in range(4):
        keys.press("Tab")
        found.append(page.tab.evaluate(focused))
    assert found == ["server", "record", "file", "live"]
    page.tab.focus("#record")
    keys.press("Enter")
    page.until(lambda: page.tab.is_visible("#record.running"))
    page.tab.wait_for_timeout(2000)
    keys.press("Enter")
    page.wait()
    assert page.label in page.probabilities
    assert page.tab.evaluate(focused) == "label"  # so that a screen reader reads on from there
    page.send(long)
    page.until(lambda: page.tab.is_visible("#exports"))
    page.tab.focus("#segments button")
    keys.press("ArrowDown")
    second = "document.activeElement === document.querySelectorAll('#segments button')[1]"
    assert page.tab.evaluate(second)
    keys.press("Enter")
    page.until(lambda: page.tab.evaluate("document.querySelector('#audio').currentTime") > 0.5)
    page.tab.focus("[value=server]")
    keys.press("ArrowLeft")
    page.until(lambda: page.engine == "browser")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(visit: Callable[..., Visit], scheme: str, long: Path) -> None:
    page = visit("server", color_scheme=scheme)
    paper = page.tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 200) == (scheme == "dark")
    assert page.violations() == []
    page.send(long)
    page.until(lambda: page.tab.is_visible("#exports"))
    page.tab.click("#explain")
    page.until(lambda: page.tab.is_visible("#why"))
    page.tab.click("summary")
    assert page.violations() == []


def test_a_phone_s_width_is_enough(visit: Callable[..., Visit], long: Path) -> None:
    page = visit("server", **PHONE)
    page.send(long)
    page.until(lambda: page.tab.is_visible("#exports"))
    page.tab.click("#explain")
    page.until(lambda: page.tab.is_visible("#why"))
    page.tab.click("summary")
    outside = "(e) => e.getBoundingClientRect().right > 320.5"
    wide = f"[...document.querySelectorAll('body *')].filter({outside})"
    assert page.tab.evaluate(f"{wide}.map((e) => e.outerHTML.slice(0, 80))") == []
    assert page.tab.evaluate("document.scrollingElement.scrollWidth") == 320


def test_the_notice_and_the_card(visit: Callable[..., Visit]) -> None:
    page = visit("server")
    text = page.tab.inner_text("footer")
    assert "forbids emotion recognition at work and in education" in text
    assert "must be told" in text
    assert "Acted emotion is not felt emotion" in text
    page.tab.click("summary")
    assert "RAVDESS" in page.tab.inner_text("#card")


def test_without_the_runtime_the_service_answers(
    visit: Callable[..., Visit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "RUNTIME", ("ort/none",))
    with serving(tmp_path) as bare:
        page = visit("browser", bare.url)
        assert page.engine == "server"
        assert "make page fetches it" in page.text("place")
        assert not page.tab.is_visible("#engines")
        page.send(SAMPLE)
        assert page.label in page.probabilities


@pytest.mark.parametrize("first", ["a file", "live"])
def test_the_token_is_asked_for(
    first: str, visit: Callable[..., Visit], sound: Path, tmp_path: Path
) -> None:
    wav(sound, speech("fast_high.flac", pause=0.5))
    with serving(tmp_path, tokens=("a-token-for-tests-only",)) as closed:
        page = visit("server", closed.url)
        if first == "live":
            page.tab.click("#live")
        else:
            page.tab.set_input_files("#file", SAMPLE)
        page.tab.fill("#token", "a-token-for-tests-only")
        page.tab.click("#token-dialog button")
        if first == "live":
            page.end_recording("live")
        page.wait()
        assert page.label in page.probabilities
        assert page.complaints.pop().startswith("Failed to load resource")  # of the 401


def test_one_file_works_from_the_disk(chrome: Browser, sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(site.Site().single_file(), encoding="utf-8")
    wav(sound, speech("fast_high.flac", pause=5))
    context = chrome.new_context()
    page = Visit(context, path.as_uri(), "browser")
    assert page.engine == "browser"
    page.send(SAMPLE)
    assert page.label in page.probabilities
    page.record()
    assert page.label in page.probabilities
    assert (page.requests, page.complaints) == ([], [])
    context.close()
