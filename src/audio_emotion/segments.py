"""Stretches of a recording, in seconds outside and samples inside."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import AudioEmotionError


@dataclass(frozen=True, order=True)
class Segment:
    """From `start` to `end`, in seconds.

    >>> Segment(1.0, 2.5).duration
    1.5
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise AudioEmotionError(f"a segment cannot run from {self.start} s to {self.end} s")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


def to_samples(seconds: float, sampling_rate: int) -> int:
    """The nearest whole number of samples; the one place where seconds are rounded.

    >>> to_samples(0.5, 22_050)
    11025
    """
    return round(seconds * sampling_rate)


def window_starts(samples: int, window: int, hop: int) -> list[int]:
    """First samples of windows that cover a recording, `hop` apart, the last flush with the end.

    A recording that fits a window has one, at 0.

    >>> window_starts(samples=10, window=4, hop=4)
    [0, 4, 6]
    """
    if samples <= window:
        return [0]
    last = samples - window
    return [*range(0, last, hop), last]
