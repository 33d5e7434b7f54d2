"""Predict the emotion of a recording."""

from pathlib import Path

from audio_emotion import Classifier

SAMPLES = Path(__file__).parents[1] / "samples"


def main(path: Path = SAMPLES / "fast_high.flac") -> None:
    """Print the label of a recording and the three most probable ones."""
    prediction = Classifier().file(path)
    certainty = "confident" if prediction.confident else "not confident"
    print(f"{path.name}: {prediction.label}, {certainty}")
    for label in prediction.ranking[:3]:
        print(f"{label:>10} {prediction.probabilities[label]:6.1%}")


if __name__ == "__main__":
    main()
