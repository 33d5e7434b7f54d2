"""Mel power by small matrices alone, for the exported graph.

A Fourier transform of `rows * columns` samples in two steps (Cooley and Tukey, 1965): each frame is
written into a table row by row, its columns are transformed, turned, and then its rows.  Both steps
are products with small matrices, at which every runtime is fast; ONNX Runtime's own STFT takes four
times as long (docs/notes/006-fourier-by-matrices.md).  A real signal needs only half of the first
step's frequencies.  The bins come out in another order, and the mel filters are laid out in it too.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ...config import FrontendConfig
from .frontend import hann
from .mel import mel_filters


class MelPower(nn.Module):
    """`Frontend.mel_power` computed in another way, for front ends that it `fits`."""

    def __init__(self, config: FrontendConfig) -> None:
        super().__init__()
        self.config = config
        n = config.n_fft
        self.rows, self.columns = table_shape(n)
        kept = np.arange(self.rows // 2 + 1)  # frequencies of a column
        down, turn, along = (
            _angles(kept, np.arange(self.rows), self.rows),
            _angles(kept, np.arange(self.columns), n),
            _angles(np.arange(self.columns), np.arange(self.columns), self.columns),
        )
        bins = kept[:, None] + self.rows * np.arange(self.columns)
        self.bins = np.minimum(bins, n - bins).ravel()  # frequency of each column of a spectrum
        _, first = np.unique(self.bins, return_index=True)
        # A bin that comes twice counts once.
        filters = np.zeros((len(self.bins), config.n_mels), np.float32)
        filters[first] = mel_filters(config.sampling_rate, n, config.n_mels).T
        for name, value in [
            ("window", hann(n)),
            ("down", np.stack([np.cos(down), np.sin(down)], 1).reshape(-1, self.rows)),
            ("turn_real", np.cos(turn)),
            ("turn_imaginary", np.sin(turn)),
            ("along", np.block([[np.cos(along), np.sin(along)], [-np.sin(along), np.cos(along)]])),
            ("filters", filters),
        ]:
            self.register_buffer(name, torch.from_numpy(value.astype(np.float32)), persistent=False)
        self.window: Tensor
        self.down: Tensor
        self.turn_real: Tensor
        self.turn_imaginary: Tensor
        self.along: Tensor
        self.filters: Tensor

    @staticmethod
    def fits(config: FrontendConfig) -> bool:
        """Return whether frames consist of whole hops."""
        return config.n_fft % config.hop_length == 0

    def forward(self, waveform: Tensor) -> Tensor:
        """Map `(batch, samples)` to mel power `(batch, frames, n_mels)`."""
        return self.bands(self.spectrum(waveform))

    def bands(self, spectrum: Tensor) -> Tensor:
        """Map power spectra `(batch, frames, columns)` to mel power `(batch, frames, n_mels)`."""
        return spectrum @ self.filters

    def spectrum(self, waveform: Tensor) -> Tensor:
        """Map `(batch, samples)` to power spectra `(batch, frames, columns)`; see `bins`."""
        frames = self.frames(waveform) * self.window
        batch, count = frames.shape[:2]
        down = self.down @ frames.reshape(batch, count, self.rows, self.columns)
        down = down.reshape(batch, count, -1, 2, self.columns)  # 2: real, imaginary
        real, imaginary = down[..., 0, :], down[..., 1, :]
        turned = [
            real * self.turn_real - imaginary * self.turn_imaginary,
            real * self.turn_imaginary + imaginary * self.turn_real,
        ]
        spectrum = torch.cat(turned, 3) @ self.along
        real, imaginary = torch.split(spectrum, self.columns, 3)
        squares = real * real + imaginary * imaginary
        return squares.flatten(2)

    def frames(self, waveform: Tensor) -> Tensor:
        """Cut overlapping frames, zeros beyond both ends: `(batch, frames, n_fft)`."""
        n, hop = self.config.n_fft, self.config.hop_length
        padded = nn.functional.pad(waveform, (n // 2, n // 2))
        frames, hops = 1 + (padded.shape[1] - n) // hop, n // hop
        side_by_side = padded[:, : (frames + hops - 1) * hop].reshape(padded.shape[0], -1, hop)
        return torch.cat([side_by_side[:, first : first + frames] for first in range(hops)], 2)


def table_shape(n: int) -> tuple[int, int]:
    """Return rows and columns of `n` cells, as equal as `n` allows, with no fewer rows."""
    columns = max(size for size in range(1, math.isqrt(n) + 1) if n % size == 0)
    return n // columns, columns


def _angles(first: np.ndarray, second: np.ndarray, n: int) -> np.ndarray:
    angles: np.ndarray = -2 * np.pi * np.outer(first, second) / n
    return angles
