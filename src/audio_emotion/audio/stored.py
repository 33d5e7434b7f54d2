"""A recording of any length at the model's rate, in little memory."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from .signal import PeakMeter, Resampler, Signal

PIECE = 1 << 19  # samples
EXACT = 2 * PIECE  # samples kept as they are: more than any clip has
FULL_SCALE = 32_767
SILENT = 1e-10  # amplitude that no recording resolves


class StoredSignal:
    """A mono signal that is sliced like an array, at another rate and levelled to a peak of 1.

    What is long is kept in 16 bits, each piece with a full scale of its own, so that rounding stays
    96 dB below its peak.

    Args:
        blocks: `(samples,)` each, with any full scale.
        sampling_rate: of the blocks, in Hz.
        target_rate: of the stored signal, in Hz.
        name: of the recording, if it has one, for the error.

    Attributes:
        duration: seconds in all blocks.
        silent: whether the blocks hold nothing that any recording resolves.

    Raises:
        AudioError: as `PeakMeter.check`.

    >>> len(StoredSignal([np.zeros(8000, np.float32)] * 2, 8000, 16_000))
    32000
    """

    def __init__(
        self, blocks: Iterable[Signal], sampling_rate: float, target_rate: int, name: str = ""
    ) -> None:
        self._pieces: list[Signal | npt.NDArray[np.int16]] = []  # PIECE samples, but for the last
        self._scales: list[float] = []
        self._length = 0
        resampler, meter = Resampler(sampling_rate, target_rate), PeakMeter()
        for piece in _pieces(_resampled(blocks, resampler, meter)):
            self._append(piece)
        meter.check(name)
        self.duration, self.silent = resampler.duration, meter.peak <= SILENT
        self._gain = 1 / max(meter.peak, SILENT)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> Signal:
        """Return samples; the step must be 1."""
        start, end, _ = part.indices(self._length)
        found = [np.zeros(0, np.float32)]
        for number in range(start // PIECE, -(-end // PIECE)):
            first = number * PIECE
            piece = self._pieces[number][max(0, start - first) : end - first]
            found.append(piece * np.float32(self._scales[number] * self._gain))
        return np.concatenate(found)

    def _append(self, piece: Signal) -> None:
        scale = 1.0
        stored: Signal | npt.NDArray[np.int16] = piece
        if self._length >= EXACT:
            scale = float(np.abs(piece).max() or 1) / FULL_SCALE
            stored = np.rint(piece / np.float32(scale)).astype(np.int16)
        self._pieces.append(stored)
        self._scales.append(scale)
        self._length += len(piece)


def _resampled(
    blocks: Iterable[Signal], resampler: Resampler, meter: PeakMeter
) -> Iterator[Signal]:
    for block in blocks:
        meter.add(block)
        yield resampler.push(block)
    yield resampler.flush()


def _pieces(blocks: Iterable[Signal]) -> Iterator[Signal]:
    """Cut blocks of any length to pieces of `PIECE` samples and a shorter last one."""
    piece, have = np.empty(PIECE, np.float32), 0
    for block in blocks:
        while len(block):
            part, block = block[: PIECE - have], block[PIECE - have :]
            piece[have : have + len(part)] = part
            have += len(part)
            if have == PIECE:
                yield piece
                piece, have = np.empty(PIECE, np.float32), 0
    if have:
        yield piece[:have]
