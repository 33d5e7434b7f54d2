"""One recording, one row: what a list of files becomes, errors included."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .audio import Source, describe
from .classifier import Classifier, Prediction
from .corpora.corpus import audio_files
from .errors import AudioEmotionError, AudioError


@dataclass(frozen=True)
class Row:
    """What is said of one file: a prediction, or why there is none."""

    file: str
    prediction: Prediction | None = None
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; every key is always there."""
        prediction = self.prediction
        return {
            "file": self.file,
            "emotion": prediction.label if prediction else None,
            "confidence": prediction.confidence if prediction else None,
            "confident": prediction.confident if prediction else None,
            "duration": prediction.duration if prediction else None,
            "probabilities": asdict(prediction)["probabilities"] if prediction else None,
            "error": self.error,
        }


def predict_row(classifier: Classifier, source: Source, *, max_dur: float) -> Row:
    """The row of one recording; a bad one gives a row that says why."""
    try:
        return Row(describe(source), classifier.file(source, max_dur=max_dur))
    except AudioEmotionError as error:
        return Row(describe(source), error=str(error))


def expand(arguments: Iterable[str]) -> Iterator[Path]:
    """Files named on a command line: themselves, every recording below a folder, or a pattern.

    Raises:
        AudioError: a folder holds no recording, or a pattern matches nothing.
    """
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = audio_files(path)
            if not found:
                raise AudioError(f"{path} holds no recording (wav, flac, ogg, mp3, m4a, …)")
            yield from found
        elif not path.exists() and glob.has_magic(argument):
            matched = sorted(
                map(Path, glob.glob(argument, recursive=True))  # noqa: PTH207  Path.glob refuses absolute patterns
            )
            if not matched:
                raise AudioError(f"nothing matches {argument}")
            yield from (match for match in matched if match.is_file())
        else:
            yield path
