"""Augmentation of spectra: each change against what physics says it must do."""

import numpy as np
import pytest
import torch

from audio_emotion.config import AugmentConfig, load_config
from audio_emotion.evaluation.corruptions import corruption
from audio_emotion.training.augmentation import spectral
from audio_emotion.training.augmentation.spectral import (
    EIGHT_BITS,
    SNR_DB,
    TELEPHONE_TOP,
    TEMPO,
    SpectralAugment,
)
from audio_emotion.training.features.mel import mel_filters

FRONTEND = load_config("default").frontend
HOP_DUR = FRONTEND.hop_length / FRONTEND.sampling_rate


def augment(monkeypatch: pytest.MonkeyPatch, only: str) -> SpectralAugment:
    """One change for every clip, no other."""
    shares = {name: float(name == only) for name in spectral.SHARES}
    monkeypatch.setattr(spectral, "SHARES", shares)
    torch.manual_seed(0)
    return SpectralAugment(AugmentConfig(spectral_p=1), FRONTEND)


def test_without_a_change_it_is_the_mel_power(monkeypatch: pytest.MonkeyPatch) -> None:
    power = torch.rand(3, 20, 513)
    bands, frames = augment(monkeypatch, "none")(power, torch.tensor([20, 20, 20]))
    expected = power @ torch.from_numpy(mel_filters(16_000, 1024, 64)).T
    torch.testing.assert_close(bands[:, :20], expected, atol=1e-5, rtol=1e-4)
    assert not bands[:, 20:].any()  # room for a slower tempo
    assert frames.tolist() == [20, 20, 20]


def test_tempo_scales_time_within_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = augment(monkeypatch, "tempo")
    ramp = torch.arange(100.0)[None, :, None].expand(200, -1, 64)
    bands, frames = changed.tempo(ramp, torch.full((200,), 100))
    assert frames.min() >= round(100 * np.exp(-TEMPO))
    assert frames.max() <= round(100 * np.exp(TEMPO))
    assert frames.float().std() > 4
    for row, count in zip(bands, frames, strict=True):
        steps = row[1 : count - 1, 0].diff()
        torch.testing.assert_close(
            steps.median(), torch.tensor(100 / float(count)), atol=0.01, rtol=0
        )


def test_an_echo_falls_by_sixty_decibels_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    click = torch.zeros(1, 60, 64)
    click[:, 0] = 1
    monkeypatch.setattr(spectral, "_uniform", lambda batch, low, high: torch.full((batch,), high))
    echoed = augment(monkeypatch, "echo").echo(click)[0, :, 0]
    assert echoed[0].item() == pytest.approx(1, abs=1e-5)
    decay = 10 * torch.log10(echoed[11] / echoed[1])
    assert decay.item() == pytest.approx(-60 * 10 * HOP_DUR / 1.0, abs=0.1)


def test_a_telephone_loses_what_its_band_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = augment(monkeypatch, "telephone")
    called = changed.line(torch.ones(400, 2, 64))
    inside = (changed.centres >= 300) & (changed.centres <= 3400)
    assert (called[..., changed.centres >= 4000] == 0).all()
    np.testing.assert_allclose(called[..., inside].mean((0, 1)), 1, atol=0.01)
    rounding = called[..., changed.centres < 300].mean((1, 2))
    snr = 10 * torch.log10(3100 / 4000 / rounding)  # of white noise in the band, by its density
    assert 27 < snr.median() < 33


def test_a_telephones_noise_is_that_of_the_telephone() -> None:
    """Against the eight bits of µ-law themselves, on a waveform (`evaluation.corruptions`)."""
    rng = np.random.default_rng(0)
    speech = 0.1 * rng.standard_normal(32_000).astype(np.float32)
    called, rate = corruption("telephone")(speech, 16_000, rng)
    power = np.abs(np.fft.rfft(called[: len(called) // 2 * 2])) ** 2
    hertz = np.fft.rfftfreq(len(called) // 2 * 2, 1 / rate)
    inside = (hertz > 310) & (hertz < 3390)
    total = power[inside].sum() / TELEPHONE_TOP
    rounding = power[hertz < 290].mean() * (hertz[1] ** -1)  # density in the same unit
    assert EIGHT_BITS[0] < 10 * np.log10(total / rounding) < EIGHT_BITS[1]


def test_a_low_pass_leaves_nothing_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    filtered = augment(monkeypatch, "low").line(torch.ones(100, 2, 64))
    assert set(filtered.unique().tolist()) == {0.0, 1.0}
    assert (filtered.diff(dim=2) <= 0).all()
    assert filtered[..., -1].max() == 0
    assert filtered[..., :40].min() == 1


def test_noise_is_no_louder_than_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = augment(monkeypatch, "noise")
    bands = torch.ones(400, 50, 64)
    added = changed.noise(bands, torch.full((400,), 50)) - bands
    assert added.min() >= 0
    colours = added.mean(1)  # (400, 64)
    middle = colours[:, 31:33].mean(1)  # where every colour has its level
    snr = -10 * torch.log10(middle)
    assert SNR_DB[0] - 3 < snr.min() < SNR_DB[0] + 3
    assert snr.max() > 40


def test_each_clip_is_changed_by_itself() -> None:
    torch.manual_seed(0)
    changed = SpectralAugment(AugmentConfig(spectral_p=1), FRONTEND)
    power = torch.rand(1, 30, 513).expand(16, -1, -1)
    bands, _ = changed(power, torch.full((16,), 30))
    assert len({round(float(row.sum()), 3) for row in bands}) > 12
