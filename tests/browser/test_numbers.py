"""The numbers of the page are those of the package."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browsing import RATE, SAMPLES, Visit, difference, lead, speech, wav

from audio_emotion import Classifier, read_audio, resample

EXACT = 1e-3  # between two runtimes on the same samples
WINDOWED = 0.01  # where they find the end of a loud part some samples apart, and windows move
CARD = 48_000  # Hz of a sound card
DECODED = 0.03  # beside another resampler's samples
CLOSE = 0.1  # a lead that the resamplers on the way through a sound card can turn


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech with pauses, longer than a window."""
    names = [path.name for path in SAMPLES]
    return wav(tmp_path_factory.mktemp("long") / "long.wav", speech(*names))


@pytest.mark.parametrize("page", ["browser"], indirect=True)
def test_by_file_in_the_browser(page: Visit, classifier: Classifier) -> None:
    for path in SAMPLES:
        page.send(path)
        assert difference(page.probabilities, classifier(page.sent(), RATE).probabilities) < EXACT
        expected = classifier.file(path)
        assert difference(page.probabilities, expected.probabilities) < DECODED, path.name
        if lead(classifier, path) > 2 * DECODED:
            assert page.label == expected.label


@pytest.mark.parametrize("page", ["server"], indirect=True)
def test_by_file_by_the_service(page: Visit, classifier: Classifier) -> None:
    for path in SAMPLES:
        page.send(path)
        assert page.posted() == path.read_bytes()
        expected = classifier.file(path)
        assert difference(page.probabilities, expected.probabilities) < EXACT
        assert page.label == expected.label


@pytest.mark.parametrize("page", ["browser"], indirect=True)
def test_a_long_recording_in_the_browser(page: Visit, classifier: Classifier, long: Path) -> None:
    page.send(long)
    expected = classifier(page.sent(), RATE)
    assert expected.duration > 15
    assert len(page.sent()) == soundfile.info(long).frames
    assert difference(page.probabilities, expected.probabilities) < EXACT
    assert page.label == expected.label


@pytest.mark.parametrize("page", ["browser"], indirect=True)
def test_speech_without_pauses_longer_than_one_look(
    page: Visit, classifier: Classifier, tmp_path: Path
) -> None:
    names = [path.name for path in SAMPLES] * 3  # of 40 s
    page.send(wav(tmp_path / "talk.wav", speech(*names, pause=0.1)))
    expected = classifier(page.sent(), RATE)
    assert expected.speech_dur > 30
    assert difference(page.probabilities, expected.probabilities) < WINDOWED


@pytest.mark.parametrize("page", ["browser", "server"], indirect=True)
def test_where_nobody_speaks(page: Visit, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, signal in (
        ("silence", np.zeros(2 * RATE)),
        ("noise", 0.1 * random.standard_normal(2 * RATE)),
    ):
        page.send(wav(tmp_path / f"{name}.wav", signal))
        assert (page.label, page.text("label").lower()) == ("no speech", "no speech"), name
        assert not page.tab.is_visible("#bars")


@pytest.mark.parametrize("page", ["browser"], indirect=True)
def test_by_microphone_in_the_browser(page: Visit, classifier: Classifier, sound: Path) -> None:
    for path in SAMPLES:
        wav(sound, *spoken(path))
        page.record(seconds=3.9)
        assert difference(page.probabilities, classifier(page.sent(), RATE).probabilities) < EXACT
        if lead(classifier, path) > CLOSE:
            assert page.label == classifier.file(path).label, path.name


@pytest.mark.parametrize("page", ["server"], indirect=True)
def test_by_microphone_by_the_service(page: Visit, classifier: Classifier, sound: Path) -> None:
    path = max(SAMPLES, key=lambda path: lead(classifier, path))
    wav(sound, *spoken(path))
    page.record(seconds=3.9)
    signal, rate = soundfile.read(io.BytesIO(page.posted()), dtype="float32")
    assert (rate, signal.ndim) == (RATE, 1)
    assert difference(page.probabilities, classifier(signal, rate).probabilities) < EXACT
    assert page.label == classifier.file(path).label


def test_both_engines_say_the_same_of_a_guess(
    shared: dict[str, Visit], classifier: Classifier, tmp_path: Path
) -> None:
    brief = wav(tmp_path / "brief.wav", speech("fast_high.flac")[: int(0.95 * RATE)])
    notices = [notice.code for notice in classifier.file(brief).warnings]
    assert notices == ["short_speech"]
    said = []
    for page in shared.values():
        page.send(brief)
        said.append((page.text("warnings"), page.text("words")))
    assert said[0] == said[1]
    assert said[0][0].startswith("A guess from 0.")


def test_channels_that_cancel_are_told(shared: dict[str, Visit], tmp_path: Path) -> None:
    signal = speech("fast_high.flac")
    path = wav(tmp_path / "opposite.wav", np.stack([signal, -signal], 1))
    said = []
    for page in shared.values():
        page.send(path)
        said.append((page.label, page.text("warnings")))
    assert said[0] == said[1]
    assert "cancel each other" in said[0][1]


def spoken(path: Path) -> tuple[np.ndarray, int]:
    """Return what a microphone hears: silence, a sample, silence."""
    signal = resample(*read_audio(path), CARD)
    silence = np.zeros(CARD // 2, np.float32)
    return np.concatenate([silence, signal, np.zeros(9 * CARD, np.float32)]), CARD


@pytest.mark.parametrize("page", ["browser"], indirect=True)
def test_the_facts_of_the_page_are_those_of_the_model(page: Visit, classifier: Classifier) -> None:
    found = json.loads(page.tab.evaluate("async () => (await fetch('page.json')).text()"))
    assert tuple(found["labels"]) == classifier.labels
    assert found["engines"] == ["browser", "server"]
    assert found["rule"]["win_dur"] == classifier.win_dur
