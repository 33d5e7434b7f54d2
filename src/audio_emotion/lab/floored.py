"""A network that hears a steady floor of noise beneath every clip, the same in any room.

A studio and an office differ in what lies beneath a voice, and a network learns the room with the
voice.  Pink noise, its mean and not a draw, laid under every clip covers both, and the voice ends
where it is well above it; `docs/notes/014-another-corpus.md`.  What is laid on can be laid onto the
picture, so networks with and without a floor share one front end, and sit in one committee.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..config import FrontendConfig
from .frontend import TRIM_FRAME, Frontend, pink_noise, steady_floor
from .resnet import VoiceResNet

FLOOR_DB = 15.0  # of the noise below the voice's mean power
TRIM_DB = 20.0  # below the loudest frame, where the voice ends
LEAST = 1e-12  # of the loudest cell's power, what is left of frames that do not count


class Floored(nn.Module):
    """Pictures as `Frontend` makes them, given to a network as if noise lay under the clip.

    Args:
        network: what looks at the pictures.
        frontend: what they are; their first two channels are mel dB and those less each band's
            mean.
    """

    def __init__(self, network: VoiceResNet, frontend: FrontendConfig) -> None:
        super().__init__()
        self.network = network
        self.past = network.past
        widths, pink = pink_noise(frontend)
        hops = TRIM_FRAME // frontend.hop_length  # as long a frame as where silence is found
        self.smooth = nn.AvgPool1d(2 * (hops // 2) + 1, 1, hops // 2)
        self.register_buffer("widths", torch.from_numpy(widths), persistent=False)
        floor = torch.from_numpy(pink) * 10 ** (-FLOOR_DB / 10)
        self.register_buffer("floor", floor, persistent=False)
        self.register_buffer("mean", torch.zeros(2, frontend.n_mels, 1))  # see `scale`
        self.register_buffer("deviation", torch.ones(2, frontend.n_mels, 1))
        self.widths: Tensor
        self.floor: Tensor
        self.mean: Tensor
        self.deviation: Tensor

    def scale(self, frontend: Frontend) -> None:
        """Take over the mean and deviation that the pictures are normalised by."""
        self.mean.copy_(frontend.mean[:2])
        self.deviation.copy_(frontend.deviation[:2])

    def forward(self, pictures: Tensor, counted: Tensor) -> Tensor:
        """As the network: `(batch, channels, n_mels, frames)` → logits `(batch, classes)`."""
        logits: Tensor = self.network(*self.view(pictures, counted))
        return logits

    def set_dropout(self, active: bool) -> None:
        """Switch the network's dropout."""
        self.network.set_dropout(active)

    def view(self, pictures: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures with the floor, and which of their frames count."""
        decibel = pictures[:, 0].float() * self.deviation[0] + self.mean[0]
        power = torch.exp(decibel * (math.log(10) / 10)) * counted[:, None]
        counted = counted & self.voiced(power)
        weight = counted[:, None].to(power.dtype)
        power = (power + steady_floor(power, counted, self.widths, self.floor)) * weight
        decibel = torch.clamp(power / power.amax((1, 2), keepdim=True), min=LEAST).log10() * 10
        mean = (decibel * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True)
        contrast = decibel - mean
        heard = (torch.stack([decibel, contrast], 1) - self.mean) / self.deviation
        view = torch.cat([heard, pictures[:, 2:].to(heard.dtype)], 1) * counted[:, None, None]
        return view.contiguous(memory_format=torch.channels_last), counted

    def voiced(self, power: Tensor) -> Tensor:
        """From the first to the last frame that is not silent, `(batch, frames)`.

        Args:
            power: of mel bands, `(batch, n_mels, frames)`, on any scale.
        """
        loudness = self.smooth((power * self.widths[:, None]).sum(1, keepdim=True))[:, 0]
        threshold = loudness.amax(1, keepdim=True) * 10 ** (-TRIM_DB / 10)
        heard = (loudness >= threshold).float()
        begun, unfinished = heard.cumsum(1), heard.flip(1).cumsum(1).flip(1)
        inside: Tensor = (begun > 0) & (unfinished > 0)
        return inside
