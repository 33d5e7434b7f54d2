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
from .frontend import AMIN, harmonic_weight, lag_cosines, likeness
from .mel import band_centres, mel_filters

WARPS = 25  # banks kept, evenly spaced in semitones
ECHO_FRAMES = 60
CURVES = 4  # cosines that an equaliser is the sum of
TELEPHONE = (300.0, 3400.0)  # Hz
TELEPHONE_TOP = 4000.0  # Hz, half of its sampling rate
EIGHT_BITS = (20.0, 40.0)  # dB, a frame over the rounding of its companded samples
CHANCE = 0.02  # deviation of a lag that noise has drowned
HIGHEST_SNR = 50.0  # dB; noise at that is as good as none
SHARES = {"warp": 0.8, "tempo": 0.7, "echo": 0.25, "curve": 0.7, "telephone": 0.4, "low": 0.2,
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
        warps = [2 ** (semitones / 12) for semitones in np.linspace(-most, most, WARPS)]
        banks = [mel_filters(rate, frontend.n_fft, n_mels, warp).T for warp in warps]
        self.lags = n_mels if frontend.features == "pitch" else 0
        cosines = np.stack([lag_cosines(rate, frontend.n_fft, self.lags, warp) for warp in warps])
        reach = np.flatnonzero(cosines[..., -1].any(0))[-1] + 1
        centres = band_centres(rate, n_mels)
        # (warps, bins, n_mels), and (warps, bins up to the last harmonic, lags and none)
        self.register_buffer("banks", torch.from_numpy(np.stack(banks)), persistent=False)
        self.register_buffer("cosines", torch.from_numpy(cosines[:, :reach]), persistent=False)
        self.register_buffer("centres", torch.from_numpy(centres).float(), persistent=False)
        widths = np.gradient(centres)  # Hz
        self.register_buffer("widths", torch.from_numpy(widths).float(), persistent=False)
        hearing = widths * harmonic_weight(centres)
        self.register_buffer("hearing", torch.from_numpy(hearing).float(), persistent=False)
        self.banks: Tensor
        self.cosines: Tensor
        self.centres: Tensor
        self.widths: Tensor
        self.hearing: Tensor

    def forward(self, power: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Power `(batch, frames, bins)`, of which `(batch,)` are the voice's, to mel power.

        Returns:
            What `Frontend.bands` gives, `(batch, frames, n_mels)` or with as many lags behind, and
            how many frames of each are the voice's.
        """
        bands, frames = self.tempo(self.warp(power), frames)
        bands, lags = bands[..., : len(self.centres)], bands[..., len(self.centres) :]
        voice = torch.arange(bands.shape[1], device=bands.device)[None] < frames[:, None]
        bands = self.equalize(self.echo(bands * voice[..., None])) * voice[..., None]
        noisy = self.noise(bands, frames)
        if self.lags:
            lags = self.drown(lags, bands, noisy)
        return torch.cat([self.line(noisy), lags], 2), frames

    def drown(self, lags: Tensor, bands: Tensor, noisy: Tensor) -> Tensor:
        """Lags stand out less where noise fills the gaps between harmonics, and differ by chance.

        Each band counts as `likeness` hears it, by the square of what of its power is the voice's:
        so do clips with white noise (`tests/test_spectral.py`).  What echo and equaliser do to lags
        is left out.
        """
        heard = self.hearing * torch.clamp(noisy, min=AMIN).pow(0.25)
        share = (bands / torch.clamp(noisy, min=AMIN)).square()
        kept = ((heard * share).sum(2) / heard.sum(2))[..., None]
        return torch.lerp(CHANCE * torch.randn_like(lags), lags, kept)

    def warp(self, power: Tensor) -> Tensor:
        """Mel power by a bank drawn for each clip, `(batch, frames, n_mels)`."""
        drawn = torch.randint(WARPS, (len(power),))
        drawn[~self._struck("warp", len(power))] = WARPS // 2
        drawn = drawn.to(power.device)
        bands = torch.bmm(power, self.banks[drawn])
        if not self.lags:
            return bands
        low = power[..., : self.cosines.shape[1]]
        return torch.cat([bands, likeness(low, self.cosines[drawn])], 2)

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
        struck = self._drawn("echo", len(bands))
        if not len(struck):  # an empty batch has no transform
            return bands
        batch, frames = len(struck), bands.shape[1]
        fall = _uniform(batch, 0.15, self.config.reverb_dur)
        time = torch.arange(ECHO_FRAMES) * self.hop_dur
        loudness = _uniform(batch, 0.05, 0.5)
        tail = loudness[:, None] * torch.exp(-math.log(1e6) * time / fall[:, None])
        tail[:, 0] = 1
        size = frames + ECHO_FRAMES
        spectrum = torch.fft.rfft(tail.to(bands.device), size, 1)[..., None]
        struck = struck.to(bands.device)
        heard = torch.fft.irfft(torch.fft.rfft(bands[struck], size, 1) * spectrum, size, 1)
        return bands.index_copy(0, struck, torch.clamp(heard[:, :frames], min=0))

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
        struck = self._drawn("noise", len(bands))
        batch, n_mels = len(struck), bands.shape[2]
        colour = torch.exp(_uniform(batch, -2.4, 2.4)[:, None] * torch.linspace(-1, 1, n_mels))
        level = 10 ** (-_uniform(batch, self.config.least_snr, HIGHEST_SNR) / 10)
        density = (level[:, None] * colour).to(bands.device)
        struck = struck.to(bands.device)
        voice = bands[struck]
        mean = voice.sum((1, 2)) / (frames[struck] * n_mels)
        fluctuation = torch.empty_like(voice).exponential_()
        fluctuation += torch.empty_like(voice).exponential_()  # the sum of two: a gamma of shape 2
        noise = (mean[:, None] * density / 2)[:, None] * fluctuation
        return bands.index_copy(0, struck, voice + noise)

    def line(self, bands: Tensor) -> Tensor:
        """A telephone's band with the noise of its eight bits, which follows the voice; a low-pass.

        What is beyond is silent, noise before it included.
        """
        batch, centres = len(bands), self.centres
        below = centres <= _uniform(batch, 3500, 7500)[:, None].to(bands.device)
        kept = below | ~self._struck("low", batch)[:, None].to(bands.device)
        bands = bands * kept[:, None]
        called = self._drawn("telephone", batch).to(bands.device)
        band = bands[called] * ((centres >= TELEPHONE[0]) & (centres <= TELEPHONE[1]))
        density = (band * self.widths).sum(2, keepdim=True) / TELEPHONE_TOP
        snr = _uniform(len(called), *EIGHT_BITS)[:, None, None].to(bands.device)
        rounding = density * 10 ** (-snr / 10) * torch.empty_like(band).exponential_()
        return bands.index_copy(0, called, band + rounding * (centres < TELEPHONE_TOP))

    def _drawn(self, change: str, batch: int) -> Tensor:
        """Positions of the clips that get a change."""
        return self._struck(change, batch).nonzero()[:, 0]

    def _struck(self, change: str, batch: int) -> Tensor:
        """Whether each clip gets it."""
        return torch.rand(batch) < SHARES[change] * self.config.spectral_p


def _uniform(batch: int, low: float, high: float) -> Tensor:
    return torch.rand(batch) * (high - low) + low


def _take(bands: Tensor, frame: Tensor) -> Tensor:
    return bands.gather(1, frame[..., None].expand(-1, -1, bands.shape[2]))
