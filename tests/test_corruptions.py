"""Corruptions change a signal as their names say."""

import numpy as np
import pytest

from audio_emotion.errors import AudioEmotionError
from audio_emotion.evaluation.corruptions import CORRUPTIONS, corruption, generator

RATE = 16_000
TIME = np.arange(RATE) / RATE


def tone(hertz: float) -> np.ndarray:
    return (0.25 * np.sin(2 * np.pi * hertz * TIME)).astype(np.float32)


def level(signal: np.ndarray) -> float:
    return float(10 * np.log10(np.square(signal).mean()))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_are_finite_and_repeatable(name: str) -> None:
    first, second = (corruption(name)(tone(440), RATE, generator("clip")) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[0].dtype == np.float32
    assert np.isfinite(first[0]).all()
    assert first[1] == second[1] > 0


def test_telephone_passes_its_band_only() -> None:
    change = corruption("telephone")
    assert level(change(tone(1000), RATE, generator("a"))[0]) == pytest.approx(
        level(tone(1000)), abs=0.2
    )
    for hertz in (100, 3800):
        assert level(change(tone(hertz), RATE, generator("a"))[0]) < level(tone(hertz)) - 30


@pytest.mark.parametrize(("name", "snr"), [("pink-noise-20dB", 20), ("pink-noise-10dB", 10)])
def test_noise_has_the_named_level_and_is_pink(name: str, snr: float) -> None:
    noise = corruption(name)(tone(440), RATE, generator("a"))[0] - tone(440)
    assert level(tone(440)) - level(noise) == pytest.approx(snr, abs=0.05)
    power = np.square(np.abs(np.fft.rfft(noise)))
    assert 10 * np.log10(power[500:1000].mean() / power[1000:2000].mean()) == pytest.approx(
        3, abs=0.7
    )


def test_gain_and_leading_silence() -> None:
    loud, _ = corruption("gain+20dB")(tone(440), RATE, generator("a"))
    np.testing.assert_allclose(loud, 10 * tone(440), rtol=1e-5)
    quiet, _ = corruption("gain-20dB")(tone(440), RATE, generator("a"))
    np.testing.assert_allclose(quiet, tone(440) / 10, rtol=1e-5)
    delayed, rate = corruption("silence-before-1s")(tone(440), RATE, generator("a"))
    np.testing.assert_array_equal(delayed[rate:], tone(440))


def test_reverberation_falls_by_60_db_in_half_a_second() -> None:
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    wet, _ = corruption("reverberation")(click, RATE, generator("a"))
    early, late = wet[160:1760], wet[160 + 3200 : 1760 + 3200]
    assert level(early) - level(late) == pytest.approx(60 * 0.2 / 0.5, abs=1.5)
    assert level(wet[1:]) - level(wet[:1]) + 10 * np.log10(len(wet) - 1) == pytest.approx(
        -3, abs=0.2
    )


@pytest.mark.parametrize(("name", "semitones"), [("varispeed+1st", 1), ("varispeed-1st", -1)])
def test_varispeed_scales_pitch_and_duration(name: str, semitones: int) -> None:
    played, rate = corruption(name)(tone(440), RATE, generator("a"))
    peak = np.abs(np.fft.rfft(played)).argmax() * rate / len(played)
    assert peak == pytest.approx(440 * 2 ** (semitones / 12), rel=1e-4)
    assert len(played) / rate == pytest.approx(2 ** (-semitones / 12), rel=1e-4)


def test_mp3_keeps_the_tone() -> None:
    decoded, rate = corruption("mp3-32k")(tone(440), RATE, generator("a"))
    peak = np.abs(np.fft.rfft(decoded[: rate // 2])).argmax() * 2
    assert peak == pytest.approx(440, abs=4)


def test_unknown_corruption_is_named() -> None:
    with pytest.raises(AudioEmotionError, match="no corruption 'underwater'"):
        corruption("underwater")
