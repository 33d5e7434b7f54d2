"""Augmentation between the STFT and the decibels, where it costs next to nothing.

Everything works on the power of a whole batch at once, where it lies, with torch's generator:

    warp        frequencies scaled, so another pitch and another vocal tract
    tempo       time scaled
    echo        an exponentially decaying tail on each band's power
    equaliser   a smooth random curve over the bands
    noise       steady noise of a random colour, with the fluctuation of a band's power
    line        what a telephone, or a low sampling rate, leaves of it
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ..config import AugmentConfig, FrontendConfig
from .frontend import hz_to_mel, mel_filters, mel_to_hz

WARPS = 25  # banks kept, evenly spaced in semitones
ECHO_FRAMES = 60
CURVES = 4  # cosines that an equaliser is the sum of
TELEPHONE = (300.0, 3400.0)  # Hz
TELEPHONE_TOP = 4000.0  # Hz, half of its sampling rate
EIGHT_BITS = (20.0, 40.0)  # dB, a frame over the rounding of its companded samples
HIGHEST_SNR = 50.0  # dB; noise at that is as good as none
FLUCTUATION = 2.0  # shape of the gamma distribution of a band's power over time
SHARES = {"warp": 0.8, "tempo": 0.7, "echo": 0.25, "curve": 0.7, "telephone": 0.25, "low": 0.1,
          "noise": 0.7}  # of the clips, times `spectral_p`  # fmt: skip


class SpectralAugment(nn.Module):
    """Power spectra to mel power, never twice the same.

    Args:
        config: how far each change may go.
        frontend: what the bands are.
    """

    def __init__(self, config: AugmentConfig, frontend: FrontendConfig) -> None:
        super().__init__()
        self.config = config
        self.hop_dur = frontend.hop_length / frontend.sampling_rate
        rate, n_mels = frontend.sampling_rate, frontend.n_mels
        most = config.warp_semitones
        banks = [
            torch.from_numpy(mel_filters(rate, frontend.n_fft, n_mels, 2 ** (semitones / 12))).T
            for semitones in torch.linspace(-most, most, WARPS).tolist()
        ]
        top = hz_to_mel(torch.tensor(rate / 2).numpy()).item()
        centres = mel_to_hz(torch.linspace(0, top, n_mels + 2).numpy())[1:-1]
        self.register_buffer("banks", torch.stack(banks), persistent=False)  # (warps, bins, n_mels)
        self.register_buffer("centres", torch.from_numpy(centres).float(), persistent=False)
        widths = np.gradient(centres)  # Hz
        self.register_buffer("widths", torch.from_numpy(widths).float(), persistent=False)
        self.banks: Tensor
        self.centres: Tensor
        self.widths: Tensor

    def forward(self, power: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Power `(batch, frames, bins)`, of which `(batch,)` are the voice's, to mel power.

        Returns:
            Mel power `(batch, frames, n_mels)`, and how many frames of each are the voice's.
        """
        bands, frames = self.tempo(self.warp(power), frames)
        voice = torch.arange(bands.shape[1], device=bands.device)[None] < frames[:, None]
        bands = self.equalize(self.echo(bands * voice[..., None]))
        return self.line(self.noise(bands * voice[..., None], frames)), frames

    def warp(self, power: Tensor) -> Tensor:
        """Mel power by a bank drawn for each clip, `(batch, frames, n_mels)`."""
        drawn = torch.randint(WARPS, (len(power),))
        drawn[~self._struck("warp", len(power))] = WARPS // 2
        return torch.bmm(power, self.banks[drawn.to(power.device)])

    def tempo(self, bands: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Time scaled by linear interpolation between frames; the batch grows with its longest."""
        most = self.config.tempo
        speed = torch.exp(_uniform(len(bands), -most, most))
        speed[~self._struck("tempo", len(bands))] = 1
        speed = speed.to(bands.device)
        scaled = torch.clamp((frames / speed).round().long(), min=1)
        position = torch.arange(int(scaled.max()), device=bands.device)[None] * speed[:, None]
        position = torch.minimum(position, (frames - 1)[:, None].float())
        before = position.floor().long()
        after = torch.minimum(before + 1, (frames - 1)[:, None])
        share = (position - before)[..., None]
        return torch.lerp(_take(bands, before), _take(bands, after), share), scaled

    def echo(self, bands: Tensor) -> Tensor:
        """Each band's power followed by a tail that falls by 60 dB in a random time."""
        batch, frames = bands.shape[:2]
        fall = _uniform(batch, 0.15, self.config.reverb_dur)
        loudness = _uniform(batch, 0.05, 0.5) * self._struck("echo", batch)
        time = torch.arange(ECHO_FRAMES) * self.hop_dur
        tail = loudness[:, None] * torch.exp(-math.log(1e6) * time / fall[:, None])
        tail[:, 0] = 1
        size = frames + ECHO_FRAMES
        spectrum = torch.fft.rfft(tail.to(bands.device), size, 1)[..., None]
        heard = torch.fft.irfft(torch.fft.rfft(bands, size, 1) * spectrum, size, 1)
        return torch.clamp(heard[:, :frames], min=0)

    def equalize(self, bands: Tensor) -> Tensor:
        """Bands weighed by a smooth curve."""
        batch, n_mels = len(bands), bands.shape[2]
        place = torch.linspace(0, math.pi, n_mels)
        most = self.config.equalizer_db
        curve = sum(
            _uniform(batch, -most, most)[:, None] * torch.cos(k * place)
            for k in range(1, CURVES + 1)
        )
        gain = 10 ** (curve * self._struck("curve", batch)[:, None] / 10)
        return bands * gain[:, None].to(bands.device)

    def noise(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Noise of a random colour, `least_snr` dB below the voice or further."""
        batch, _, n_mels = bands.shape
        mean = bands.sum((1, 2)) / (frames * n_mels)
        snr = _uniform(batch, self.config.least_snr, HIGHEST_SNR)
        level = 10 ** (-snr / 10) * self._struck("noise", batch)
        colour = torch.exp(_uniform(batch, -2.4, 2.4)[:, None] * torch.linspace(-1, 1, n_mels))
        shape = torch.full(bands.shape, FLUCTUATION)
        fluctuation = torch._standard_gamma(shape) / FLUCTUATION
        noise = (level[:, None] * colour)[:, None] * fluctuation
        return bands + mean[:, None, None] * noise.to(bands.device)

    def line(self, bands: Tensor) -> Tensor:
        """A telephone's band with the noise of its eight bits, which follows the voice; a low-pass.

        What is beyond is silent, noise before it included.
        """
        batch, centres = len(bands), self.centres
        below = centres <= _uniform(batch, 3500, 7500)[:, None].to(bands.device)
        kept = below | ~self._struck("low", batch)[:, None].to(bands.device)
        bands = bands * kept[:, None]
        called = self._struck("telephone", batch).nonzero()[:, 0].to(bands.device)
        band = bands[called] * ((centres >= TELEPHONE[0]) & (centres <= TELEPHONE[1]))
        density = (band * self.widths).sum(2, keepdim=True) / TELEPHONE_TOP
        snr = _uniform(len(called), *EIGHT_BITS)[:, None, None].to(bands.device)
        rounding = density * 10 ** (-snr / 10) * torch.empty_like(band).exponential_()
        return bands.index_copy(0, called, band + rounding * (centres < TELEPHONE_TOP))

    def _struck(self, change: str, batch: int) -> Tensor:
        return torch.rand(batch) < SHARES[change] * self.config.spectral_p


def _uniform(batch: int, low: float, high: float) -> Tensor:
    return torch.rand(batch) * (high - low) + low


def _take(bands: Tensor, frame: Tensor) -> Tensor:
    return bands.gather(1, frame[..., None].expand(-1, -1, bands.shape[2]))
