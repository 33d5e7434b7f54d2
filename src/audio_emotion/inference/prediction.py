"""What a model predicts for one recording."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """Probabilities of the labels for one recording.

    >>> Prediction({"calm": 0.25, "happy": 0.75}, duration=3.0).label
    'happy'
    """

    probabilities: dict[str, float]  # by label, in the model's order; they sum to 1
    duration: float  # s of the recording
    threshold: float = 1.0  # confidence from which a prediction counts as confident

    @property
    def ranking(self) -> list[str]:
        """Labels from the most to the least probable."""
        return sorted(self.probabilities, key=self.probabilities.__getitem__, reverse=True)

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.ranking[0]

    @property
    def confidence(self) -> float:
        """The probability of `label`, in [0, 1]."""
        return self.probabilities[self.label]

    @property
    def confident(self) -> bool:
        """Whether predictions with this confidence were correct often enough on validation clips.

        The model's calibration states how often, `target_accuracy`; a model without calibration is
        never confident.
        """
        return self.confidence >= self.threshold

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "confident": self.confident,
            "duration": self.duration,
            "probabilities": dict(self.probabilities),
        }
