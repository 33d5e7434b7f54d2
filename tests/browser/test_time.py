"""Emotions over time and live, from both engines, and reasons, from the service."""

import re
from pathlib import Path

import pytest
from browsing import RATE, ROOT, Visit, speech, wav

from audio_emotion import timeline
from audio_emotion.formats.timelines import FORMATS

LONG = ("fast_high.flac", "soft_breathy.flac", "slow_low.flac")
by_service = pytest.mark.parametrize("page", ["server"], indirect=True)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech with pauses, longer than a window."""
    return wav(tmp_path_factory.mktemp("long") / "long.wav", speech(*LONG))


@pytest.fixture(scope="module", params=["browser", "server"])
def followed(request: pytest.FixtureRequest, shared: dict[str, Visit], long: Path) -> Visit:
    """The page with the timeline of a recording."""
    page = shared[request.param]
    page.send(long)
    page.until(lambda: page.tab.is_visible("#exports"))
    return page


def test_a_timeline_has_segments_to_hear(followed: Visit) -> None:
    page = followed
    signal = speech(*LONG)
    spoken = [s for s in timeline(signal, RATE).segments if s.label != "no speech"]
    shown = page.tab.query_selector_all("#segments button")
    assert [str(b.get_attribute("data-start"))[:4] for b in shown] == [
        str(round(s.start, 3))[:4] for s in spoken
    ]
    assert [s.label for s in spoken] == [b.inner_text().split()[-2] for b in shown]
    shown[1].click()
    page.until(lambda: shown[1].get_attribute("aria-current") == "true")
    assert heard(page) >= spoken[1].start - 0.1
    page.until(lambda: page.tab.evaluate("document.querySelector('#audio').paused"))
    assert heard(page) < spoken[2].start
    box = page.tab.locator("#chart").bounding_box()
    assert box
    page.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    at = heard(page)
    assert at == pytest.approx(len(signal) / RATE / 2, abs=1)


def test_the_chart_has_axes(followed: Visit) -> None:
    page = followed
    texts = [found.text_content() for found in page.tab.query_selector_all("#chart text")]
    assert {"0%", "50%", "100%", "0 s", "10 s"} <= set(texts)
    assert len(page.tab.query_selector_all("#chart polygon")) >= 8


@pytest.mark.parametrize("name", ["csv", "srt", "vtt", "json"])
def test_a_timeline_is_saved_as_the_package_writes_it(followed: Visit, name: str) -> None:
    page = followed
    with page.tab.expect_download() as coming:
        page.tab.click(f"[data-format={name}]")
    assert coming.value.suggested_filename == f"emotions.{name}"
    text = Path(coming.value.path()).read_text(encoding="utf-8")
    expected = FORMATS[name][0](timeline(speech(*LONG), RATE), "")
    assert skeleton(text) == skeleton(expected)


def skeleton(text: str) -> list[str]:
    """Return labels, keys and whole seconds of a file; browsers resample in their own way."""
    return re.findall(r"[a-z_]+|\b\d+(?=[.,]\d{3}\b)", text.partition('"step_dur"')[0])


@by_service
def test_why(page: Visit) -> None:
    page.send(ROOT / "samples" / "fast_high.flac")
    page.tab.click("#explain")
    page.until(lambda: page.tab.is_visible("#why"))
    words = page.text("why-words")
    assert words.startswith(str(page.label))
    assert words.rstrip(".").endswith("Hz") or "no single region" in words
    assert len(page.tab.query_selector_all("#why-chart rect")) >= 10


def heard(page: Visit) -> float:
    """Return the second that is heard."""
    return float(page.tab.evaluate("document.querySelector('#audio').currentTime"))


@pytest.mark.parametrize("page", ["browser", "server"], indirect=True)
def test_live(page: Visit, sound: Path) -> None:
    wav(sound, speech(*LONG, pause=0.5))
    page.tab.evaluate("() => { window.live = []; }")
    page.tab.evaluate(
        "() => new MutationObserver(() => window.live.push(document.querySelector('#words')"
        ".textContent)).observe(document.querySelector('#words'), {childList: true})"
    )
    page.record("live", seconds=8)
    said = page.tab.evaluate("() => window.live")
    assert [words for words in said if "last two seconds" in words]
    page.until(lambda: page.tab.is_visible("#exports"))  # the whole, once it has ended
    assert page.label in page.probabilities
    assert page.tab.query_selector_all("#segments button")
