"""A recording that is decoded block by block."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import AudioError
from ..notices import Notice
from .signal import MAX_RATE, MIN_RATE, Signal

MAX_CHANNELS = 64
BLOCK = 1 << 16  # frames decoded at a time


@dataclass(frozen=True)
class AudioStream:
    """A recording that is decoded block by block."""

    blocks: Iterator[Signal]  # each (frames, channels)
    sampling_rate: int  # Hz
    channels: int
    stated_dur: float | None  # s by the header; good enough for a progress bar only
    notices: list[Notice] = field(default_factory=list)  # grows while blocks are decoded


def check_format(rate: int, channels: int, name: str) -> None:
    """Refuse what no recording has.

    Raises:
        AudioError: the header states an absurd sampling rate or number of channels.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            f"{name} states a sampling rate of {rate} Hz, not {MIN_RATE} to {MAX_RATE}"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{name} states {channels} channels, not 1 to {MAX_CHANNELS}")
