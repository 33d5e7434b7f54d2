"""Conditions: each does to a signal what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from audio_emotion.errors import AudioEmotionError
from audio_emotion.evaluation.conditions import CONDITIONS, condition, generator

RATE = 16_000
TIME = np.arange(RATE) / RATE


def tone(hertz: float) -> np.ndarray:
    return (0.25 * np.sin(2 * np.pi * hertz * TIME)).astype(np.float32)


def level(signal: np.ndarray) -> float:
    return float(10 * np.log10(np.square(signal).mean()))


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_gives_a_finite_signal_and_repeats_itself(name: str) -> None:
    first, second = (condition(name)(tone(440), RATE, generator("clip")) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[0].dtype == np.float32
    assert np.isfinite(first[0]).all()
    assert first[1] == second[1] > 0


def test_a_telephone_passes_speech_and_stops_the_rest() -> None:
    change = condition("telephone")
    assert level(change(tone(1000), RATE, generator("a"))[0]) == pytest.approx(
        level(tone(1000)), abs=0.2
    )
    for hertz in (100, 3800):
        assert level(change(tone(hertz), RATE, generator("a"))[0]) < level(tone(hertz)) - 30


@pytest.mark.parametrize(("name", "snr"), [("pink-noise-20dB", 20), ("pink-noise-10dB", 10)])
def test_noise_is_as_loud_as_it_says_and_pink(name: str, snr: float) -> None:
    noise = condition(name)(tone(440), RATE, generator("a"))[0] - tone(440)
    assert level(tone(440)) - level(noise) == pytest.approx(snr, abs=0.05)
    power = np.square(np.abs(np.fft.rfft(noise)))
    assert 10 * np.log10(power[500:1000].mean() / power[1000:2000].mean()) == pytest.approx(
        3, abs=0.7
    )


def test_gain_and_leading_silence() -> None:
    louder, _ = condition("louder-20dB")(tone(440), RATE, generator("a"))
    np.testing.assert_allclose(louder, 10 * tone(440), rtol=1e-5)
    late, rate = condition("silence-before-1s")(tone(440), RATE, generator("a"))
    np.testing.assert_array_equal(late[rate:], tone(440))


def test_a_room_falls_by_sixty_decibels_in_half_a_second() -> None:
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    heard, _ = condition("reverberation")(click, RATE, generator("a"))
    early, late = heard[160:1760], heard[160 + 3200 : 1760 + 3200]
    assert level(early) - level(late) == pytest.approx(60 * 0.2 / 0.5, abs=1.5)
    assert level(heard[1:]) - level(heard[:1]) + 10 * np.log10(len(heard) - 1) == pytest.approx(
        -3, abs=0.2
    )


@pytest.mark.parametrize(("name", "factor"), [("higher-1-semitone", 1), ("lower-1-semitone", -1)])
def test_a_tape_played_faster_is_higher_and_shorter(name: str, factor: int) -> None:
    heard, rate = condition(name)(tone(440), RATE, generator("a"))
    peak = np.abs(np.fft.rfft(heard)).argmax() * rate / len(heard)
    assert peak == pytest.approx(440 * 2 ** (factor / 12), rel=1e-4)
    assert len(heard) / rate == pytest.approx(2 ** (-factor / 12), rel=1e-4)


def test_mp3_keeps_the_tone() -> None:
    heard, rate = condition("mp3-32k")(tone(440), RATE, generator("a"))
    peak = np.abs(np.fft.rfft(heard[: rate // 2])).argmax() * 2
    assert peak == pytest.approx(440, abs=4)


def test_an_unknown_condition_is_named() -> None:
    with pytest.raises(AudioEmotionError, match="no condition 'underwater'"):
        condition("underwater")
