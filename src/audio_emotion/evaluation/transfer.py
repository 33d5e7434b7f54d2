"""Calibration that survives a new corpus, from models that were tested on corpora left out.

A model is surer of itself on recordings of another corpus than it has reason to be, and its own
validation clips cannot show that.  Runs that each left a corpus out can: how much further their
logits must be divided there, and from which confidence nine of ten answers are right.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import CorpusError, TrainingError, translated
from ..inference.model_file import Calibration
from . import calibration

LEAST = 1e-7  # of a probability, so that its logarithm is finite
Scored = tuple[np.ndarray, np.ndarray]  # log-probabilities `(clips, labels)`; label indices


class Transfer(BaseModel):
    """What models do on corpora that they were not trained on, averaged over the corpora."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    factor: float = Field(gt=0)  # of the temperature, on top of what validation clips gave
    threshold: float = Field(ge=0, le=1)  # of a confident prediction, at that temperature
    clips: int = Field(ge=1)
    corpora: dict[str, "OnCorpus"]
    strength: float | None = Field(None, ge=0, le=1)  # of an enrolment, where one was measured

    @classmethod
    def measure(
        cls, results: Mapping[str, Mapping[str, Any]], strength: float | None = None
    ) -> Self:
        """Average over corpora, each of which counts the same.

        Args:
            results: of `folds.summarize`, for each corpus that a fold left out.
            strength: as `enrolment.choose_strength`.

        Raises:
            CorpusError: there are fewer than two.
        """
        scored = {name: _scored(result) for name, result in results.items()}
        if len(scored) < 2:
            raise CorpusError("a calibration across corpora needs two corpora that were left out")
        factor, threshold = _fit(list(scored.values()))
        return cls(
            factor=factor,
            threshold=threshold,
            clips=sum(len(labels) for _, labels in scored.values()),
            corpora={
                name: OnCorpus.measure(
                    one, *_fit([other for key, other in scored.items() if key != name])
                )
                for name, one in scored.items()
            },
            strength=strength,
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `measure` found and a cross-validation wrote.

        Raises:
            TrainingError: the file is missing or holds something else.
        """
        with translated(TrainingError, path):
            text = path.read_bytes()
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise TrainingError(
                f"{path} is no calibration across corpora; 'audio-emotion crossval --protocol "
                "leave-one-corpus-out' writes one"
            ) from error

    def apply(self, own: Calibration) -> Calibration:
        """Return a model's own calibration, corrected for recordings of other corpora.

        Raises:
            TrainingError: it is corrected already.
        """
        if own.chosen_on != Calibration().chosen_on:
            raise TrainingError(f"the calibration was chosen on {own.chosen_on} already")
        found = list(self.corpora.values())
        return own.model_copy(
            update={
                "temperature": own.temperature * self.factor,
                "threshold": self.threshold,
                "coverage": float(np.mean([one.coverage for one in found])),
                "clips": self.clips,
                "ece_before": float(np.mean([one.ece_before for one in found])),
                "ece_after": float(np.mean([one.ece_after for one in found])),
                "chosen_on": f"clips of corpora left out: {', '.join(self.corpora)}",
            }
        )

    def in_words(self) -> str:
        """Return a line for each corpus, corrected by what the others gave."""
        lines = [f"across corpora: temperature x {self.factor:.3f}, threshold {self.threshold:.3f}"]
        for name, one in self.corpora.items():
            right = "" if one.accuracy is None else f", of these {100 * one.accuracy:.1f} % correct"
            lines.append(
                f"  {name}, by the others: ECE {100 * one.ece_before:.1f} -> "
                f"{100 * one.ece_after:.1f} %; {100 * one.coverage:.1f} % confident{right}"
            )
        return "\n".join(lines)


class OnCorpus(BaseModel):
    """How well a calibration that other corpora gave suits one corpus."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ece_before: float = Field(ge=0, le=1)  # with the model's own calibration
    ece_after: float = Field(ge=0, le=1)
    coverage: float = Field(ge=0, le=1)  # share of confident predictions
    accuracy: float | None = Field(ge=0, le=1)  # of the confident predictions, if there are any

    @classmethod
    def measure(cls, scored: Scored, factor: float, threshold: float) -> Self:
        """Apply a factor and a threshold to the clips of one corpus."""
        before, (after, correct) = _confidence(scored, 1.0), _confidence(scored, factor)
        confident = after >= threshold
        return cls(
            ece_before=calibration.expected_calibration_error(*before),
            ece_after=calibration.expected_calibration_error(after, correct),
            coverage=float(confident.mean()),
            accuracy=float(correct[confident].mean()) if confident.any() else None,
        )


def _scored(result: Mapping[str, Any]) -> Scored:
    labels, rows = list(result["labels"]), result["predictions"]
    chances = [[row["probabilities"][label] for label in labels] for row in rows]
    return np.log(np.maximum(chances, LEAST)), np.array([labels.index(r["label"]) for r in rows])


def _fit(corpora: list[Scored]) -> tuple[float, float]:
    """Return the factor, a geometric mean, and at that factor the mean of the thresholds."""
    factors = [calibration.fit_temperature(*one) for one in corpora]
    factor = float(np.exp(np.mean(np.log(factors))))
    thresholds = [
        calibration.threshold_for(*_confidence(one, factor), calibration.TARGET_ACCURACY)
        for one in corpora
    ]
    return factor, float(np.mean(thresholds))


def _confidence(scored: Scored, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each clip, and whether its prediction is correct."""
    chances = calibration.softmax(scored[0] / factor)
    return chances.max(1), chances.argmax(1) == scored[1]
