"""`EmotionResNet`, a small residual network with attention over time.

Four residual blocks with squeeze-excitation work on maps that shrink early.  Several attention
heads then weigh the frames, and each keeps a weighted mean and deviation.  Frames outside the frame
mask are zero throughout and left out of every average.

    features (batch, channels, n_mels, frames)
      └─ stem      32 x n_mels/2  x frames/2
         └─ blocks 32, 64, 128, 192 x n_mels/16 x frames/8
            └─ heads   4 x (48 means + 48 deviations)
               └─ logits (batch, classes)

He et al., 2016 (arXiv:1512.03385); Hu et al., 2018 (arXiv:1709.01507); attentive statistics after
Okabe et al., 2018 (arXiv:1803.10963).
"""

import torch
from torch import Tensor, nn

from ...config import NetworkConfig

CHANNELS = (32, 64, 128, 192)  # of the blocks, at width 1
STRIDES = ((1, 1), (2, 2), (2, 2), (2, 1))  # of the blocks along mel bands and frames
STEM = 5  # size of the first kernel; it has stride 2
CONTEXT = 16  # frames past the mask that change a logit: twice the stride of the last maps
REDUCTION = 8  # of channels in the squeeze
HEADS, HEAD_SIZE, HIDDEN = 4, 48, 96
MASKED = -1e4  # attention logit of a frame outside the mask
EPSILON = 1e-5


class EmotionResNet(nn.Module):
    """Features and their frame mask to logits.

    Args:
        config: width and dropout.
        channels: of the features.
        n_mels: rows of the features.
        classes: number of labels.
    """

    context: int | None = CONTEXT
    last_layer = "classifier"

    def __init__(self, config: NetworkConfig, channels: int, n_mels: int, classes: int) -> None:
        super().__init__()
        widths = [8 * max(1, round(channels * config.width / 8)) for channels in CHANNELS]
        self.stem = nn.Sequential(
            nn.Conv2d(channels, widths[0], STEM, 2, STEM // 2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        entering = [widths[0], *widths]
        self.blocks = nn.ModuleList(
            Block(a, b, stride) for a, b, stride in zip(entering, widths, STRIDES, strict=False)
        )
        self.pool = AttentivePool(widths[-1] * -(-n_mels // 16))
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(2 * HEADS * HEAD_SIZE, classes)

    def forward(self, features: Tensor, frame_mask: Tensor) -> Tensor:
        """Map `(batch, channels, n_mels, frames)` and `(batch, frames)` to `(batch, classes)`."""
        maps = self.stem(features)
        mask = _halve(frame_mask[:, None, None].float()).to(maps.dtype)
        maps = maps * mask
        for block in self.blocks:
            maps, mask = block(maps, mask)
        logits: Tensor = self.classifier(self.dropout(self.pool(maps, mask)))
        return logits


class Block(nn.Module):
    """Two convolutions and a squeeze-excitation beside a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.halves = stride[1] == 2
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        nn.init.zeros_(self.body[-1].weight)  # type: ignore[arg-type]  # begins as its shortcut
        self.excite = nn.Sequential(
            nn.Linear(channels_out, channels_out // REDUCTION),
            nn.ReLU(),
            nn.Linear(channels_out // REDUCTION, channels_out),
            nn.Sigmoid(),
        )
        self.shortcut = nn.Sequential()
        if channels_in != channels_out or stride != (1, 1):
            self.shortcut = nn.Sequential(
                MeanPool(stride),
                nn.Conv2d(channels_in, channels_out, 1, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, maps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Map `(batch, channels, bands, frames)` and its mask `(batch, 1, 1, frames)`."""
        mask = _halve(mask) if self.halves else mask
        change = self.body(maps)
        mean = (change.mean(2, keepdim=True) * mask).sum((2, 3)) / mask.sum((2, 3))
        change = change * self.excite(mean)[..., None, None]
        return torch.relu(change + self.shortcut(maps)) * mask, mask


class MeanPool(nn.Module):
    """Means of as many cells as a stride has; a last one that has no neighbour is its own mean."""

    def __init__(self, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(batch, channels, bands, frames)`."""
        beyond = (0, self.stride[1] - 1, 0, self.stride[0] - 1)
        return nn.functional.avg_pool2d(
            nn.functional.pad(maps, beyond, mode="replicate"), self.stride
        )


class AttentivePool(nn.Module):
    """Maps of any length to one vector: the mean and deviation under each head's attention."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.Linear(size, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HEADS))
        self.values = nn.Linear(size, HEADS * HEAD_SIZE)
        self.norm = nn.BatchNorm1d(2 * HEADS * HEAD_SIZE)

    def forward(self, maps: Tensor, mask: Tensor) -> Tensor:
        """Map `(batch, channels, bands, frames)` to `(batch, 2 * heads * size)`."""
        frames = maps.flatten(1, 2).transpose(1, 2).float()  # (batch, frames, channels * bands)
        outside = mask[:, 0, 0, :, None] == 0
        weights = self.attention(frames).masked_fill(outside, MASKED).softmax(1)[..., None]
        values = self.values(frames).unflatten(2, (HEADS, HEAD_SIZE))
        mean = (weights * values).sum(1)
        variance = (weights * (values - mean[:, None]).square()).sum(1)
        deviation = (variance + EPSILON).sqrt()
        pooled: Tensor = self.norm(torch.cat([mean.flatten(1), deviation.flatten(1)], 1))
        return pooled


def _halve(mask: Tensor) -> Tensor:
    """Halve a mask as a convolution of stride 2 does: a frame counts if either of two did."""
    return nn.functional.max_pool2d(nn.functional.pad(mask, (0, 1)), (1, 2))
