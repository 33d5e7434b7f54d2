"""The mel scale, and filters that are evenly spaced on it."""

import math

import numpy as np


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Map Hz to Slaney's mel scale, linear below 1 kHz and logarithmic above (1998)."""
    linear = hz * 3 / 200
    logarithmic = 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / math.log(6.4)
    return np.where(hz < 1000, linear, logarithmic)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Invert `hz_to_mel`."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * math.log(6.4) / 27))


def mel_filters(sampling_rate: int, n_fft: int, n_mels: int, warp: float = 1) -> np.ndarray:
    """Return triangular filters of equal area on the mel scale, from 0 Hz to the Nyquist frequency.

    With a `warp` other than 1 the filters respond as if every frequency of the spectrum were
    multiplied by it (vocal tract length perturbation, Jaitly and Hinton, 2013).

    Returns:
        Weights `(n_mels, n_fft // 2 + 1)`, float32; the area of each triangle is 1 in Hz.
    """
    bins = warp * np.linspace(0, sampling_rate / 2, n_fft // 2 + 1)
    edges = filter_edges(sampling_rate, n_mels)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    weights: np.ndarray = (triangles * 2 * warp / (high - low)).astype(np.float32)
    return weights


def band_centres(sampling_rate: int, n_mels: int) -> np.ndarray:
    """Return the frequency in Hz at which each of `mel_filters` peaks, `(n_mels,)`."""
    return filter_edges(sampling_rate, n_mels)[1:-1]


def filter_edges(sampling_rate: int, n_mels: int) -> np.ndarray:
    """Return where filters begin, peak and end: `(n_mels + 2,)` in Hz, evenly spaced in mel."""
    top = hz_to_mel(np.array(sampling_rate / 2)).item()
    return mel_to_hz(np.linspace(0, top, n_mels + 2))
