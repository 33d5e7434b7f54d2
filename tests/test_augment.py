"""Augmentation: by what it must do to pitch, tempo, noise and pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audio_emotion.config import AugmentConfig, load_config
from audio_emotion.lab.augment import (
    add_noise,
    draw_mixup,
    draw_namesakes,
    draw_rendition,
    fix_length,
    mix,
    mix_style,
    render,
    shift,
    spec_augment,
)
from audio_emotion.lab.module import EmotionModule
from conftest import voice

RATE = 22_050


def tone(hertz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE).astype(np.float32)


def peak(signal: np.ndarray) -> float:
    return float(
        np.abs(np.fft.rfft(signal * np.hanning(len(signal)))).argmax() * RATE / len(signal)
    )


@pytest.mark.parametrize("semitones", [-2, -1, 1, 2])
def test_pitch_moves_a_tone_by_semitones(semitones: float) -> None:
    shifted = render(tone(440), RATE, semitones, 1.0)
    assert len(shifted) == 2 * RATE
    assert peak(shifted) == pytest.approx(440 * 2 ** (semitones / 12), abs=3)


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_stretch_keeps_pitch_and_length_and_moves_time(speed: float) -> None:
    clicks = np.zeros(2 * RATE, np.float32)
    bursts = tone(440)[: RATE // 20]
    for second in (0.5, 1.0, 1.5):
        clicks[round(second * RATE) :][: len(bursts)] = bursts
    stretched = render(clicks, RATE, 0.0, speed)
    assert len(stretched) == len(clicks)
    loud = np.flatnonzero(np.abs(stretched) > 0.5) / RATE
    spread = loud.max() - loud.min()
    original = np.flatnonzero(np.abs(clicks) > 0.5) / RATE
    assert spread == pytest.approx((original.max() - original.min()) / speed, rel=0.05)


def test_a_neutral_rendition_is_the_signal_itself() -> None:
    signal = tone(440)
    assert render(signal, RATE, 0.0, 1.0) is signal


def test_renditions_stay_in_range_and_strike_as_often_as_told() -> None:
    config = AugmentConfig(pitch_p=0.3, stretch_p=1)
    rng = np.random.default_rng(0)
    drawn = [draw_rendition(config, rng) for _ in range(2000)]
    assert all(abs(d["semitones"]) <= 2 and 0.9 <= d["speed"] <= 1.1 for d in drawn)
    share = np.mean([d["semitones"] != 0 for d in drawn])
    assert share == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 2000))


def test_noise_has_the_stated_share_of_the_maximum() -> None:
    signal = 0.4 * tone(440)
    noisy = add_noise(signal, AugmentConfig(noise_p=1), np.random.default_rng(0))
    assert np.std(noisy - signal) == pytest.approx(0.005 * 0.4, rel=0.02)


def test_noise_is_seeded_and_has_a_probability() -> None:
    signal = tone(440)
    same = [add_noise(signal, AugmentConfig(noise_p=1), np.random.default_rng(5)) for _ in "ab"]
    np.testing.assert_array_equal(*same)
    assert add_noise(signal, AugmentConfig(noise_p=0), np.random.default_rng(5)) is signal


@pytest.mark.parametrize(("have", "want"), [(7, 4), (4, 7), (5, 5), (3, 8)])
def test_fixed_length_is_centred(have: int, want: int) -> None:
    fixed = fix_length(np.arange(1, have + 1, dtype=np.float32), want)
    assert len(fixed) == want
    kept = fixed[fixed > 0]
    before = have - kept[-1] if have > want else want - 1 - np.flatnonzero(fixed)[-1]
    after = kept[0] - 1 if have > want else np.flatnonzero(fixed)[0]
    assert abs(before - after) <= 1
    np.testing.assert_array_equal(np.diff(kept), 1)


def test_shift_rolls_each_picture_by_its_own_step() -> None:
    torch.manual_seed(0)
    pictures = torch.randn(16, 2, 4, 30)
    shifted = shift(pictures, 5)
    steps = []
    for before, after in zip(pictures, shifted, strict=True):
        steps += [s for s in range(-5, 6) if torch.equal(torch.roll(before, s, 2), after)]
    assert len(steps) == 16
    assert len(set(steps)) > 3
    assert shift(pictures, 0) is pictures


def test_spec_augment_masks_whole_bands_and_frames_no_wider_than_told() -> None:
    torch.manual_seed(0)
    config = AugmentConfig(freq_mask=4, time_mask=6, masks=1)
    masked = spec_augment(torch.ones(64, 2, 20, 30), config)
    bands = (masked[:, 0] == 0).all(2).sum(1)
    frames = (masked[:, 0] == 0).all(1).sum(1)
    assert bands.max() == 4
    assert frames.max() == 6
    assert torch.equal(masked[:, 0], masked[:, 1])
    pictures = torch.ones(2, 2, 20, 30)
    assert spec_augment(pictures, AugmentConfig()) is pictures


def test_style_moves_towards_the_partners_and_the_shape_stays() -> None:
    torch.manual_seed(0)
    pictures = torch.randn(4, 2, 3, 40) * (1 + torch.rand(4, 2, 3, 1)) + torch.randn(4, 2, 3, 1)
    counted = torch.arange(40) < torch.tensor([[40], [30], [20], [40]])
    partner = torch.tensor([1, 2, 3, 3])  # the last has no other
    styled = mix_style(pictures, counted, partner, probability=1)
    for n, other in enumerate(partner.tolist()):
        before, after = pictures[n][..., counted[n]], styled[n][..., counted[n]]
        goal = pictures[other][..., counted[other]]
        for moment in (lambda x: x.mean(2), lambda x: x.std(2, correction=0)):
            way = (moment(after) - moment(before)).flatten()
            whole = (moment(goal) - moment(before)).flatten()
            share = (way @ whole / (whole @ whole).clamp(min=1e-9)).item()
            assert 0 <= share <= 1 + 1e-5
            torch.testing.assert_close(way, share * whole, rtol=0, atol=1e-5)
        for row, old in zip(after.flatten(0, 1), before.flatten(0, 1), strict=True):
            assert torch.corrcoef(torch.stack([row, old]))[0, 1] == pytest.approx(1, abs=1e-5)
        assert torch.equal(styled[n][..., ~counted[n]], pictures[n][..., ~counted[n]])
    assert (styled[:3] - pictures[:3]).abs().amax((1, 2, 3)).max() > 0.1
    unmoved = mix_style(pictures, counted, partner, probability=0)
    torch.testing.assert_close(unmoved, pictures)


def test_training_changes_the_style_of_the_bands_and_not_of_the_lags() -> None:
    calm = ["augment.spectral_p=0", "augment.freq_mask=0", "augment.time_mask=0"]
    calm += ["augment.margin_dur=0", "augment.crop_dur=0"]
    clips = torch.from_numpy(np.stack([voice(1.0, pitch) for pitch in (120, 210)]))
    seen = []
    for probability in (0, 1):
        config = load_config("voice", [*calm, f"augment.mixstyle_p={probability}"])
        torch.manual_seed(0)
        module = EmotionModule(config)
        pictures, _ = module._augmented(clips, torch.tensor([3, 3]))
        seen.append(pictures)
    change = (seen[1] - seen[0]).abs().amax((0, 2, 3))
    assert (change[:2] > 0.05).all()
    assert change[2] == 0


def test_a_flat_band_stays_finite_under_another_style() -> None:
    pictures = torch.zeros(2, 1, 3, 10)
    pictures[1] = torch.randn(1, 3, 10)
    styled = mix_style(pictures, torch.ones(2, 10) > 0, torch.tensor([1, 0]), probability=1)
    assert styled.abs().max() < 20


def test_namesakes_share_the_label_and_the_lonely_stay_alone() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 1, 2, 2, 2, 3])
    drawn = torch.stack([draw_namesakes(labels) for _ in range(50)])
    assert (labels[drawn] == labels).all()
    assert (drawn[:, [0, 6]] == torch.tensor([0, 6])).all()
    assert (drawn[:, 1:6] != torch.arange(1, 6)).all()
    assert set(drawn[:, 3].tolist()) == {4, 5}


def test_mixup_leaves_each_clip_the_greater_share() -> None:
    torch.manual_seed(0)
    shares = [draw_mixup(4, alpha=0.5)[0] for _ in range(50)]
    assert 0.5 <= min(shares) < 0.7  # so that a clip's own label is the one its answer is judged by
    assert max(shares) > 0.9


def test_mixup_mixes_everything_alike() -> None:
    torch.manual_seed(0)
    targets = torch.eye(8)
    share, partner = draw_mixup(8, alpha=0.5)
    pictures = mix(targets[:, None, None, :].clone(), share, partner)
    torch.testing.assert_close(pictures[:, 0, 0], mix(targets, share, partner))
    torch.testing.assert_close(pictures.sum((1, 2, 3)), torch.ones(8))
    assert sorted(partner.tolist()) == list(range(8))
    share, partner = draw_mixup(8, alpha=0)
    assert mix(targets, share, partner) is targets
