"""What a prediction rests on: speech, wherever it is, and words where there is none."""

import numpy as np
import pytest
import soundfile

from audio_emotion import Classifier, Prediction, resample
from audio_emotion.inference.speech import speech_regions
from audio_emotion.notices import Code
from conftest import SAMPLES, voice

RATE = 16_000
HISS_DB = 40.0  # below the speech
SAME = 0.02  # of probabilities


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    signal, _ = soundfile.read(SAMPLES / "loud_tense.flac", dtype="float32")
    return signal


@pytest.fixture(scope="module")
def rate() -> int:
    return int(soundfile.info(SAMPLES / "loud_tense.flac").samplerate)


def values(prediction: Prediction) -> np.ndarray:
    assert prediction.probabilities
    return np.array(list(prediction.probabilities.values()))


@pytest.mark.parametrize(("before", "after"), [(1.0, 0.0), (0.0, 1.37), (35.0, 2.0), (1.0, 300.0)])
@pytest.mark.parametrize("hiss", [False, True])
def test_silence_and_hiss_around_speech_change_nothing(
    classifier: Classifier, spoken: np.ndarray, rate: int, before: float, after: float, hiss: bool
) -> None:
    rng = np.random.default_rng(0)
    level = float(np.sqrt(np.square(spoken).mean())) * 10 ** (-HISS_DB / 20) * hiss
    parts = [level * rng.standard_normal(round(dur * rate)) for dur in (before, after)]
    padded = np.concatenate([parts[0], spoken, parts[1]])
    found, alone = classifier(padded, rate), classifier(spoken, rate)
    np.testing.assert_allclose(values(found), values(alone), atol=SAME)
    assert found.speech_dur == pytest.approx(alone.speech_dur, abs=0.2)
    assert found.duration == pytest.approx(len(padded) / rate)


def test_several_regions_are_weighted_by_their_seconds(
    classifier: Classifier, spoken: np.ndarray, rate: int
) -> None:
    other, _ = soundfile.read(SAMPLES / "fast_high.flac", dtype="float32")
    pause = np.zeros(13 * rate)
    parts = [classifier(part, rate) for part in (spoken, other)]
    found = classifier(np.concatenate([spoken, pause, other]), rate)
    weights = np.array([part.speech_dur for part in parts])
    expected = weights @ [values(part) for part in parts] / weights.sum()
    np.testing.assert_allclose(values(found), expected, atol=SAME)


@pytest.mark.parametrize("decibel", [-60, -20, 20, 40])
def test_gain_changes_nothing_in_any_region(
    classifier: Classifier, spoken: np.ndarray, rate: int, decibel: float
) -> None:
    signal = np.concatenate([0.02 * spoken, np.zeros(2 * rate), 0.2 * spoken])
    found = classifier(signal * 10 ** (decibel / 20), rate)
    np.testing.assert_allclose(values(found), values(classifier(signal, rate)), atol=1e-4)


def test_a_long_region_is_the_mean_of_its_windows(
    classifier: Classifier, spoken: np.ndarray, rate: int
) -> None:
    word = resample(spoken, rate, RATE)
    long = np.concatenate([word[len(word) // 4 : -len(word) // 4]] * 9)
    ((start, end),) = speech_regions(long)
    region = long[start:end]
    at, length = classifier.extent(region)
    region = region[at : at + length]
    window, hop = round(3.5 * RATE), round(1.75 * RATE)
    starts = [*range(0, len(region) - window, hop), len(region) - window]
    assert len(starts) > 2
    rows = classifier.windows(np.stack([region[at : at + window] for at in starts]))
    np.testing.assert_allclose(values(classifier(long, RATE)), rows.mean(0), atol=1e-3)


def test_a_click_does_not_hide_the_speech(
    classifier: Classifier, spoken: np.ndarray, rate: int
) -> None:
    quiet = np.concatenate([np.zeros(rate // 2), 0.01 * spoken / np.abs(spoken).max()])
    quiet[100 : 100 + rate // 100] = 0.99
    np.testing.assert_allclose(
        values(classifier(quiet, rate)), values(classifier(spoken, rate)), atol=0.05
    )


def noise(colour: float, seconds: float = 3.0) -> np.ndarray:
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(round(seconds * RATE)))
    shaped = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 1) ** colour)
    return (0.3 * shaped / np.abs(shaped).max()).astype(np.float32)


@pytest.mark.parametrize("colour", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seconds", [3.0, 40.0])
def test_noise_is_not_speech(classifier: Classifier, colour: float, seconds: float) -> None:
    found = classifier(noise(colour, seconds), RATE)
    assert (found.label, found.probabilities, found.confidence) == ("no speech", None, None)
    assert not found.confident
    assert [notice.code for notice in found.warnings] == [Code.NO_SPEECH]


def test_denormal_numbers_are_silence(classifier: Classifier) -> None:
    assert classifier(np.full(RATE, 1e-42, np.float32), RATE).label == "no speech"


@pytest.mark.parametrize("seconds", [0.3, 0.49, 1.0])
def test_there_is_no_more_speech_than_recording(
    classifier: Classifier, spoken: np.ndarray, rate: int, seconds: float
) -> None:
    found = classifier(spoken[rate // 2 :][: round(seconds * rate)], rate)
    assert found.speech_dur <= found.duration + 1e-3
    assert isinstance(found.speech_dur, float)


def test_digital_silence_is_not_speech(classifier: Classifier) -> None:
    assert classifier(np.zeros(3 * RATE), RATE).label == "no speech"


@pytest.mark.parametrize("samples", [1, 10, 1500])
def test_next_to_nothing_is_too_short(classifier: Classifier, samples: int) -> None:
    found = classifier(voice()[20_000 : 20_000 + samples], RATE)
    assert (found.label, found.probabilities) == ("too short", None)


def test_little_speech_gives_a_guess_that_is_never_confident(
    classifier: Classifier, spoken: np.ndarray, rate: int
) -> None:
    short = classifier(spoken[rate // 2 : rate // 2 + round(0.35 * rate)], rate)
    assert [notice.code for notice in short.warnings] == [Code.SHORT_SPEECH]
    assert short.probabilities
    assert not Prediction(short.probabilities, 1.0, 0.0, 0.3, short.warnings).confident
    assert Prediction(short.probabilities, 1.0, 0.0, 0.3).confident


def test_regions_are_a_second_apart(spoken: np.ndarray, rate: int) -> None:
    word = resample(spoken, rate, RATE)
    for pause, regions in [(0.4, 1), (3.0, 2)]:
        joined = np.concatenate([word, np.zeros(round(pause * RATE), np.float32), word])
        assert len(speech_regions(joined)) == regions
