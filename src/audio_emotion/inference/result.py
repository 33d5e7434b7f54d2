"""The result for one file: a prediction, or why there is none."""

from dataclasses import dataclass
from typing import Any, Self

from ..audio import MAX_DUR, Source, describe
from ..errors import AudioError
from ..notices import Code, Notice
from .classifier import Classifier
from .prediction import Prediction

KEYS = (  # of a prediction
    *("label", "confidence", "confident", "duration", "speech_dur", "probabilities", "warnings"),
)


@dataclass(frozen=True)
class FileResult:
    """The prediction for a file, or the error that prevented it."""

    file: str
    prediction: Prediction | None = None
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; every key is always present."""
        values = self.prediction.as_dict() if self.prediction else dict.fromkeys(KEYS)
        return {"file": self.file, **values, "error": self.error}

    @classmethod
    def from_dict(cls, values: dict[str, Any], threshold: float) -> Self:
        """Return what `as_dict` described; `threshold` is that of confident predictions."""
        if values["error"] is not None:
            return cls(values["file"], error=values["error"])
        warnings = tuple(Notice(Code(w["code"]), w["message"]) for w in values["warnings"])
        facts = (values["probabilities"], values["duration"], threshold, values["speech_dur"])
        return cls(values["file"], Prediction(*facts, warnings))


def predict_file(
    classifier: Classifier,
    source: Source,
    *,
    max_dur: float = MAX_DUR,
    track: int | None = None,
    name: str | None = None,
) -> FileResult:
    """Predict one recording; a recording that cannot be read gives a result that says why."""
    name = name or describe(source)
    try:
        return FileResult(name, classifier.file(source, max_dur=max_dur, track=track))
    except AudioError as error:
        return FileResult(name, error=str(error))
