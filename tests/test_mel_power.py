"""The spectrum by matrices is that of the transform, whatever the sizes."""

import numpy as np
import pytest
import torch

from audio_emotion.config import FrontendConfig
from audio_emotion.training.features.frontend import Frontend
from audio_emotion.training.features.mel_power import MelPower, table_shape
from conftest import RATE, voice


@pytest.mark.parametrize(
    ("n_fft", "hop_length", "n_mels"), [(1024, 256, 64), (2048, 512, 128), (600, 200, 40)]
)
def test_it_is_the_mel_power_of_the_front_end(n_fft: int, hop_length: int, n_mels: int) -> None:
    config = FrontendConfig(sampling_rate=RATE, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels)
    frontend, waveforms = Frontend(config), torch.from_numpy(np.stack([voice(), voice(pitch=90)]))
    expected = frontend.power(waveforms) @ frontend.filters.T
    for found in (MelPower(config)(waveforms), frontend.mel_power(waveforms)):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7 * expected.max().item())


def test_an_impulse_has_the_same_power_in_every_bin() -> None:
    """One sample at the window's peak: every bin's power is 1, so a band's is its filter's sum."""
    config = FrontendConfig(n_fft=1024, hop_length=256, n_mels=32)
    impulse = torch.zeros(1, 4096)
    impulse[0, 2048] = 1
    spectrum = MelPower(config)
    middle = spectrum(impulse)[0, 8]
    torch.testing.assert_close(middle, spectrum.filters.sum(0), rtol=1e-4, atol=1e-7)


def test_a_table_is_as_square_as_can_be() -> None:
    assert [table_shape(n) for n in (1024, 2048, 600, 7)] == [(32, 32), (64, 32), (25, 24), (7, 1)]


def test_frames_that_are_not_whole_hops_are_left_to_the_runtime() -> None:
    assert not MelPower.fits(FrontendConfig(n_fft=1024, hop_length=300))
