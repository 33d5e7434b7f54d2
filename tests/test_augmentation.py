"""Augmentation of waveforms and batches: by what it must do to pitch, tempo, noise, features."""

import numpy as np
import pytest
import torch

from audio_emotion.config import AugmentConfig
from audio_emotion.training.augmentation.batch import MASKS, draw_mixup, mix, spec_augment
from audio_emotion.training.augmentation.waveform import (
    add_noise,
    draw_pitch_and_speed,
    fix_length,
    shift_and_stretch,
)

RATE = 22_050


def tone(hertz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE).astype(np.float32)


def peak(signal: np.ndarray) -> float:
    return float(
        np.abs(np.fft.rfft(signal * np.hanning(len(signal)))).argmax() * RATE / len(signal)
    )


@pytest.mark.parametrize("semitones", [-2, -1, 1, 2])
def test_pitch_moves_a_tone_by_semitones(semitones: float) -> None:
    shifted = shift_and_stretch(tone(440), RATE, semitones, 1.0)
    assert len(shifted) == 2 * RATE
    assert peak(shifted) == pytest.approx(440 * 2 ** (semitones / 12), abs=3)


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_stretch_keeps_pitch_and_length_and_moves_time(speed: float) -> None:
    clicks = np.zeros(2 * RATE, np.float32)
    bursts = tone(440)[: RATE // 20]
    for second in (0.5, 1.0, 1.5):
        clicks[round(second * RATE) :][: len(bursts)] = bursts
    stretched = shift_and_stretch(clicks, RATE, 0.0, speed)
    assert len(stretched) == len(clicks)
    loud = np.flatnonzero(np.abs(stretched) > 0.5) / RATE
    spread = loud.max() - loud.min()
    original = np.flatnonzero(np.abs(clicks) > 0.5) / RATE
    assert spread == pytest.approx((original.max() - original.min()) / speed, rel=0.05)


def test_a_neutral_shift_is_the_signal_itself() -> None:
    signal = tone(440)
    assert shift_and_stretch(signal, RATE, 0.0, 1.0) is signal


def test_shifts_stay_in_range_and_strike_as_often_as_configured() -> None:
    config = AugmentConfig(waveform_p=0.3)
    rng = np.random.default_rng(0)
    semitones, speeds = np.array([draw_pitch_and_speed(config, rng) for _ in range(2000)]).T
    assert np.abs(semitones).max() <= 2
    assert 0.9 <= speeds.min() < 0.95 < 1.05 < speeds.max() <= 1.1
    for struck in (semitones != 0, speeds != 1):
        assert struck.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 2000))


def test_noise_has_the_stated_share_of_the_maximum() -> None:
    signal = 0.4 * tone(440)
    noisy = add_noise(signal, AugmentConfig(waveform_p=1), np.random.default_rng(0))
    assert np.std(noisy - signal) == pytest.approx(0.005 * 0.4, rel=0.02)


def test_noise_is_seeded_and_has_a_probability() -> None:
    signal = tone(440)
    same = [add_noise(signal, AugmentConfig(waveform_p=1), np.random.default_rng(5)) for _ in "ab"]
    np.testing.assert_array_equal(*same)
    assert add_noise(signal, AugmentConfig(waveform_p=0), np.random.default_rng(5)) is signal


@pytest.mark.parametrize(("have", "want"), [(7, 4), (4, 7), (5, 5), (3, 8)])
def test_fixed_length_is_centred(have: int, want: int) -> None:
    fixed = fix_length(np.arange(1, have + 1, dtype=np.float32), want)
    assert len(fixed) == want
    kept = fixed[fixed > 0]
    before = have - kept[-1] if have > want else want - 1 - np.flatnonzero(fixed)[-1]
    after = kept[0] - 1 if have > want else np.flatnonzero(fixed)[0]
    assert abs(before - after) <= 1
    np.testing.assert_array_equal(np.diff(kept), 1)


def test_spec_augment_masks_whole_bands_and_frames_no_wider_than_configured() -> None:
    torch.manual_seed(0)
    config = AugmentConfig(freq_mask=4, time_mask=6)
    masked = spec_augment(torch.ones(64, 2, 20, 30), config)
    bands = (masked[:, 0] == 0).all(2).sum(1)
    frames = (masked[:, 0] == 0).all(1).sum(1)
    assert 4 < bands.max() <= 4 * MASKS
    assert 6 < frames.max() <= 6 * MASKS
    assert torch.equal(masked[:, 0], masked[:, 1])
    features = torch.ones(2, 2, 20, 30)
    assert spec_augment(features, AugmentConfig(freq_mask=0, time_mask=0)) is features


def test_mixup_leaves_each_clip_the_greater_share() -> None:
    torch.manual_seed(0)
    shares = [draw_mixup(4, alpha=0.5)[0] for _ in range(50)]
    assert 0.5 <= min(shares) < 0.7  # so that a clip's own label stays the main one
    assert max(shares) > 0.9


def test_mixup_mixes_everything_alike() -> None:
    torch.manual_seed(0)
    targets = torch.eye(8)
    share, partner = draw_mixup(8, alpha=0.5)
    features = mix(targets[:, None, None, :].clone(), share, partner)
    torch.testing.assert_close(features[:, 0, 0], mix(targets, share, partner))
    torch.testing.assert_close(features.sum((1, 2, 3)), torch.ones(8))
    assert sorted(partner.tolist()) == list(range(8))
    share, partner = draw_mixup(8, alpha=0)
    assert mix(targets, share, partner) is targets
