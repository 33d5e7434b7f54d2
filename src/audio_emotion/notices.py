"""What qualifies an answer: short sentences for people, with a stable code for programs."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The stable code of a notice; codes are added, never changed."""

    NO_SPEECH = "no_speech"  # nobody speaks or sings
    TOO_SHORT = "too_short"  # for any prediction
    SHORT_SPEECH = "short_speech"  # so little of it that the prediction is a guess
    CUT_SHORT = "cut_short"  # the recording ends before it promised
    DAMAGED = "damaged"  # parts of the recording that are left out
    CHANNELS_CANCEL = "channels_cancel"  # so only one of them is used
    SEVERAL_TRACKS = "several_tracks"  # of which one is used
    NOT_READ = "not_read"  # the rest, after the maximum duration


@dataclass(frozen=True)
class Notice:
    """One of the above, in words."""

    code: Code
    message: str

    def as_dict(self) -> dict[str, str]:
        """Plain values, for JSON."""
        return {"code": self.code.value, "message": self.message}


class AudioWarning(UserWarning):
    """A notice where nobody collects them: `read_audio` warns."""
