"""Augmentation of waveforms and batches: by what it must do to pitch, tempo, noise, features."""

import numpy as np
import pytest
import torch

from audio_emotion.config import AugmentConfig
from audio_emotion.training.augmentation import waveform
from audio_emotion.training.augmentation.batch import MASKS, draw_mixup, mix, spec_augment
from audio_emotion.training.augmentation.waveform import (
    N_FFT,
    add_noise,
    augment_waveforms,
    draw_pitch_and_speed,
    shift_and_stretch,
)

RATE = 22_050


def tone(hertz: float, seconds: float = 2) -> torch.Tensor:
    return torch.sin(2 * np.pi * hertz * torch.arange(round(seconds * RATE)) / RATE)


def peak(signal: torch.Tensor) -> float:
    spectrum = torch.fft.rfft(signal * torch.hann_window(len(signal))).abs()
    return float(spectrum.argmax()) * RATE / len(signal)


def changed(signal: torch.Tensor, semitones: float = 0, speed: float = 1) -> torch.Tensor:
    return shift_and_stretch(signal[None], torch.tensor([semitones]), torch.tensor([speed]))[0]


@pytest.mark.parametrize("semitones", [-2.0, -1.0, 1.0, 2.0])
@pytest.mark.parametrize("hertz", [110, 440, 3000])
def test_pitch_moves_a_tone_by_semitones(semitones: float, hertz: float) -> None:
    shifted = changed(tone(hertz), semitones)
    assert len(shifted) == 2 * RATE
    assert peak(shifted) == pytest.approx(hertz * 2 ** (semitones / 12), abs=1)
    middle = slice(RATE // 2, -RATE // 2)  # a tone stays within a decibel as loud
    assert shifted[middle].std() == pytest.approx(0.5**0.5, rel=0.11)


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_tempo_keeps_pitch_and_moves_time(speed: float) -> None:
    clicks, bursts = torch.zeros(2 * RATE), tone(440, 0.05)
    for second in (0.5, 1.0, 1.5):
        clicks[round(second * RATE) :][: len(bursts)] = bursts
    stretched = changed(clicks, speed=speed)
    assert len(stretched) == pytest.approx(2 * RATE / speed, abs=1)
    assert peak(changed(tone(440), speed=speed)) == pytest.approx(440, abs=1)
    before, after = (
        torch.nonzero(signal.abs() > 0.3)[[0, -1], 0] / RATE for signal in (clicks, stretched)
    )
    torch.testing.assert_close(after, before / speed, atol=0.02, rtol=0)


def test_every_clip_of_a_batch_gets_a_change_of_its_own() -> None:
    semitones, speed = torch.tensor([2.0, -2.0, 0.0]), torch.tensor([1.1, 1.0, 0.9])
    together = shift_and_stretch(tone(440).repeat(3, 1), semitones, speed)
    for row, drawn in zip(together, zip(semitones, speed, strict=True), strict=True):
        alone = changed(tone(440), *(value.item() for value in drawn))
        torch.testing.assert_close(row[: len(alone)], alone, atol=2e-3, rtol=0)


def test_a_neutral_shift_is_nearly_the_signal_itself() -> None:
    signal = tone(440) + 0.3 * tone(1234)
    middle = slice(N_FFT, -N_FFT)
    torch.testing.assert_close(changed(signal)[middle], signal[middle], atol=1e-3, rtol=0)


@pytest.mark.parametrize("samples", [1, 100, 300])
def test_the_shortest_clips_and_silence_can_be_augmented(samples: int) -> None:
    clips = torch.stack([torch.ones(samples), torch.zeros(samples)])
    augmented = augment_waveforms(clips, AugmentConfig(waveform_p=1))
    assert augmented.isfinite().all()
    assert not augmented[1].any()
    unchanged = AugmentConfig(waveform_p=1e-9, noise=0)
    assert torch.equal(augment_waveforms(clips, unchanged), clips)


def test_clips_that_are_too_long_to_be_changed_together_are_changed_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals, config = tone(440).repeat(5, 1), AugmentConfig(waveform_p=1, noise=0)
    made = []
    for at_once in (waveform.AT_ONCE, 2 * signals.shape[1]):
        monkeypatch.setattr(waveform, "AT_ONCE", at_once)
        torch.manual_seed(0)
        made.append(augment_waveforms(signals, config))
    torch.testing.assert_close(*made, atol=2e-3, rtol=0)


def test_shifts_stay_in_range_and_strike_as_often_as_configured() -> None:
    torch.manual_seed(0)
    semitones, speeds = draw_pitch_and_speed(2000, AugmentConfig(waveform_p=0.3))
    assert semitones.abs().max() <= 2
    assert 0.9 <= speeds.min() < 0.95 < 1.05 < speeds.max() <= 1.1
    for struck in (semitones != 0, speeds != 1):
        assert struck.float().mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 2000))


def test_noise_has_the_stated_share_of_the_maximum_and_stays_in_its_clip() -> None:
    torch.manual_seed(0)
    signals = torch.stack([0.4 * tone(440), 0.1 * tone(220)])
    inside = torch.arange(2 * RATE) < torch.tensor([[2 * RATE], [RATE]])
    noise = add_noise(signals, inside, AugmentConfig(waveform_p=1)) - signals
    assert noise[0].std() == pytest.approx(0.005 * 0.4, rel=0.02)
    assert noise[1, :RATE].std() == pytest.approx(0.005 * 0.1, rel=0.02)
    assert not noise[1, RATE:].any()


def test_waveforms_are_augmented_by_chance_and_the_same_for_the_same_seed() -> None:
    signals = torch.stack([tone(440), tone(220) * (torch.arange(2 * RATE) < RATE)])
    assert augment_waveforms(signals, AugmentConfig(waveform_p=0)) is signals
    config, twice = AugmentConfig(waveform_p=1), []
    for _ in range(2):
        torch.manual_seed(0)
        twice.append(augment_waveforms(signals, config))
    assert torch.equal(*twice)
    ends = [int(torch.nonzero(row)[-1]) / RATE for row in twice[0]]
    assert 2 / 1.1 < ends[0] < 2 / 0.9
    assert 1 / 1.1 < ends[1] < 1 / 0.9  # what follows a clip stays silent
    torch.manual_seed(0)
    half = augment_waveforms(tone(440).repeat(400, 1)[:, :4000], AugmentConfig(waveform_p=0.5))
    kept = [torch.equal(row[:4000], tone(440)[:4000]) for row in half]
    assert np.mean(kept) == pytest.approx(0.125, abs=4 * np.sqrt(0.125 * 0.875 / 400))


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
