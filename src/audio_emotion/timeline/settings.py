"""How a timeline is made."""

from dataclasses import dataclass

from ..errors import ConfigError


@dataclass(frozen=True)
class TimelineSettings:
    """Parameters of a timeline; durations in seconds.

    Raises:
        ConfigError: a value is out of range, or hop_dur is longer than win_dur.
    """

    win_dur: float = 2.0  # of a window, at most the model's; longer ones smear turns
    hop_dur: float = 0.5  # between windows in a speech region
    step_dur: float = 0.1  # of the regular axis
    min_dur: float = 0.5  # that another label must last to begin a segment
    margin: float = 0.05  # of probability by which it must lead meanwhile
    uncertain_below: float = 0.35  # mean probability under which a segment is `uncertain`
    speech_threshold: float = 0.35  # probability of speech that begins a region
    gap_dur: float = 0.4  # of silence that ends a region
    pad_dur: float = 0.1  # kept around the speech

    def __post_init__(self) -> None:
        for name in ("win_dur", "hop_dur", "step_dur", "min_dur", "gap_dur"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)} s; it must be positive")
        if not self.pad_dur >= 0:
            raise ConfigError(f"pad_dur is {self.pad_dur} s; it must not be negative")
        for name in ("margin", "uncertain_below", "speech_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must lie in [0, 1]")
        if self.hop_dur > self.win_dur:
            raise ConfigError(
                f"hop_dur {self.hop_dur} s is longer than win_dur {self.win_dur} s, so audio "
                "between windows would be skipped"
            )
