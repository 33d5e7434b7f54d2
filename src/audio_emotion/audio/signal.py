"""Signals: mono float32 arrays with full scale at 1, and how they come from other arrays."""

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from ..errors import AudioError

Signal: TypeAlias = npt.NDArray[np.float32]

MIN_RATE, MAX_RATE = 1_000, 768_000  # Hz; telephones use 8000, the fastest converters 768000
FULL_SCALE = 0.999  # amplitude from which a sample counts as clipped
CLIPPED = 1e-3  # share of samples at full scale that deserves a warning
LOUDEST = 8.0  # amplitude from which floats are taken for another full scale than 1
STRAY = 1e4  # a peak so much above nearly all samples is no sound
STRAY_SHARE = 1e-3  # of the samples, that come nearer to a peak of sound
COUNTED = 1 << 13  # samples of a block that are counted at least, if it has as many
SMALLEST, LARGEST = -16, 1024  # exponents of two that `PeakMeter` tells apart: LOUDEST / STRAY, up


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
    meter = PeakMeter()
    meter.add(array)
    if meter.peak > LOUDEST:
        if not whole:
            raise AudioError(
                f"samples reach {meter.peak:.3g}; pass floats whose full scale is 1, or integers"
            )
        meter.check()
        array = array / meter.peak
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


class PeakMeter:
    """The peak of consecutive blocks, and whether it is out of all proportion to the rest.

    Attributes:
        peak: the largest amplitude so far.
    """

    def __init__(self) -> None:
        self.peak = 0.0
        self._counts = np.zeros(LARGEST - SMALLEST + 1, np.int64)  # by the exponent of two

    def add(self, block: npt.NDArray[Any]) -> None:
        """Measure the next block of finite floats; some of a long block stand for all of it."""
        self.peak = max(self.peak, float(np.abs(block).max(initial=0)))
        step = max(1, len(block) // COUNTED)
        exponents = np.clip(np.frexp(block[::step])[1], SMALLEST, LARGEST) - SMALLEST
        self._counts += step * np.bincount(exponents, minlength=len(self._counts))

    def check(self, name: str = "") -> None:
        """Refuse a stray sample.

        Args:
            name: of the recording, if it has one, for the error.

        Raises:
            AudioError: the peak is above `LOUDEST`, and hardly any other sample comes near it.
        """
        if self.peak <= LOUDEST:
            return
        near = self._counts[np.frexp(self.peak / STRAY)[1] - SMALLEST :].sum()
        if near < STRAY_SHARE * self._counts.sum():
            whose = f"{name}: " if name else ""
            raise AudioError(
                f"{whose}a sample of {self.peak:.3g} is out of all proportion to the others; "
                "repair the recording"
            )


def resample(signal: Signal, sampling_rate: int, target_rate: int) -> Signal:
    """Resample to `target_rate` Hz by soxr's high-quality band-limited interpolation.

    >>> resample(np.zeros(8000, np.float32), 8000, 16000).size
    16000
    """
    import soxr

    if sampling_rate == target_rate:
        return signal
    return cast(Signal, soxr.resample(signal, sampling_rate, target_rate).astype(np.float32))


class Resampler:
    """A mono signal resampled as it arrives, the same however it is cut.

    Args:
        sampling_rate: of the signal, in Hz.
        target_rate: in Hz.
    """

    def __init__(self, sampling_rate: float, target_rate: int) -> None:
        import soxr

        self.sampling_rate = sampling_rate
        self.samples = 0  # pushed so far
        same = sampling_rate == target_rate
        self._stream = None if same else soxr.ResampleStream(sampling_rate, target_rate, 1)

    @property
    def duration(self) -> float:
        """Seconds pushed so far."""
        return self.samples / self.sampling_rate

    def push(self, signal: Signal) -> Signal:
        """Take more samples, and return those that are ready."""
        self.samples += len(signal)
        return signal if self._stream is None else self._resampled(signal, last=False)

    def flush(self) -> Signal:
        """Return the samples that remain at the end."""
        empty = np.zeros(0, np.float32)
        return empty if self._stream is None else self._resampled(empty, last=True)

    def _resampled(self, signal: Signal, last: bool) -> Signal:
        assert self._stream is not None
        return cast(Signal, self._stream.resample_chunk(signal, last=last))


def clipped_share(signal: Signal) -> float:
    """Return the share of the samples that are at full scale, in [0, 1].

    >>> clipped_share(np.array([0.5, 1.0, -1.0, 0.0], np.float32))
    0.5
    """
    return float((np.abs(signal) >= FULL_SCALE).mean())


def to_samples(seconds: float, sampling_rate: int) -> int:
    """Round seconds to whole samples; the only place where that is done.

    >>> to_samples(0.5, 22_050)
    11025
    """
    return round(seconds * sampling_rate)
