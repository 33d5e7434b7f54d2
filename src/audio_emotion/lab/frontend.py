"""From a waveform to the network's two-channel picture.

One pass does the whole way: find the voiced extent, place it in a fixed window, one STFT, a mel
spectrogram in dB, its cepstrum, and a normalisation of each.  Every step is plain tensor algebra
without branches on the data, so the exported ONNX graph holds exactly this code and no consumer
ever re-implements it.

    waveform (batch, samples)
      └─ place      (batch, window)                 silence trimmed, then cropped or padded
         └─ mel     (batch, n_mels, frames)         dB below the clip's loudest cell
            └─ mfcc (batch, n_mels, frames)         orthonormal DCT-II along the mel axis
               └─ stack, normalise (batch, 2, n_mels, frames)
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from ..config import FrontendConfig
from .mel import band_centres, mel_filters
from .processor import prepare

AT_ONCE = 4  # clips transformed at a time
BANDS = 16  # mel bands multiplied at a time
AMIN = 1e-10  # power floor before the logarithm, as librosa's power_to_db
TRIM_FRAME = 2048  # samples in a frame of the silence detector, as librosa.effects.trim
TRIM_HOP = 512
EPSILON = 1e-5  # keeps the normalisation of a constant channel finite
PITCHES = (65.0, 700.0)  # Hz, from men's speech to women's song
HARMONICS = (300.0, 3400.0)  # Hz between which a voice's are looked for, what a telephone carries
MIN_DEVIATION = 0.1  # dB; a row that silence holds at its floor is not blown up beyond it


def lag_cosines(sampling_rate: int, n_fft: int, lags: int, warp: float = 1) -> np.ndarray:
    """From the fourth root of a power spectrum to its autocorrelation, by one product.

    A voice repeats itself after a period, so one of the lags, periods of `PITCHES` evenly spaced
    in octaves, stands out.  The root whitens the spectrum (generalised autocorrelation, after
    Tolonen and Karjalainen, 2000), and what a telephone leaves out has no part in it.

    Returns:
        Weights `(n_fft // 2 + 1, lags + 1)`, float32, of which the last column is lag 0; zero
        outside `HARMONICS`.
    """
    bins = warp * np.linspace(0, sampling_rate / 2, n_fft // 2 + 1)[:, None]
    pitches = np.geomspace(*PITCHES, lags)
    periods = np.append(1 / pitches, 0)
    taper = harmonic_weight(bins)
    weights: np.ndarray = (taper * np.cos(2 * np.pi * bins * periods)).astype(np.float32)
    return weights


def harmonic_weight(hertz: np.ndarray) -> np.ndarray:
    """How much a frequency counts for the lags: one at the lowest of `HARMONICS`, zero outside."""
    low, high = HARMONICS
    inside = (hertz >= low) & (hertz < high)
    return np.where(inside, np.cos(np.pi / 2 * (hertz - low) / (high - low)) ** 2, 0)


def likeness(power: Tensor, cosines: Tensor) -> Tensor:
    """Autocorrelation `(batch, frames, lags)` of power spectra, as a share of that at lag 0."""
    lags = power.sqrt().sqrt() @ cosines
    return lags[..., :-1] / torch.clamp(lags[..., -1:], min=AMIN)


def hann(n: int) -> np.ndarray:
    """The periodic Hann window, `(n,)` float32; torch's own is now and then off by 1e-4."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)


def dct_matrix(n: int) -> np.ndarray:
    """The orthonormal DCT-II, `(n, n)` float32; its transpose is its inverse.

    Row k is `sqrt(2/n) cos(pi (i + 1/2) k / n)`, row 0 that by `1/sqrt 2`.
    """
    i = np.arange(n)
    basis = math.sqrt(2 / n) * np.cos(np.pi * (i[None, :] + 0.5) * i[:, None] / n)
    basis[0] /= math.sqrt(2)
    return basis.astype(np.float32)


def pink_noise(config: FrontendConfig) -> tuple[np.ndarray, np.ndarray]:
    """Width of each mel band in Hz, and the power a Hz there of pink noise that has 1 in all.

    Returns:
        Both `(n_mels,)`, float32.
    """
    centres = band_centres(config.sampling_rate, config.n_mels)
    widths = np.gradient(centres).astype(np.float32)
    return widths, (1 / centres / (widths / centres).sum()).astype(np.float32)


def steady_floor(mel_power: Tensor, counted: Tensor, widths: Tensor, noise: Tensor) -> Tensor:
    """A noise's mean power in each band, `(batch, n_mels, 1)`.

    Args:
        mel_power: `(batch, n_mels, frames)`.
        counted: frames of the voice, `(batch, frames)`.
        widths: of the bands in Hz, `(n_mels,)`.
        noise: power a Hz in each band, as a share of the voice's mean power, `(n_mels,)`.
    """
    voiced = counted[:, None].to(mel_power.dtype)
    mean = (mel_power * voiced).sum(2) / voiced.sum(2)
    level: Tensor = (mean * widths).sum(1, keepdim=True)
    return (level * noise)[..., None]


def _reach(filters: np.ndarray) -> tuple[int, int]:
    """First and one past the last bin that any of `filters` weighs."""
    bins = np.flatnonzero(filters.any(0))
    return int(bins[0]), int(bins[-1]) + 1


class Frontend(nn.Module):
    """Waveforms of any common length to log-mel + MFCC pictures.

    Args:
        config: rates, sizes and choices; see `FrontendConfig` for units.
    """

    def __init__(self, config: FrontendConfig) -> None:
        super().__init__()
        prepare()
        self.config = config
        filters = mel_filters(config.sampling_rate, config.n_fft, config.n_mels)
        widths, pink = pink_noise(config)
        for name, value in [
            ("window", torch.from_numpy(hann(config.n_fft))),
            ("filters", torch.from_numpy(filters)),
            ("paired", torch.from_numpy(filters).repeat_interleave(2, 1)),
            ("dct", torch.from_numpy(dct_matrix(config.n_mels))),
            ("widths", torch.from_numpy(widths)),
            ("pink", torch.from_numpy(10 ** (-config.floor_db / 10) * pink)),
            ("cosines", self._lag_cosines()),
        ]:
            self.register_buffer(name, value, persistent=False)
        # Low bands see few bins: a group of bands is multiplied with the bins that it reaches only.
        groups = [slice(first, first + BANDS) for first in range(0, config.n_mels, BANDS)]
        self.reach = [(group, *_reach(filters[group])) for group in groups]
        shape = (config.channels, config.n_mels, 1)
        self.register_buffer("mean", torch.zeros(shape))  # saved with the weights, see `fit`
        self.register_buffer("deviation", torch.ones(shape))
        self.window: Tensor
        self.filters: Tensor
        self.paired: Tensor
        self.dct: Tensor
        self.widths: Tensor
        self.pink: Tensor
        self.cosines: Tensor
        self.mean: Tensor
        self.deviation: Tensor

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, samples)` in [-1, 1] → pictures `(batch, channels, n_mels, frames)`, and which
        frames count, `(batch, frames)`; see `counted`.
        """
        start, length = self.extent(waveform)
        return self.pictures(self.mel_power(self.place(waveform, start, length)), length)

    def pictures(self, bands: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised stack of mel power `(batch, frames, n_mels)` of `length` voiced samples."""
        counted = self.counted(bands, length)
        mel, lags = self.decibel(bands, counted), self.lags(bands)
        return self.normal_stack(mel, counted, lags), counted

    def lags(self, bands: Tensor) -> Tensor:
        """What of `bands` is no mel power, `(batch, n_mels or 0, frames)`."""
        return bands[..., self.config.n_mels :].transpose(1, 2)

    def normal_stack(self, mel: Tensor, counted: Tensor, lags: Tensor) -> Tensor:
        """What the network sees of mel dB `(batch, n_mels, frames)`: its stack, normalised."""
        normal = self.normalize(self.stack(mel, counted, lags))
        return normal * counted[:, None, None] if self.config.mask else normal

    def channels(self, bands: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """The stack before normalisation, dB and cepstral coefficients, and which frames count."""
        counted = self.counted(bands, length)
        return self.stack(self.decibel(bands, counted), counted, self.lags(bands)), counted

    def counted(self, bands: Tensor, length: Tensor) -> Tensor:
        """Frames that statistics and averages look at, `(batch, frames)`: with `mask` those whose
        centre is in the voice, else all.
        """
        if not self.config.mask:
            return torch.ones_like(bands[..., 0], dtype=torch.bool)
        frames = torch.arange(bands.shape[1], device=bands.device)[None]
        if self.config.placement == "start":
            return frames * self.config.hop_length <= length
        outside = torch.clamp(self.config.window - length, min=0)
        return (2 * frames * self.config.hop_length - self.config.window).abs() <= (
            self.config.window - outside
        )

    def stack(self, mel: Tensor, counted: Tensor, lags: Tensor) -> Tensor:
        """The channels that the configuration names, of mel dB `(batch, n_mels, frames)`."""
        if self.config.features in {"contrast", "pitch"}:
            weight = counted[:, None].to(mel.dtype)
            mean = (mel * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True)
            pictures = [mel, mel - mean, lags][: self.config.channels]
        else:
            named = {"mel": ["mel"], "mfcc": ["mfcc"], "both": ["mel", "mfcc"]}
            names = named[self.config.features]
            pictures = [mel if name == "mel" else self.mfcc(mel) for name in names]
        # Frame by frame, as they lie in memory.
        return torch.stack([picture.transpose(1, 2) for picture in pictures], 1).transpose(2, 3)

    @torch.no_grad()
    def fit(self, waveforms: Iterable[Tensor]) -> None:
        """Take each row's mean and deviation from `waveforms`, each `(samples,)`.

        Give it clips of the training part only.
        """
        count, total, squares = 0, torch.zeros_like(self.mean), torch.zeros_like(self.mean)
        for waveform in waveforms:
            start, length = self.extent(waveform[None])
            bands = self.mel_power(self.place(waveform[None], start, length))
            stack, counted = self.channels(bands, length)
            channels = stack[0][..., counted[0]]  # (channels, n_mels, frames)
            total += channels.sum(2, keepdim=True)
            squares += channels.square().sum(2, keepdim=True)
            count += channels.shape[2]
        self.mean.copy_(total / count)
        variance = squares / count - self.mean.square()
        self.deviation.copy_(torch.clamp(variance, min=MIN_DEVIATION**2).sqrt())

    def extent(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """First sample and number of samples of what is not silence, each `(batch, 1)`.

        A frame is silent when its power lies more than `trim_db` below the loudest frame's.
        A clip of zeros has no loudest frame and keeps its whole length.
        """
        samples = waveform.shape[1]
        squares = nn.functional.pad(waveform.square(), [TRIM_FRAME // 2] * 2)
        hops = nn.functional.avg_pool1d(squares[:, None], TRIM_HOP)
        power = nn.functional.avg_pool1d(hops, TRIM_FRAME // TRIM_HOP, 1)[:, 0]
        threshold = power.amax(1, keepdim=True) * 10 ** (-self.config.trim_db / 10)
        frame = torch.arange(power.shape[1], device=power.device)
        voiced = power >= threshold  # (batch, frames)
        last_frame = power.shape[1] - 1
        first = torch.where(voiced, frame, last_frame).amin(1, keepdim=True)
        last = torch.where(voiced, frame, 0).amax(1, keepdim=True)
        start = first * TRIM_HOP
        return start, torch.clamp((last + 1) * TRIM_HOP, max=samples) - start

    def place(
        self, waveform: Tensor, start: Tensor, length: Tensor, window: int | None = None
    ) -> Tensor:
        """Voiced extent in a window of `win_dur` seconds, or of `window` samples.

        A longer extent loses both ends alike (`center`) or its end (`start`); a shorter one is
        surrounded or followed by zeros, or played again until the window is full (`repeat`).
        """
        window = window or self.config.window
        position = torch.arange(window, device=waveform.device)[None]  # (1, window)
        if self.config.placement == "repeat":
            surplus = torch.clamp(length - window, min=0) // 2
            source = torch.remainder(position + surplus, length)
            return waveform.gather(1, start + source)
        if self.config.placement == "center":
            position = position + torch.div(length - window, 2, rounding_mode="floor")
        inside = (position >= 0) & (position < length)
        source = torch.minimum(torch.clamp(position, min=0), length - 1)
        return waveform.gather(1, start + source) * inside

    def squares(self, waveform: Tensor) -> Tensor:
        """Of the spectrum's real and imaginary parts, `(batch, frames, n_fft // 2 + 1, 2)`."""
        n_fft = self.config.n_fft
        padded = nn.functional.pad(waveform, [n_fft // 2] * 2)
        frames = padded.unfold(1, n_fft, self.config.hop_length) * self.window
        return torch.view_as_real(torch.fft.rfft(frames)).square_()  # in place: no new memory

    def power(self, waveform: Tensor) -> Tensor:
        """Power spectrum `(batch, frames, n_fft // 2 + 1)`, as it lies in memory."""
        squares = self.squares(waveform)
        return squares[..., 0] + squares[..., 1]

    def bands(self, power: Tensor) -> Tensor:
        """Mel power `(batch, frames, n_mels)` of a power spectrum."""
        return self._with_lags(self._filtered(power, self.filters, 1), power)

    def mel_power(self, waveform: Tensor) -> Tensor:
        """`bands(power(waveform))` of waveforms that fill their window, a few at a time.

        So what lies between stays in the processor's cache; the filters add the squares.
        """
        few = torch.split(waveform, AT_ONCE)
        if self.config.features == "pitch":
            return torch.cat([self.bands(self.power(w)) for w in few])
        return torch.cat([self._filtered(self.squares(w).flatten(2), self.paired, 2) for w in few])

    def _with_lags(self, bands: Tensor, power: Tensor) -> Tensor:
        if self.config.features != "pitch":
            return bands
        return torch.cat([bands, likeness(power[..., : len(self.cosines)], self.cosines)], 2)

    def _lag_cosines(self) -> Tensor:
        """Of the bins that are looked at."""
        config = self.config
        cosines = lag_cosines(config.sampling_rate, config.n_fft, config.n_mels)
        return torch.from_numpy(cosines[: cosines[:, -1].nonzero()[0][-1] + 1])

    def _filtered(self, values: Tensor, filters: Tensor, each: int) -> Tensor:
        """Bands of spectra that hold `each` values a bin."""
        return torch.cat(
            [
                nn.functional.linear(values[..., low:high], filters[band, low:high])
                for band, low, high in ((band, each * a, each * b) for band, a, b in self.reach)
            ],
            2,
        )

    def decibel(self, bands: Tensor, counted: Tensor) -> Tensor:
        """dB below the clip's loudest cell, at most `top_db` below, `(batch, n_mels, frames)`."""
        mel_power = bands[..., : self.config.n_mels].transpose(1, 2)
        if self.config.floor_db < self.config.top_db:
            mel_power = mel_power + self.floor(mel_power, counted)
        decibel = torch.clamp(mel_power, min=AMIN).log10_().mul_(10)
        if self.config.mask:
            decibel = torch.where(counted[:, None], decibel, 10 * math.log10(AMIN))
        decibel -= decibel.amax((1, 2), keepdim=True)
        return torch.clamp(decibel, min=-self.config.top_db)

    def floor(self, mel_power: Tensor, counted: Tensor) -> Tensor:
        """Pink noise's mean power in each band, `(batch, n_mels, 1)`, so far below the voice's."""
        return steady_floor(mel_power, counted, self.widths, self.pink)

    def mel(self, window: Tensor) -> Tensor:
        """`decibel` of waveforms that fill their window, `(batch, n_mels, frames)`."""
        bands = self.mel_power(window)
        return self.decibel(bands, self.counted(bands, bands.new_tensor([[window.shape[1]]])))

    def mfcc(self, mel: Tensor) -> Tensor:
        """All `n_mels` cepstral coefficients of `mel`, `(batch, n_mels, frames)`."""
        return (mel.transpose(1, 2) @ self.dct.T).transpose(1, 2)

    def normalize(self, channels: Tensor) -> Tensor:
        """Zero mean and unit deviation, by the training part's rows or the clip's channels."""
        if self.config.normalization == "corpus":
            return (channels - self.mean) / self.deviation
        centred = channels - channels.mean((2, 3), keepdim=True)
        return centred / (centred.square().mean((2, 3), keepdim=True).sqrt() + EPSILON)
