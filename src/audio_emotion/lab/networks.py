"""The networks that name the emotion of a picture: the reference here, the small one in `resnet`.

`DeepAudioEmotionCNN` is the reference system's: five blocks of two 3x3 convolutions, pooled to one
vector, then four fully connected layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ..config import FrontendConfig, NetworkConfig
from ..labels import EMOTIONS
from .floored import Floored
from .resnet import VoiceResNet

CHANNELS = (64, 128, 256, 512, 512)  # of the five blocks, at width 1
HIDDEN = (512, 256, 128)  # of the fully connected layers, at any width


Network: TypeAlias = "DeepAudioEmotionCNN | VoiceResNet | Floored | Committee"


def make_network(
    config: NetworkConfig, frontend: FrontendConfig, classes: int = len(EMOTIONS)
) -> Network:
    """The network of a configuration, for the pictures of its front end."""
    if config.members > 1:
        return Committee(
            make_network(config.of_member(number), frontend, classes)
            for number in range(config.members)
        )
    if config.kind == "resnet":
        network = VoiceResNet(config, frontend.channels, frontend.n_mels, classes)
        return Floored(network, frontend) if config.floored else network
    return DeepAudioEmotionCNN(config, frontend.channels, classes)


class Committee(nn.Module):
    """Networks that look at the same picture, and answer with the mean of their logits.

    So their probabilities' geometric mean, which no factor that one of them adds to all changes
    (Hansen and Salamon, 1990, for why the mistakes of several trainings cancel in part).  Each
    learns as if it stood alone, since what is taught together errs together.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.past: int | None = self.members[0].past  # type: ignore[assignment]

    def forward(self, pictures: Tensor, counted: Tensor) -> Tensor:
        """As each member: `(batch, channels, n_mels, frames)` → logits `(batch, classes)`."""
        answers = torch.stack([member(pictures, counted) for member in self.members])
        return answers.mean(0)

    def set_dropout(self, active: bool) -> None:
        """Switch every member's dropout."""
        for member in self.members:
            member.set_dropout(active)  # type: ignore[operator]


def members(network: Network) -> tuple[Network, ...]:
    """The networks that learn each for itself: a committee's, or the one."""
    return tuple(network.members) if isinstance(network, Committee) else (network,)  # type: ignore[arg-type]


class DeepAudioEmotionCNN(nn.Module):
    """Log-mel + MFCC pictures to logits over the emotions.

    Args:
        config: width and dropout.
        channels: pictures stacked in the input, 2 for log-mel + MFCC.
        classes: number of labels.
    """

    past: int | None = None  # frames past the voice that change an answer: all of them

    def __init__(
        self, config: NetworkConfig, channels: int = 2, classes: int = len(EMOTIONS)
    ) -> None:
        super().__init__()
        self.config = config
        widths = [channels, *(round(width * config.width) for width in CHANNELS)]
        blocks = pairwise(widths)
        self.features = nn.Sequential(*(_block(a, b, config.block_dropout) for a, b in blocks))
        sizes = [widths[-1], *HIDDEN]
        layers = [
            nn.Sequential(nn.Linear(a, b), nn.ReLU(inplace=True), nn.Dropout(config.dropout))
            for a, b in pairwise(sizes)
        ]
        self.classifier = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], classes))
        self.apply(_initialise)

    def forward(self, pictures: Tensor, counted: Tensor | None = None) -> Tensor:
        """`(batch, channels, n_mels, frames)` → logits `(batch, classes)`; every frame counts."""
        maps = self.features(pictures)  # (batch, 512 * width, n_mels / 32, frames / 32)
        logits: Tensor = self.classifier(maps.mean((2, 3)))
        return logits

    def set_dropout(self, active: bool) -> None:
        """Switch every dropout layer to its configured probability, or off."""
        for layer in self.features.modules():
            if isinstance(layer, nn.Dropout2d):
                layer.p = self.config.block_dropout if active else 0.0
        for layer in self.classifier.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = self.config.dropout if active else 0.0


def _block(channels_in: int, channels_out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(channels_in, channels_out),
        *_convolution(channels_out, channels_out),
        nn.MaxPool2d(2),
        nn.Dropout2d(dropout),
    )


def _convolution(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    """The bias is left to the batch norm, which would cancel it."""
    return (
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def _initialise(module: nn.Module) -> None:
    """He et al., 2015 (arXiv:1502.01852): variance kept through ReLU layers."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
