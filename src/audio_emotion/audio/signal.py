"""Signals: mono float32 arrays with full scale at 1, and how they come from other arrays."""

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from ..errors import AudioError

Signal: TypeAlias = npt.NDArray[np.float32]

MIN_RATE, MAX_RATE = 1_000, 768_000  # Hz; telephones use 8000, the fastest converters 768000
LOUDEST = 8.0  # amplitude from which floats are taken for another full scale than 1
STRAY = 1e4  # a peak so much above all but a thousandth of the samples is no sound


def as_signal(signal: npt.ArrayLike, sampling_rate: float, *, whole: bool = True) -> Signal:
    """Return `signal` as float32 `(samples,)` with full scale at 1.

    Integers of 8 and 16 bits have their own full scale.  Wider ones, and lists, are taken for 16,
    24 or 32 bits, whichever is the least that holds them.  Floats far above 1 are scaled down.

    Args:
        signal: `(samples,)`.
        sampling_rate: in Hz, as `check_rate`.
        whole: whether this is a whole recording, so that floats can be scaled by their peak.

    Raises:
        AudioError: it is empty, not one-dimensional, not numeric, or holds NaN or infinity; or the
            sampling rate is bad; or a sample is out of all proportion to the rest.
    """
    check_rate(sampling_rate)
    array = np.asarray(signal)
    if array.ndim != 1:
        raise AudioError(
            f"the signal has shape {array.shape}; pass one channel, (samples,), such as the mean"
        )
    if not array.size:
        raise AudioError("the signal holds no samples")
    if array.dtype.kind in "iu":
        return _from_integers(array)
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise AudioError("the signal holds NaN, infinite or non-numeric samples")
    peak = float(np.abs(array).max())
    if peak > LOUDEST:
        array = _scaled_down(array, peak, whole)
    return np.ascontiguousarray(array, np.float32)


def check_rate(sampling_rate: float) -> None:
    """Refuse a sampling rate that no recording has.

    Raises:
        AudioError: it is not a number, or not `MIN_RATE` to `MAX_RATE` Hz.
    """
    number = isinstance(sampling_rate, int | float | np.integer | np.floating)
    if not number or isinstance(sampling_rate, bool) or not MIN_RATE <= sampling_rate <= MAX_RATE:
        raise AudioError(
            f"the sampling rate is {sampling_rate!r}; give {MIN_RATE} to {MAX_RATE} Hz"
        )


def _from_integers(array: npt.NDArray[Any]) -> Signal:
    bits = 8 * array.dtype.itemsize
    middle = 0
    if array.dtype.kind == "u":
        middle = 1 << (bits - 1)
    elif bits > 16:
        peak = max(int(array.max()), -int(array.min()))
        bits = next((width for width in (16, 24, 32) if peak <= 1 << (width - 1)), 0)
        if not bits:
            raise AudioError(f"the signal holds {peak}, more than 32 bits; pass floats below 1")
    full_scale = (1 << (bits - 1)) - 1
    return ((array.astype(np.float64) - middle) / full_scale).astype(np.float32)


def _scaled_down(array: npt.NDArray[Any], peak: float, whole: bool) -> npt.NDArray[Any]:
    """Scale floats that were meant for another full scale; refuse one stray sample."""
    if not whole:
        raise AudioError(
            f"samples reach {peak:.3g}; pass floats whose full scale is 1, or integers"
        )
    common = float(np.quantile(np.abs(array), 0.999))
    if common < peak / STRAY:
        raise AudioError(
            f"a sample of {peak:.3g} is out of all proportion to the others ({common:.3g}); "
            "repair the recording"
        )
    return array / peak


def resample(signal: Signal, sampling_rate: int, target_rate: int) -> Signal:
    """Resample to `target_rate` Hz by soxr's high-quality band-limited interpolation.

    >>> resample(np.zeros(8000, np.float32), 8000, 16000).size
    16000
    """
    import soxr

    if sampling_rate == target_rate:
        return signal
    return cast(Signal, soxr.resample(signal, sampling_rate, target_rate).astype(np.float32))


def to_samples(seconds: float, sampling_rate: int) -> int:
    """Round seconds to whole samples; the only place where that is done.

    >>> to_samples(0.5, 22_050)
    11025
    """
    return round(seconds * sampling_rate)
