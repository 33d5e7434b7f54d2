"""What a prediction rests on: speech, wherever it is, and words where there is none."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_emotion import Classifier, Prediction, resample
from audio_emotion.audio import StoredSignal
from audio_emotion.audio.stored import PIECE
from audio_emotion.errors import AudioError
from audio_emotion.inference.speech import Part, speech_regions
from audio_emotion.notices import Code
from conftest import SAMPLES, voice

RATE = 16_000
SPOKEN = SAMPLES / "fast_high.flac"
HISS_DB = 40.0  # below the speech
SAME = 0.02  # of probabilities


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    signal, _ = soundfile.read(SPOKEN, dtype="float32")
    return signal


@pytest.fixture(scope="module")
def rate() -> int:
    return int(soundfile.info(SPOKEN).samplerate)


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
    other, _ = soundfile.read(SAMPLES / "loud_tense.flac", dtype="float32")
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


def test_speech_is_found_at_the_rate_of_its_detector(spoken: np.ndarray, rate: int) -> None:
    """A model may work at any rate, the detector works at 16,000 Hz."""
    pause = np.zeros(3 * rate, np.float32)
    joined = np.concatenate([spoken, pause, spoken])
    expected = np.array(speech_regions(resample(joined, rate, RATE))) / RATE
    found = np.array(speech_regions(resample(joined, rate, 22_050), 22_050)) / 22_050
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_recording_needs_little_memory_at_any_rate(tmp_path: Path) -> None:
    """As float32 of its own rate, the signal would take 1.9 GB."""
    path = tmp_path / "fast.flac"
    with soundfile.SoundFile(path, "w", 655_350, 8, "PCM_16") as file:
        for _ in range(90):
            file.write(np.zeros((655_350, 8), np.int16))
    code = f"""
import resource
from audio_emotion import Classifier
classifier = Classifier()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert classifier.file({str(path)!r}).duration == 90
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100 * 1024  # KiB


def test_minutes_are_stored_in_sixteen_bits() -> None:
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(5 * PIECE // 2 + 7).astype(np.float32)
    signal[2 * PIECE :] *= 1e-3  # each piece has a full scale of its own
    blocks = np.split(signal, [1, 5, 100_000, 2_000_000 // 3, 2 * PIECE + 3])
    stored = StoredSignal(blocks, RATE, RATE)
    peak = np.abs(signal).max()
    assert (len(stored), stored.silent) == (len(signal), False)
    assert stored.duration == len(signal) / RATE
    np.testing.assert_allclose(stored[: 2 * PIECE], signal[: 2 * PIECE] / peak, rtol=1e-6)
    for part in (slice(2 * PIECE - 5, None), slice(3, 9), slice(PIECE - 1, 2 * PIECE + 1)):
        np.testing.assert_allclose(stored[part], signal[part] / peak, atol=1e-3 * 2**-15)
    assert stored._pieces[2].dtype == np.int16


def test_a_part_of_a_part_is_a_part_of_the_signal() -> None:
    part = Part(np.arange(10, dtype=np.float32), 2, 8)
    assert (len(part), part[:].tolist(), part[1:3].tolist()) == (6, [2, 3, 4, 5, 6, 7], [3, 4])
    assert Part(part, 1, 3)[:].tolist() == [3, 4]


def test_a_stray_sample_is_refused_in_a_file_as_in_an_array(
    classifier: Classifier, spoken: np.ndarray, rate: int, tmp_path: Path
) -> None:
    stray, loud = tmp_path / "stray.wav", io.BytesIO()
    huge = np.tile(spoken, 3)
    huge[1000] = 1e20
    soundfile.write(stray, huge, rate, format="WAV", subtype="FLOAT")
    for read in (classifier.file, lambda path: classifier.enroll([path])):
        with pytest.raises(AudioError, match=r"stray\.wav: a sample of 1e\+20 is out of all"):
            read(stray)
    soundfile.write(loud, 1e30 * spoken, rate, format="WAV", subtype="FLOAT")
    np.testing.assert_allclose(
        values(classifier.file(loud)), values(classifier(spoken, rate)), atol=1e-4
    )
