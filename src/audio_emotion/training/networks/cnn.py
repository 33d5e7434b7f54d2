"""`DeepAudioEmotionCNN`, the network of the reference system.

features (batch, channels, n_mels, frames)
  └─ 5 blocks of two 3x3 convolutions and a 2x2 maximum: 64, 128, 256, 512, 512 maps
     └─ mean over each map
        └─ fully connected layers of 512, 256, 128
           └─ logits (batch, classes)
"""

from itertools import pairwise

from torch import Tensor, nn

from ...config import NetworkConfig

CHANNELS = (64, 128, 256, 512, 512)  # of the five blocks, at width 1
HIDDEN = (512, 256, 128)  # of the fully connected layers, at any width


class DeepAudioEmotionCNN(nn.Module):
    """Features to logits.

    Args:
        config: width and dropout.
        channels: of the features, 2 for log-mel and MFCC.
        classes: number of labels.
    """

    context: int | None = None  # frames past a clip's end that change a logit: all of them

    def __init__(self, config: NetworkConfig, channels: int, classes: int) -> None:
        super().__init__()
        widths = [channels, *(max(1, round(width * config.width)) for width in CHANNELS)]
        blocks = pairwise(widths)
        self.features = nn.Sequential(*(_block(a, b, config.block_dropout) for a, b in blocks))
        sizes = [widths[-1], *HIDDEN]
        layers = [
            nn.Sequential(nn.Linear(a, b), nn.ReLU(inplace=True), nn.Dropout(config.dropout))
            for a, b in pairwise(sizes)
        ]
        self.classifier = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], classes))
        self.apply(_initialise)

    @property
    def last_layer(self) -> str:
        """Name of the layer whose rows are the labels."""
        return f"classifier.{len(HIDDEN)}"

    def forward(self, features: Tensor, frame_mask: Tensor | None = None) -> Tensor:
        """Map `(batch, channels, n_mels, frames)` to logits `(batch, classes)`.

        Every frame counts; `frame_mask` is ignored.
        """
        maps = self.features(features)  # (batch, 512 * width, n_mels / 32, frames / 32)
        logits: Tensor = self.classifier(maps.mean((2, 3)))
        return logits


def _block(channels_in: int, channels_out: int, dropout: float) -> nn.Sequential:
    """Return two convolutions and their maximum.

    The maximum comes before its ReLU, which gives the same and has a quarter to do.
    """
    return nn.Sequential(
        *_convolution(channels_in, channels_out),
        nn.ReLU(inplace=True),
        *_convolution(channels_out, channels_out),
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
        nn.Dropout2d(dropout),
    )


def _convolution(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    """Return a convolution without a bias, which its batch norm would cancel."""
    return (
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
    )


def _initialise(module: nn.Module) -> None:
    """Keep the variance through ReLU layers (He et al., 2015, arXiv:1502.01852)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
