"""Mix the channels of a recording to one."""

import numpy as np

from ..notices import Code, Notice
from .signal import Signal

OPPOSITE_DB = 20.0  # a mean so far below that of unrelated channels has cancelled


class Mixer:
    """Mixes the channels of consecutive blocks to their mean, or to the loudest if they cancel.

    Each block is mixed by what it and the blocks before it hold, so a file and a stream agree.

    Args:
        notices: gets one if the channels cancel.
    """

    def __init__(self, notices: list[Notice]) -> None:
        self.notices = notices
        self._energy = np.zeros(1)  # of each channel
        self._mean_energy = 0.0

    @np.errstate(invalid="ignore", over="ignore")  # what is not finite is refused later
    def __call__(self, block: Signal) -> Signal:
        """Map `(frames, channels)` to `(frames,)`."""
        if block.shape[1] == 1:
            only: Signal = block[:, 0]
            return only
        mean: Signal = block.mean(1)
        self._energy = self._energy + np.square(block, dtype=np.float64).sum(0)
        self._mean_energy += float(np.square(mean, dtype=np.float64).sum())
        unrelated = self._energy.sum() / block.shape[1] ** 2
        if self._mean_energy >= unrelated * 10 ** (-OPPOSITE_DB / 10):
            return mean
        loudest = int(np.argmax(self._energy))
        if all(notice.code is not Code.CHANNELS_CANCEL for notice in self.notices):
            message = f"the channels cancel each other; channel {loudest + 1} is used alone"
            self.notices.append(Notice(Code.CHANNELS_CANCEL, message))
        channel: Signal = block[:, loudest]
        return channel
