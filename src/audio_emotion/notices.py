"""What qualifies or prevents an answer: short sentences for people, stable codes for programs."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The stable code of a notice or an error; codes are added, never changed."""

    # An answer is there, and this qualifies it.
    NO_SPEECH = "no_speech"  # nobody speaks or sings
    TOO_SHORT = "too_short"  # for any prediction
    SHORT_SPEECH = "short_speech"  # so little of it that the prediction is a guess
    CUT_SHORT = "cut_short"  # the recording ends before it promised
    DAMAGED = "damaged"  # parts of the recording that are left out
    CHANNELS_CANCEL = "channels_cancel"  # so only one of them is used
    SEVERAL_TRACKS = "several_tracks"  # of which one is used
    NOT_READ = "not_read"  # the rest, after the maximum duration
    CLIPPED = "clipped"  # samples at full scale, which can change the emotion predicted
    UNEVEN_LEVELS = "uneven_levels"  # of recordings that are used together
    NOT_NEUTRAL = "not_neutral"  # recordings that should be a neutral voice do not sound like one

    # There is no answer: the classes of `errors`.
    FAILED = "failed"  # for a reason that no other code names
    BAD_AUDIO = "bad_audio"  # a recording cannot be read or used
    BAD_SETTING = "bad_setting"  # unknown, out of range or in contradiction to another
    BAD_CORPUS = "bad_corpus"  # missing, of unknown layout, or without what was asked for
    BAD_DOWNLOAD = "bad_download"  # failed, or does not match its checksum
    BAD_MODEL = "bad_model"  # a model file is missing, damaged or of another format
    BAD_SPEAKER = "bad_speaker"  # a speaker's file is missing, damaged, or of another model
    BAD_OUTPUT = "bad_output"  # exists already, cannot be written, or of unknown format
    STOPPED = "stopped"  # by Ctrl-C
    BAD_TRAINING = "bad_training"  # cannot be started, resumed or exported

    # There is no answer: what only a batch says.
    WORKER_DIED = "worker_died"  # each time it read this recording: memory or a crash

    # There is no answer: what only a service says.
    BAD_REQUEST = "bad_request"  # malformed
    UNAUTHORIZED = "unauthorized"  # no token, or a wrong one
    TOO_MANY_ATTEMPTS = "too_many_attempts"  # with wrong tokens
    BAD_HOST = "bad_host"  # a name that the service does not answer to
    BAD_ORIGIN = "bad_origin"  # a web page that may not use the service
    NOT_FOUND = "not_found"
    BAD_METHOD = "bad_method"  # for this address
    NOT_ACCEPTABLE = "not_acceptable"  # no format that the request accepts
    UNSUPPORTED_MEDIA = "unsupported_media"  # a content type that holds no recording
    TOO_LARGE = "too_large"  # bytes
    TOO_LONG = "too_long"  # seconds or samples
    TOO_SLOW = "too_slow"  # the request's body, or an idle session
    DECODE_LIMIT = "decode_limit"  # decoding needs too much memory or time
    NOT_READY = "not_ready"  # the job has not ended
    OVERLOADED = "overloaded"  # ask again later
    SHUTTING_DOWN = "shutting_down"  # ask again later
    DEADLINE = "deadline"  # the time that the request allowed is over
    BAD_FRAME = "bad_frame"  # a message of a session is malformed


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
