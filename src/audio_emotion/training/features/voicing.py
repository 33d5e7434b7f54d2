"""How much the loud frames of a clip repeat themselves, as voices do and noise does not.

The autocorrelation is that of the amplitudes, not the powers, of the spectrum, so the colour of a
noise hardly matters.

T. Tolonen and M. Karjalainen, 2000: A computationally efficient multipitch analysis model, IEEE
Transactions on Speech and Audio Processing 8(6).
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...config import FrontendConfig

BAND = (150, 3500)  # Hz in which a voice repeats itself, by telephone too
PITCH = (70, 500)  # Hz of voices
LOUD = 0.05  # of the power of the loudest frame
FRAMES = 3  # that have to be voiced
EVERY = 2  # frames; neighbours overlap
LEAST = 1e-20  # amplitude that a silent frame is divided by


class Voicing(nn.Module):
    """Power spectra to a score of voicing.

    Args:
        config: of the spectra.
        bins: the frequency that each column of a spectrum holds, as a number of `rfft`; a
            frequency that comes twice counts once.
    """

    def __init__(self, config: FrontendConfig, bins: npt.NDArray[np.int64]) -> None:
        super().__init__()
        hertz = config.sampling_rate / config.n_fft
        inside = np.arange(int(np.ceil(BAND[0] / hertz)), int(BAND[1] / hertz) + 1)
        columns = np.array([np.flatnonzero(bins == number)[0] for number in inside])
        shortest, longest = (config.sampling_rate // pitch for pitch in reversed(PITCH))
        lags = np.arange(shortest, longest + 1)
        matrix = np.cos(2 * np.pi * np.outer(inside, lags) / config.n_fft)
        self.register_buffer("columns", torch.from_numpy(columns), persistent=False)
        self.register_buffer("matrix", torch.from_numpy(matrix).float(), persistent=False)
        self.columns: Tensor
        self.matrix: Tensor

    def forward(self, power: Tensor) -> Tensor:
        """Map power spectra `(batch, frames, columns)` to `(batch, 1)` in [-1, 1].

        It is the autocorrelation, at the period where it is largest, of the third-best frame.
        """
        inside = power[:, ::EVERY][..., self.columns]  # (batch, frames, bins of the band)
        energy = inside.sum(2)
        amplitude = inside.sqrt()
        alike = (amplitude @ self.matrix).amax(2) / torch.clamp(amplitude.sum(2), min=LEAST)
        loud = energy > LOUD * energy.amax(1, keepdim=True)
        best = torch.where(loud, alike, -1).topk(FRAMES, 1).values
        return best[:, -1:]
