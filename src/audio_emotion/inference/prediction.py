"""What a model predicts for one recording."""

from dataclasses import dataclass
from typing import Any

from ..notices import Code, Notice

NO_SPEECH, TOO_SHORT = "no speech", "too short"  # labels without probabilities


@dataclass(frozen=True)
class Prediction:
    """Probabilities of the labels for one recording, or why there are none.

    >>> Prediction({"calm": 0.25, "happy": 0.75}, duration=3.0).label
    'happy'
    """

    probabilities: dict[str, float] | None  # by label, in the model's order; they sum to 1
    duration: float  # s of the recording
    threshold: float = 1.0  # confidence from which a prediction counts as confident
    speech_dur: float = 0.0  # s of speech that the probabilities rest on
    warnings: tuple[Notice, ...] = ()  # what qualifies the prediction

    @property
    def ranking(self) -> list[str]:
        """Labels from the most to the least probable; none without probabilities."""
        found = self.probabilities or {}
        return sorted(found, key=found.__getitem__, reverse=True)

    @property
    def label(self) -> str:
        """The most probable label; without probabilities `no speech` or `too short`."""
        if self.probabilities is None:
            codes = [notice.code for notice in self.warnings]
            return TOO_SHORT if Code.TOO_SHORT in codes else NO_SPEECH
        return self.ranking[0]

    @property
    def confidence(self) -> float | None:
        """The probability of `label`, in [0, 1]; None without probabilities."""
        return None if self.probabilities is None else self.probabilities[self.label]

    @property
    def confident(self) -> bool:
        """Whether predictions with this confidence were correct often enough on validation clips.

        The model's calibration states how often, `target_accuracy`; a model without calibration is
        never confident, nor is a prediction from less than half a second of speech.
        """
        guess = any(notice.code is Code.SHORT_SPEECH for notice in self.warnings)
        return self.confidence is not None and not guess and self.confidence >= self.threshold

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "confident": self.confident,
            "duration": self.duration,
            "speech_dur": self.speech_dur,
            "probabilities": dict(self.probabilities) if self.probabilities else None,
            "warnings": [notice.as_dict() for notice in self.warnings],
        }
