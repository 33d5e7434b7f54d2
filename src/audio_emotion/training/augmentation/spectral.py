"""Augmentation between the STFT and the decibels, where it costs next to nothing.

Each change works on the power of a whole batch on its device, with torch's generator:

    warp        frequencies scaled: another pitch and another vocal tract
    tempo       time scaled
    echo        an exponentially decaying tail on each band's power
    equaliser   a smooth random curve over the bands
    noise       steady noise of a random colour, with the fluctuation of a band's power
    line        what a telephone, or a low sampling rate, leaves
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ...config import AugmentConfig, FrontendConfig
from ..features.mel import band_centres, mel_filters

WARP_SEMITONES = 3.0  # largest scaling of the frequency axis
WARPS = 25  # filter banks, evenly spaced in semitones
TEMPO = 0.15  # largest logarithm of the scaling of the time axis
ECHO_DUR = (0.15, 1.0)  # s for an echo to fall by 60 dB
ECHO_FRAMES = 60
EQUALISER_DB = 4.0  # largest amplitude of each term of the equaliser
CURVES = 4  # cosines that it is the sum of
TELEPHONE = (300.0, 3400.0)  # Hz
TELEPHONE_TOP = 4000.0  # Hz, half of its sampling rate
EIGHT_BITS = (20.0, 40.0)  # dB of a frame above the rounding of its companded samples
SNR_DB = (5.0, 50.0)  # of a clip above noise; at the upper end noise is inaudible
SHARES = {"warp": 0.8, "tempo": 0.7, "echo": 0.25, "curve": 0.7, "telephone": 0.4, "low": 0.2,
          "noise": 0.7}  # probability of each change, times `spectral_p`  # fmt: skip


class SpectralAugment(nn.Module):
    """Power spectra to mel power, changed anew in every step.

    Args:
        config: how often; see `AugmentConfig.spectral_p`.
        frontend: what the bands are.
    """

    def __init__(self, config: AugmentConfig, frontend: FrontendConfig) -> None:
        super().__init__()
        self.config = config
        self.hop_dur = frontend.hop_length / frontend.sampling_rate
        rate, n_mels = frontend.sampling_rate, frontend.n_mels
        semitones = np.linspace(-WARP_SEMITONES, WARP_SEMITONES, WARPS)
        banks = [mel_filters(rate, frontend.n_fft, n_mels, 2 ** (s / 12)).T for s in semitones]
        centres = band_centres(rate, n_mels)
        for name, value in [
            ("banks", np.stack(banks)),  # (warps, bins, n_mels)
            ("centres", centres.astype(np.float32)),  # Hz
            ("widths", np.gradient(centres).astype(np.float32)),  # Hz
        ]:
            self.register_buffer(name, torch.from_numpy(value), persistent=False)
        self.banks: Tensor
        self.centres: Tensor
        self.widths: Tensor

    def forward(self, power: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Map power spectra to changed mel power.

        Args:
            power: `(batch, frames, bins)`.
            frames: number of frames that belong to each clip, `(batch,)`.

        Returns:
            Mel power `(batch, frames, n_mels)`, and the new number of frames of each clip.
        """
        bands, frames = self.tempo(self.warp(power), frames)
        inside = torch.arange(bands.shape[1], device=bands.device)[None] < frames[:, None]
        bands = self.equalise(self.echo(bands * inside[..., None])) * inside[..., None]
        return self.line(self.noise(bands, frames)), frames

    def warp(self, power: Tensor) -> Tensor:
        """Return mel power by a filter bank drawn for each clip, `(batch, frames, n_mels)`."""
        drawn = torch.randint(WARPS, (len(power),))
        drawn[~self._struck("warp", len(power))] = WARPS // 2
        return torch.bmm(power, self.banks[drawn.to(power.device, non_blocking=True)])

    def tempo(self, bands: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Scale time by interpolating frames, into as many as the slowest tempo can need."""
        speed = torch.exp(_uniform(len(bands), -TEMPO, TEMPO))
        speed[~self._struck("tempo", len(bands))] = 1
        speed = speed.to(bands.device, non_blocking=True)
        scaled = torch.clamp((frames / speed).round().long(), min=1)
        most = math.ceil(bands.shape[1] * math.exp(TEMPO))
        position = torch.arange(most, device=bands.device)[None] * speed[:, None]
        position = torch.minimum(position, (frames - 1)[:, None].float())
        before = position.floor().long()
        after = torch.minimum(before + 1, (frames - 1)[:, None])
        share = (position - before)[..., None]
        return torch.lerp(take_frames(bands, before), take_frames(bands, after), share), scaled

    def echo(self, bands: Tensor) -> Tensor:
        """Add to each band's power a tail that falls by 60 dB in a random time."""
        struck = self._drawn("echo", len(bands))
        if not len(struck):  # an empty batch has no transform
            return bands
        batch, frames = len(struck), bands.shape[1]
        fall = _uniform(batch, *ECHO_DUR)
        time = torch.arange(ECHO_FRAMES) * self.hop_dur
        loudness = _uniform(batch, 0.05, 0.5)
        tail = loudness[:, None] * torch.exp(-math.log(1e6) * time / fall[:, None])
        tail[:, 0] = 1
        size = frames + ECHO_FRAMES
        spectrum = torch.fft.rfft(tail.to(bands.device, non_blocking=True), size, 1)[..., None]
        struck = struck.to(bands.device, non_blocking=True)
        echoed = torch.fft.irfft(torch.fft.rfft(bands[struck], size, 1) * spectrum, size, 1)
        return bands.index_copy(0, struck, torch.clamp(echoed[:, :frames], min=0))

    def equalise(self, bands: Tensor) -> Tensor:
        """Weigh the bands by a smooth random curve."""
        batch, n_mels = len(bands), bands.shape[2]
        place = torch.linspace(0, math.pi, n_mels)
        curve = sum(
            _uniform(batch, -EQUALISER_DB, EQUALISER_DB)[:, None] * torch.cos(k * place)
            for k in range(1, CURVES + 1)
        )
        gain = 10 ** (curve * self._struck("curve", batch)[:, None] / 10)
        return bands * gain[:, None].to(bands.device, non_blocking=True)

    def noise(self, bands: Tensor, frames: Tensor) -> Tensor:
        """Add noise of a random colour, `SNR_DB` below the clip."""
        struck = self._drawn("noise", len(bands))
        batch, n_mels = len(struck), bands.shape[2]
        colour = torch.exp(_uniform(batch, -2.4, 2.4)[:, None] * torch.linspace(-1, 1, n_mels))
        level = 10 ** (-_uniform(batch, *SNR_DB) / 10)
        density = (level[:, None] * colour).to(bands.device, non_blocking=True)
        struck = struck.to(bands.device, non_blocking=True)
        clean = bands[struck]
        mean = clean.sum((1, 2)) / (frames[struck] * n_mels)
        drawn = 1 - torch.rand(2, *clean.shape, device=clean.device)  # in (0, 1]
        fluctuation = -drawn.prod(0).log()  # a gamma of shape 2
        noise = (mean[:, None] * density / 2)[:, None] * fluctuation
        return bands.index_copy(0, struck, clean + noise)

    def line(self, bands: Tensor) -> Tensor:
        """Apply a low-pass, or a telephone's band with the level-dependent noise of its eight bits.

        Bands outside become silent, earlier noise included.
        """
        batch, centres = len(bands), self.centres
        below = centres <= _uniform(batch, 3500, 7500)[:, None].to(bands.device, non_blocking=True)
        kept = below | ~self._struck("low", batch)[:, None].to(bands.device, non_blocking=True)
        bands = bands * kept[:, None]
        called = self._drawn("telephone", batch).to(bands.device, non_blocking=True)
        band = bands[called] * ((centres >= TELEPHONE[0]) & (centres <= TELEPHONE[1]))
        density = (band * self.widths).sum(2, keepdim=True) / TELEPHONE_TOP
        snr = _uniform(len(called), *EIGHT_BITS)[:, None, None].to(bands.device, non_blocking=True)
        rounding = density * 10 ** (-snr / 10) * torch.empty_like(band).exponential_()
        return bands.index_copy(0, called, band + rounding * (centres < TELEPHONE_TOP))

    def _drawn(self, change: str, batch: int) -> Tensor:
        """Return the positions of the clips that get a change."""
        return self._struck(change, batch).nonzero()[:, 0]

    def _struck(self, change: str, batch: int) -> Tensor:
        """Draw whether each clip gets a change."""
        return torch.rand(batch) < SHARES[change] * self.config.spectral_p


def _uniform(batch: int, low: float, high: float) -> Tensor:
    return torch.rand(batch) * (high - low) + low


def take_frames(bands: Tensor, frame: Tensor) -> Tensor:
    """Return the frames numbered `(batch, taken)` of `(batch, frames, bands)`."""
    return bands.gather(1, frame[..., None].expand(-1, -1, bands.shape[2]))
