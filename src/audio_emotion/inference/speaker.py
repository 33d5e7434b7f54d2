"""A speaker's neutral voice, and probabilities adjusted to it.

Voice, language and microphone move the log-probabilities of everything somebody says in one
direction.  A few seconds of neutral speech show which: the difference between their mean
log-probabilities and those of training's neutral speakers.  Part of it is subtracted:

    log p' = log p - strength * (mean - reference) + a constant that makes the sum 1

It is neutral reference normalisation (Busso et al., 2011, doi 10.1109/ICASSP.2011.5947652) at the
output of the network.  Few seconds say little about the mean, so `strength_for` lets them count
less: the factor n / (n + c) is that of an empirical Bayes estimate of a mean, where c is the
variance of one clip over that among speakers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..errors import SpeakerError, translated
from ..files import refuse_overwrite, write_text
from ..labels import check_labels
from ..notices import Code, Notice
from .model_file import Enrolment, LogProbability

NEUTRAL = "neutral"  # the label
FORMAT = "audio-emotion-speaker-1"
MIN_DUR, MAX_DUR = 3.0, 60.0  # s of speech that an enrolment needs, and uses at most
HALF_DUR = 2.0  # s of speech with which half of the strength applies
FLOOR = 1e-6  # probability that no mean of logarithms goes below
DECIMALS = 6  # of what is stored
MAX_BYTES = 1 << 16  # of a file

Rows = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]


class _Warning(BaseModel):
    """What qualifies an enrolment."""

    model_config = ConfigDict(strict=True, extra="forbid")

    code: Code
    message: Annotated[str, Field(max_length=500)]


class _Stored(BaseModel):
    """The schema of a file, and of a service's answer, which has the warnings, too."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")

    format: Literal["audio-emotion-speaker-1"]
    model: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    speech_dur: Annotated[float, Field(ge=MIN_DUR, le=MAX_DUR)]
    clips: Annotated[int, Field(ge=1)]
    log_probabilities: dict[str, LogProbability]
    warnings: Annotated[list[_Warning], Field(max_length=20)] = []

    @field_validator("log_probabilities")
    @classmethod
    def _check_labels(cls, found: dict[str, float]) -> dict[str, float]:
        check_labels(tuple(found))
        return found


@dataclass(frozen=True)
class Speaker:
    """How a model predicts the neutral speech of one person; `Classifier.enroll` makes it.

    It holds no audio, but it is personal data: it describes a person's voice, roughly.
    """

    model: str  # SHA-256 of the model file, in hexadecimal
    speech_dur: float  # s of speech that the mean rests on
    clips: int  # recordings that were given
    log_probabilities: dict[str, float]  # mean over the windows by label, in nats
    warnings: tuple[Notice, ...] = field(default=(), compare=False)  # of the enrolment; not saved

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write a JSON file, atomically; warnings are not part of it.

        Args:
            path: of the file; its folder is made.
            force: overwrite a file.

        Raises:
            OutputError: `path` exists already and `force` is false, or it cannot be written.
        """
        refuse_overwrite(Path(path), force)
        write_text(Path(path), json.dumps(self.as_dict(), indent=2) + "\n")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "format": FORMAT,
            "model": self.model,
            "speech_dur": self.speech_dur,
            "clips": self.clips,
            "log_probabilities": dict(self.log_probabilities),
        }

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            SpeakerError: the file is missing, or larger than any speaker's, or a value is missing,
                unknown, of the wrong type or out of range; the message names the file and the key.
        """
        with translated(SpeakerError, path), Path(path).open("rb") as file:
            return cls.parse(file.read(MAX_BYTES + 1), str(path))

    @classmethod
    def parse(cls, content: str | bytes, origin: str) -> Self:
        """Read a file or a service's answer, `origin` in the errors, which are those of `load`."""
        if len(content) > MAX_BYTES:
            raise SpeakerError(f"{origin} has over {MAX_BYTES} bytes, so it is no speaker's file")
        try:
            stored = _Stored.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            what = f"'{where}': {first['msg']}" if where else first["msg"]
            raise SpeakerError(f"{origin} is no speaker's file: {what}; enrol again") from error
        warnings = tuple(Notice(found.code, found.message) for found in stored.warnings)
        return cls(
            stored.model, stored.speech_dur, stored.clips, stored.log_probabilities, warnings
        )

    def check(self, model: str, labels: tuple[str, ...]) -> None:
        """Refuse a model that the speaker was not enrolled with.

        Args:
            model: SHA-256 of its file.
            labels: of the model.

        Raises:
            SpeakerError: it is another model.
        """
        if self.model != model:
            raise SpeakerError(
                f"the speaker was enrolled with another model file ({self.model[:12]}…) than this "
                f"({model[:12]}…), whose probabilities mean something else; enrol again with this"
            )
        if set(self.log_probabilities) != set(labels):
            raise SpeakerError("the speaker has other labels than the model; enrol again")

    def factors(self, enrolment: Enrolment) -> Vector:
        """Return what each label's probability is multiplied by, `(labels,)`."""
        strength = strength_for(self.speech_dur, enrolment.strength)
        mean = {label: self.log_probabilities[label] for label in enrolment.reference}
        return factors(mean, enrolment.reference, strength)


def as_speaker(found: object) -> Speaker:
    """Return a speaker as it is.

    Raises:
        SpeakerError: it is something else, such as the path of a file.
    """
    if not isinstance(found, Speaker):
        raise SpeakerError(f"{found!r:.100} is no Speaker; load it with Speaker.load")
    return found


def strength_for(speech_dur: float, strength: float) -> float:
    """Return the share of the difference that counts after `speech_dur` seconds of speech.

    >>> strength_for(HALF_DUR, 0.5)
    0.25
    """
    return strength * speech_dur / (speech_dur + HALF_DUR)


def factors(mean: Mapping[str, float], reference: Mapping[str, float], strength: float) -> Vector:
    """Return what each probability is multiplied by, `(labels,)`, in the order of `mean`."""
    shift = [mean[label] - reference[label] for label in mean]
    found: Vector = np.exp(-strength * np.array(shift))
    return found


def log_mean(rows: npt.NDArray[np.floating]) -> Vector:
    """Return the mean over rows of log-probabilities, `(labels,)`, in nats.

    Args:
        rows: probabilities `(rows, labels)`; those below `FLOOR` count as `FLOOR`.
    """
    found: Vector = np.log(np.maximum(rows, FLOOR, dtype=np.float64)).mean(0)
    return found


def adjust(rows: Rows, factors: Vector) -> Rows:
    """Return probabilities `(rows, labels)` times `factors`, scaled to sum to 1.

    Args:
        rows: probabilities.
        factors: `(labels,)`, or `(rows, labels)` with some for each row.
    """
    scaled = rows * factors
    adjusted: Rows = (scaled / scaled.sum(1, keepdims=True)).astype(rows.dtype)
    return adjusted
