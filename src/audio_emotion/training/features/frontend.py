"""The front end: from a waveform to the features that the network takes.

Every step is plain tensor algebra without branches on the data, so the exported ONNX graph holds
exactly this code and no consumer implements it again.

    waveform (batch, samples)
      └─ place      (batch, window)                 silent ends trimmed, then cropped or padded
         └─ mel     (batch, n_mels, frames)         dB below the clip's loudest cell
            └─ mfcc (batch, n_mels, frames)         orthonormal DCT-II along the mel axis
               └─ stack, normalise (batch, channels, n_mels, frames)
"""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from ...config import FrontendConfig
from .mel import mel_filters
from .workarounds import prepare

AT_ONCE = 4  # clips transformed at a time, so that their spectra stay in the processor's cache
BANDS = 16  # mel bands multiplied at a time
TOP_DB = 80.0  # dB kept below the loudest cell, as librosa's power_to_db
LEAST_POWER = 1e-30  # of a loudest cell, so that silence divides by something
LEVEL_FRAME = 512  # samples that a level is measured over
LEVEL_HOP = 128
LEVEL_LEAD = 512  # samples before and after a clip that frames lie at, too
MEDIAN = 5  # adjacent frames whose median is the level; what is shorter than half of them is noise
MARGIN = 1024  # samples kept around the loud part of a clip, for what fades in and out
MIN_DEVIATION = 0.1  # dB; a row that silence holds at its floor is not amplified beyond it


def hann(n: int) -> np.ndarray:
    """Return the periodic Hann window, `(n,)` float32; torch's own is sometimes off by 1e-4."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)


def dct_matrix(n: int) -> np.ndarray:
    """Return the orthonormal DCT-II, `(n, n)` float32; its transpose is its inverse.

    Row k is `sqrt(2/n) cos(pi (i + 1/2) k / n)`, and row 0 is divided by `sqrt(2)`.
    """
    i = np.arange(n)
    basis = math.sqrt(2 / n) * np.cos(np.pi * (i[None, :] + 0.5) * i[:, None] / n)
    basis[0] /= math.sqrt(2)
    return basis.astype(np.float32)


class Frontend(nn.Module):
    """Waveforms of any common length to normalised features.

    Args:
        config: rates, sizes and choices; see `FrontendConfig` for units.
    """

    def __init__(self, config: FrontendConfig) -> None:
        super().__init__()
        prepare()
        self.config = config
        filters = mel_filters(config.sampling_rate, config.n_fft, config.n_mels)
        for name, value in [
            ("window", hann(config.n_fft)),
            ("filters", filters),
            ("paired_filters", filters.repeat(2, 1)),
            ("dct", dct_matrix(config.n_mels)),
        ]:
            self.register_buffer(name, torch.from_numpy(value), persistent=False)
        # Low bands reach few bins, so each group of bands is multiplied with those bins only.
        groups = [slice(first, first + BANDS) for first in range(0, config.n_mels, BANDS)]
        self.reach = [(group, *_reach(filters[group])) for group in groups]
        shape = (len(config.channels), config.n_mels, 1)
        self.register_buffer("mean", torch.zeros(shape))  # saved with the weights; see `fit`
        self.register_buffer("deviation", torch.ones(shape))
        self.window: Tensor
        self.filters: Tensor
        self.paired_filters: Tensor
        self.dct: Tensor
        self.mean: Tensor
        self.deviation: Tensor

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Map waveforms to features and their frame mask.

        Args:
            waveform: `(batch, samples)` in [-1, 1].

        Returns:
            Features `(batch, channels, n_mels, frames)` and `(batch, frames)`, as `features`.
        """
        start, length = self.extent(waveform)
        return self.features(self.mel_power(self.place(waveform, start, length)), length)

    def features(self, power: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Map the mel power of placed clips to normalised features.

        Args:
            power: `(batch, frames, n_mels)`.
            length: samples of each clip, `(batch, 1)`.

        Returns:
            Features `(batch, channels, n_mels, frames)` and `frame_mask(...)`, `(batch, frames)`.
        """
        mask = self.frame_mask(power, length)
        return self.normalise(self.decibel(power, mask), mask), mask

    def extent(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first sample and the number of samples of each clip, `(batch, 1)` each.

        A clip reaches from the first to the last frame whose level is at most `trim_db` below the
        loudest one, with a margin.  It begins a whole number of hops before the centre of its
        energy, so frames lie the same way over a voice wherever it is in the recording.  Beyond
        the recording there is silence: the first sample can be negative, and the last one lie
        after the end.  A recording of zeros is one clip.
        """
        hop, power = self.config.hop_length, _blocks(waveform).square()
        centre = _centre(power.square())  # of what is loudest
        phase = centre % LEVEL_HOP
        level = self.level(power, phase)  # (batch, frames)
        loud = level >= level.amax(1, keepdim=True) * 10 ** (-self.config.trim_db / 10)
        frame = torch.arange(level.shape[1], device=level.device)
        first = torch.where(loud, frame, level.shape[1]).amin(1, keepdim=True) * LEVEL_HOP
        last = torch.where(loud, frame, 0).amax(1, keepdim=True) * LEVEL_HOP
        start = first + phase - LEVEL_LEAD - LEVEL_FRAME // 2 - MARGIN
        end = last + phase - LEVEL_LEAD + LEVEL_FRAME // 2 + MARGIN
        start = centre - torch.div(centre - start, hop, rounding_mode="floor") * hop
        return start, end - start

    def level(self, power: Tensor, phase: Tensor) -> Tensor:
        """Return the power of each frame of `LEVEL_FRAME` samples, `(batch, frames)`.

        Each is the median of `MEDIAN` adjacent frames, so a click or a knock does not count.

        Args:
            power: of each sample, in blocks `(batch, blocks, LEVEL_HOP)`.
            phase: `(batch, 1)`, less than `LEVEL_HOP`; frame n has its centre at sample
                `n * LEVEL_HOP + phase - LEVEL_LEAD`.
        """
        early = (torch.arange(LEVEL_HOP, device=power.device) < phase).to(power.dtype)
        parts = power @ torch.stack([early, 1 - early], 2)  # (batch, blocks, 2)
        # A block that begins at the phase is the late part of one and the early part of the next.
        step = LEVEL_FRAME // LEVEL_HOP
        around = (LEVEL_LEAD + LEVEL_FRAME // 2) // LEVEL_HOP + MEDIAN // 2 * step - 1
        sums = nn.functional.pad(parts[..., 0], (around, around + 1)) + nn.functional.pad(
            parts[..., 1], (around + 1, around)
        )
        means = nn.functional.avg_pool1d(sums[:, None], step, 1)[:, 0] / LEVEL_HOP
        frames = means.shape[1] - (MEDIAN - 1) * step
        return _median(*(means[:, n * step : n * step + frames] for n in range(MEDIAN)))

    def place(
        self, waveform: Tensor, start: Tensor, length: Tensor, window: int | None = None
    ) -> Tensor:
        """Put each extent into a window of `win_dur` seconds, or of `window` samples.

        A longer extent loses both ends equally (`center`) or its end (`start`); a shorter one is
        surrounded or followed by zeros.
        """
        window = self.config.window if window is None else window
        position = torch.arange(window, device=waveform.device)[None]  # (1, window)
        if self.config.placement == "center":
            position = position + torch.div(length - window, 2, rounding_mode="floor")
        silence = self.config.window  # around the recording, as far as any extent reaches
        source = nn.functional.pad(waveform, (silence, silence))
        inside = (position >= 0) & (position < length)
        return source.gather(1, start + position + silence) * inside

    def frame_mask(self, power: Tensor, length: Tensor) -> Tensor:
        """Return which frames statistics and averages include, `(batch, frames)`.

        With placement `start` these are the frames whose centre lies in the clip, else all.
        """
        if not self.config.uses_mask:
            return torch.ones_like(power[..., 0], dtype=torch.bool)
        frames = torch.arange(power.shape[1], device=power.device)[None]
        return frames * self.config.hop_length <= length

    def power(self, waveform: Tensor) -> Tensor:
        """Return the power spectrum of placed clips, `(batch, frames, n_fft // 2 + 1)`."""
        squares = self._squares(waveform)
        return squares[..., 0] + squares[..., 1]

    def mel_power(self, waveform: Tensor) -> Tensor:
        """Return the mel power of placed clips, `(batch, frames, n_mels)`.

        The filters add the squares of real and imaginary parts, which saves a pass over memory.
        """
        parts = in_parts(waveform)
        return torch.cat([self._filtered(self._squares(few).flatten(2)) for few in parts])

    def decibel(self, power: Tensor, mask: Tensor) -> Tensor:
        """Return dB below the clip's loudest cell, at most `TOP_DB`: `(batch, n_mels, frames)`."""
        power = power.transpose(1, 2)
        if self.config.uses_mask:
            power = power * mask[:, None]
        loudest = torch.clamp(power.amax((1, 2), keepdim=True), min=LEAST_POWER)
        return torch.clamp(power / loudest, min=10 ** (-TOP_DB / 10)).log10_().mul_(10)

    def mfcc(self, mel: Tensor) -> Tensor:
        """Return all `n_mels` cepstral coefficients of `mel`, `(batch, n_mels, frames)`."""
        return (mel.transpose(1, 2) @ self.dct.T).transpose(1, 2)

    def stack(self, mel: Tensor, mask: Tensor) -> Tensor:
        """Stack the configured channels: `(batch, channels, n_mels, frames)`."""
        made = {
            "mel": lambda: mel,
            "mfcc": lambda: self.mfcc(mel),
            "mean_normalised": lambda: mel - _masked_mean(mel, mask),
        }
        channels = [made[name]() for name in self.config.channels]
        # Frame by frame, as they lie in memory.
        return torch.stack([channel.transpose(1, 2) for channel in channels], 1).transpose(2, 3)

    def normalise(self, mel: Tensor, mask: Tensor) -> Tensor:
        """Return the stack of mel dB with the mean 0 and deviation 1 of each row in training."""
        normal = (self.stack(mel, mask) - self.mean) / self.deviation
        return normal * mask[:, None, None] if self.config.uses_mask else normal

    @torch.no_grad()
    def fit(self, waveforms: Iterable[Tensor]) -> None:
        """Measure each row's mean and deviation over `waveforms`, each `(samples,)`.

        Pass clips of the training split only.
        """
        count, total, squares = 0, torch.zeros_like(self.mean), torch.zeros_like(self.mean)
        for waveform in waveforms:
            start, length = self.extent(waveform[None])
            power = self.mel_power(self.place(waveform[None], start, length))
            mask = self.frame_mask(power, length)
            channels = self.stack(self.decibel(power, mask), mask)[0][..., mask[0]]
            total += channels.sum(2, keepdim=True)
            squares += channels.square().sum(2, keepdim=True)
            count += channels.shape[2]
        self.mean.copy_(total / count)
        variance = squares / count - self.mean.square()
        self.deviation.copy_(torch.clamp(variance, min=MIN_DEVIATION**2).sqrt())

    def _squares(self, waveform: Tensor) -> Tensor:
        """Return squared real and imaginary parts, `(batch, frames, n_fft // 2 + 1, 2)`."""
        n_fft = self.config.n_fft
        padded = nn.functional.pad(waveform, [n_fft // 2] * 2)
        frames = padded.unfold(1, n_fft, self.config.hop_length) * self.window
        return torch.view_as_real(torch.fft.rfft(frames)).square_()  # in place: no new memory

    def _filtered(self, squares: Tensor) -> Tensor:
        """Return the bands of squares `(batch, frames, 2 * bins)`, real and imaginary in turn."""
        return torch.cat(
            [
                nn.functional.linear(
                    squares[..., 2 * low : 2 * high], self.paired_filters[bands, 2 * low : 2 * high]
                )
                for bands, low, high in self.reach
            ],
            2,
        )


def in_parts(waveform: Tensor) -> tuple[Tensor, ...]:
    """Split a batch on the processor into `AT_ONCE` clips; a GPU takes it whole."""
    return torch.split(waveform, AT_ONCE) if waveform.device.type == "cpu" else (waveform,)


def _blocks(waveform: Tensor) -> Tensor:
    """Return the samples and zeros after them in blocks, `(batch, blocks, LEVEL_HOP)`."""
    batch, samples = waveform.shape
    count = samples // LEVEL_HOP + 1
    padded = nn.functional.pad(waveform, (0, count * LEVEL_HOP - samples))
    return padded.reshape(batch, count, LEVEL_HOP)


def _centre(weight: Tensor) -> Tensor:
    """Return the centre of blocks `(batch, blocks, LEVEL_HOP)`, a sample, `(batch, 1)`.

    Summed block by block, and then in double precision, it is the same in every runtime.
    """
    position = torch.arange(LEVEL_HOP, device=weight.device, dtype=weight.dtype)
    sums = (weight @ torch.stack([torch.ones_like(position), position], 1)).double()
    first = torch.arange(weight.shape[1], device=weight.device, dtype=sums.dtype) * LEVEL_HOP
    total = torch.clamp(sums[..., 0].sum(1, keepdim=True), min=LEAST_POWER)
    moment = (sums[..., 0] * first + sums[..., 1]).sum(1, keepdim=True)
    return (moment / total).round().long()


def _median(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor) -> Tensor:
    """Return the median of five, element by element, by operators that every runtime has."""
    low = torch.maximum(torch.minimum(a, b), torch.minimum(c, d))
    high = torch.minimum(torch.maximum(a, b), torch.maximum(c, d))
    return torch.maximum(torch.minimum(low, e), torch.minimum(torch.maximum(low, e), high))


def _masked_mean(mel: Tensor, mask: Tensor) -> Tensor:
    weight = mask[:, None].to(mel.dtype)
    return (mel * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True)


def _reach(filters: np.ndarray) -> tuple[int, int]:
    """Return the first bin, and one past the last, that any of `filters` weighs."""
    bins = np.flatnonzero(filters.any(0))
    return int(bins[0]), int(bins[-1]) + 1
