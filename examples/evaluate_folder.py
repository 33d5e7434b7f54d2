"""Evaluate the shipped model on a folder of labelled recordings."""

import shutil
import tempfile
from pathlib import Path

from audio_emotion import Classifier
from audio_emotion.datasets import load_corpus
from audio_emotion.evaluation.evaluate import evaluate

SAMPLES = Path(__file__).parents[1] / "samples"
LABELS = {"fast_high": "happy", "flat": "neutral", "loud_tense": "angry"}  # made up: synthesised


def main() -> None:
    """Copy samples to a folder for each label, and print how the model does on them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, label in LABELS.items():
            Path(folder, label).mkdir()
            shutil.copy(SAMPLES / f"{name}.flac", Path(folder, label))
        result = evaluate(Classifier(), load_corpus(folder))
    print(f"accuracy {result['scores']['accuracy']['value']:.0%}; {result['protocol']}")
    for row in result["predictions"]:
        print(f"{row['clip']}: {row['label']} predicted as {row['predicted']}")


if __name__ == "__main__":
    main()
