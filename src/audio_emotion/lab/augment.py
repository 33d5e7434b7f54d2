"""What training does to clips so that they are never quite the same.

On the waveform, with a numpy generator of the clip's own: pitch, tempo, noise.  On a batch of
pictures, with torch's generator, where they lie: circular shift, SpecAugment, mixup.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ..audio import Signal
from ..config import AugmentConfig


def draw_rendition(config: AugmentConfig, rng: np.random.Generator) -> dict[str, float]:
    """Pitch in semitones and speed as a factor, each neutral unless its probability strikes."""
    semitones = rng.uniform(-config.pitch_semitones, config.pitch_semitones)
    speed = rng.uniform(1 - config.stretch, 1 + config.stretch)
    pitched, stretched = rng.random(2) < (config.pitch_p, config.stretch_p)
    return {
        "semitones": round(semitones, 3) if pitched else 0.0,
        "speed": round(speed, 4) if stretched else 1.0,
    }


def render(signal: Signal, sampling_rate: int, semitones: float, speed: float) -> Signal:
    """`signal` sung `semitones` higher and `speed` times as fast, in its original length.

    Both happen in one pass of the Signalsmith stretcher.  A longer result loses both ends alike, a
    shorter one gets zeros at both.
    """
    import python_stretch

    if semitones == 0 and speed == 1:
        return signal
    stretcher: Any = python_stretch.Signalsmith.Stretch(0)
    stretcher.preset(1, float(sampling_rate))
    stretcher.setTransposeSemitones(semitones)
    stretcher.setTimeFactor(speed)
    return fix_length(stretcher.process(signal[None])[0], len(signal))


def fix_length(signal: Signal, samples: int) -> Signal:
    """The middle `samples` of `signal`, or `signal` in the middle of so many.

    >>> fix_length(np.ones(2, np.float32), 4)
    array([0., 1., 1., 0.], dtype=float32)
    """
    surplus = len(signal) - samples
    if surplus >= 0:
        return signal[surplus // 2 : surplus // 2 + samples]
    return np.pad(signal, (-surplus // 2, -surplus - -surplus // 2))


def add_noise(signal: Signal, config: AugmentConfig, rng: np.random.Generator) -> Signal:
    """White Gaussian noise of `config.noise` times the maximum, if its probability strikes."""
    if rng.random() >= config.noise_p or not config.noise:
        return signal
    noise = rng.standard_normal(len(signal), np.float32)
    return cast(Signal, signal + noise * np.float32(config.noise * np.abs(signal).max()))


def shift(pictures: Tensor, most_frames: int) -> Tensor:
    """Each picture rolled along time by up to `most_frames` either way."""
    if not most_frames:
        return pictures
    steps = torch.randint(-most_frames, most_frames + 1, (len(pictures), 1, 1, 1))
    frame = torch.arange(pictures.shape[3])
    index = torch.remainder(frame - steps, pictures.shape[3]).to(pictures.device)
    return pictures.gather(3, index.expand_as(pictures))


def spec_augment(pictures: Tensor, config: AugmentConfig) -> Tensor:
    """Bands and stretches of each picture set to zero, its mean (Park et al., arXiv:1904.08779)."""
    for axis, widest in [(2, config.freq_mask), (3, config.time_mask)]:
        for _ in range(config.masks if widest else 0):
            shape = (len(pictures), 1, 1, 1)
            size = pictures.shape[axis]
            width = torch.randint(0, widest + 1, shape)
            start = (torch.rand(shape) * (size - width + 1)).floor()
            cell = torch.arange(size).view((1, 1, size, 1) if axis == 2 else (1, 1, 1, size))
            masked = (cell >= start) & (cell < start + width)
            pictures = pictures.masked_fill(masked.to(pictures.device), 0)
    return pictures


def draw_mixup(batch: int, alpha: float) -> tuple[float, Tensor]:
    """Share that a clip keeps, and the clip that gives the rest, for each of a batch.

    Zhang et al., arXiv:1710.09412; with `alpha` 0 each clip stays as it is.  The share is never
    less than a half, which makes the same pairs: so a clip's own label is what is mostly heard.
    """
    if not alpha:
        return 1.0, torch.arange(batch)
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    return max(share, 1 - share), torch.randperm(batch)


def mix(values: Tensor, share: float, partner: Tensor) -> Tensor:
    """`share` of each of `values`, and the rest of its partner."""
    return values if share == 1 else torch.lerp(values[partner], values, share)
