"""Augmentation of waveforms in a batch, with torch's generator: pitch, tempo, noise."""

import math

import torch
from torch import Tensor, nn

from ...config import AugmentConfig
from ..features.frontend import hann
from .spectral import take_frames

N_FFT = 1024  # samples
HOP = N_FFT // 4
OVERLAP = 1.5  # sum of the squared windows over a sample
AT_ONCE = 1 << 23  # samples changed at a time, which takes about a gigabyte


def augment_waveforms(waveforms: Tensor, config: AugmentConfig) -> Tensor:
    """Shift, stretch and add noise, each with probability `waveform_p`.

    Args:
        waveforms: `(batch, samples)`; zeros after a clip stay zeros.
        config: probability and ranges.

    Returns:
        Waveforms `(batch, samples)`, more than before if a clip is slower.
    """
    if not config.waveform_p:
        return waveforms
    length = _length(waveforms)
    semitones, speed = draw_pitch_and_speed(len(waveforms), config)
    changed = ((semitones != 0) | (speed != 1)).nonzero()[:, 0]
    original, at_once = waveforms, max(1, AT_ONCE // waveforms.shape[1])
    for first in range(0, len(changed), at_once):
        few = changed[first : first + at_once]
        rows = few.to(waveforms.device, non_blocking=True)
        shifted = shift_and_stretch(original[rows], semitones[few], speed[few])
        longer = max(shifted.shape[1], waveforms.shape[1])
        waveforms = _padded(waveforms, longer).index_copy(0, rows, _padded(shifted, longer))
    length = length / speed[:, None].to(length.device, non_blocking=True)
    inside = torch.arange(waveforms.shape[1], device=waveforms.device) < length
    return add_noise(waveforms * inside, inside, config)


def draw_pitch_and_speed(batch: int, config: AugmentConfig) -> tuple[Tensor, Tensor]:
    """Draw semitones and a speed factor for each clip, neutral unless its probability strikes."""
    semitones = (2 * torch.rand(batch) - 1) * config.pitch_semitones
    speed = 1 + (2 * torch.rand(batch) - 1) * config.stretch
    pitched, stretched = torch.rand(2, batch) < config.waveform_p
    return torch.where(pitched, semitones, 0), torch.where(stretched, speed, 1)


def shift_and_stretch(waveforms: Tensor, semitones: Tensor, speed: Tensor) -> Tensor:
    """Return clips shifted by `semitones` and `speed` times as fast.

    A phase vocoder (Flanagan and Golden, 1966) changes how long a clip lasts, and resampling the
    result changes its pitch and length together.

    Args:
        waveforms: `(batch, samples)`.
        semitones: `(batch,)`, on the processor, which derives sizes from it.
        speed: `(batch,)`, likewise.

    Returns:
        Waveforms `(batch, samples at the least speed)`; faster clips are followed by silence.
    """
    pitch = 2 ** (semitones / 12)
    samples = math.ceil(waveforms.shape[1] / speed.min().item())
    pitch_on, rate = (v.to(waveforms.device, non_blocking=True) for v in (pitch, speed / pitch))
    most = math.ceil((waveforms.shape[1] // HOP + 2) * (pitch / speed).max().item())
    return _interpolated(_vocoded(waveforms, rate, most), pitch_on, samples)


def add_noise(waveforms: Tensor, inside: Tensor, config: AugmentConfig) -> Tensor:
    """Add white Gaussian noise of `config.noise` times a clip's maximum, with its probability.

    Args:
        waveforms: `(batch, samples)`.
        inside: `(batch, samples)`, whether a sample belongs to its clip.
        config: probability and deviation.
    """
    struck = (torch.rand(len(waveforms), 1) < config.waveform_p).float() * config.noise
    deviation = struck.to(waveforms.device, non_blocking=True) * waveforms.abs().amax(1, True)
    return waveforms + torch.randn_like(waveforms) * (deviation * inside)


def _vocoded(waveforms: Tensor, rate: Tensor, most: int) -> Tensor:
    """Return clips `rate` times as fast at the same pitch, from `most` frames."""
    device = waveforms.device
    window = torch.from_numpy(hann(N_FFT)).to(device, non_blocking=True)
    padded = nn.functional.pad(waveforms, (N_FFT // 2, N_FFT // 2 + HOP))  # two frames at least
    frames = padded.unfold(1, N_FFT, HOP)
    spectrum = torch.fft.rfft(frames * window)  # (batch, frames, bins)
    magnitude, phase = spectrum.abs(), spectrum.angle()
    position = torch.arange(most, device=device) * rate[:, None]  # (batch, most)
    last = magnitude.shape[1] - 1
    before = position.floor().long().clamp(max=last - 1)
    share = (position - before).clamp(max=1)[..., None]
    volume = torch.lerp(take_frames(magnitude, before), take_frames(magnitude, before + 1), share)
    volume = volume * (position <= last)[..., None]
    steps = take_frames(phase.diff(dim=1), before)
    turned = phase[:, :1] + steps.cumsum(1) - steps
    made = torch.fft.irfft(torch.polar(volume, turned)) * window / OVERLAP
    quarters = made.unflatten(2, (-1, HOP))  # (batch, most, 4, HOP)
    parts = quarters.shape[2]
    joined = sum(
        nn.functional.pad(quarters[:, :, n], (0, 0, n, parts - 1 - n)) for n in range(parts)
    )
    assert isinstance(joined, Tensor)
    return joined.flatten(1)[:, N_FFT // 2 :]


def _interpolated(waveforms: Tensor, rate: Tensor, samples: int) -> Tensor:
    """Read waveforms at `rate` by cubic interpolation (Catmull and Rom, 1974)."""
    number = torch.arange(samples, device=waveforms.device)
    ahead = number * (rate[:, None] - 1)  # `number * rate` itself is too long for float32
    whole = ahead.floor()
    x = ahead - whole
    padded = nn.functional.pad(waveforms, (1, 3))
    index = (number + whole.long()).clamp(max=waveforms.shape[1] - 1)
    a, b, c, d = (padded.gather(1, index + n) for n in range(4))
    return b + x / 2 * (c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a)))


def _length(waveforms: Tensor) -> Tensor:
    """Return the samples of each clip up to the last that is not zero, `(batch, 1)`."""
    number = torch.arange(1, waveforms.shape[1] + 1, device=waveforms.device)
    return torch.where(waveforms != 0, number, 0).amax(1, True)


def _padded(waveforms: Tensor, samples: int) -> Tensor:
    return nn.functional.pad(waveforms, (0, samples - waveforms.shape[1]))
