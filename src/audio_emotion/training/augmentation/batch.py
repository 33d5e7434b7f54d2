"""Augmentation of a batch of features on its device, with torch's generator: SpecAugment, mixup."""

import torch
from torch import Tensor

from ...config import AugmentConfig

MASKS = 2  # of SpecAugment, along each axis


def spec_augment(features: Tensor, config: AugmentConfig) -> Tensor:
    """Set bands and frames of each clip to zero, their mean (Park et al., arXiv:1904.08779).

    Args:
        features: `(batch, channels, n_mels, frames)`.
        config: the largest masks.
    """
    for axis, widest in [(2, config.freq_mask), (3, config.time_mask)]:
        for _ in range(MASKS if widest else 0):
            shape = (len(features), 1, 1, 1)
            size = features.shape[axis]
            width = torch.randint(0, widest + 1, shape)
            start = (torch.rand(shape) * (size - width + 1)).floor()
            cell = torch.arange(size).view((1, 1, size, 1) if axis == 2 else (1, 1, 1, size))
            masked = (cell >= start) & (cell < start + width)
            features = features.masked_fill(masked.to(features.device, non_blocking=True), 0)
    return features


def draw_mixup(batch: int, alpha: float) -> tuple[float, Tensor]:
    """Draw the share that each clip keeps, and its partner that gives the rest.

    Zhang et al., arXiv:1710.09412; with `alpha` 0 clips stay as they are.  The share is at least a
    half, which makes the same pairs but keeps each clip's own label the main one.
    """
    if not alpha:
        return 1.0, torch.arange(batch)
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    return max(share, 1 - share), torch.randperm(batch)


def mix(values: Tensor, share: float, partner: Tensor) -> Tensor:
    """Return `share` of each of `values` plus the rest of its partner."""
    return values if share == 1 else torch.lerp(values[partner], values, share)
