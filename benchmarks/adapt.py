"""Fine-tuning on a few clips of a new speaker: the shipped model before and after.

    python benchmarks/adapt.py RAVDESS CREMA-D

For each speaker of CREMA-D that was held back from the shipped model's training, the model is
fine-tuned on about half of the clips, one of their sentences kept for validation, and evaluated
before and after on the other sentences.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from audio_emotion import Classifier
from audio_emotion.config import load_config
from audio_emotion.datasets import Corpus, load_corpora
from audio_emotion.evaluation.evaluate import select
from audio_emotion.training.export import export
from audio_emotion.training.model import find_model
from audio_emotion.training.train import train

SEED, DRAWS = 0, 1000
TRAINED = 5  # sentences; another one is for validation, the rest for the test
SETTINGS = ["train.batch_size=8"]
OPTIONS = {"enable_progress_bar": False, "accelerator": "cpu"}


def split_by_sentence(corpus: Corpus) -> list[str]:
    """Return the split of each clip, by its sentence."""
    sentences = sorted({clip.statement or "" for clip in corpus.clips})
    order = list(np.random.default_rng(SEED).permutation(sentences))
    splits = dict.fromkeys(order[:TRAINED], "train") | {order[TRAINED]: "val"}
    return [splits.get(clip.statement, "test") for clip in corpus.clips]


def correct(model: Classifier, corpus: Corpus, splits: list[str]) -> list[bool]:
    """Return whether each test clip is predicted correctly, among the labels of the corpus."""
    shared = {clip.label.label for clip in corpus.clips}
    found = []
    for clip, split in zip(corpus.clips, splits, strict=True):
        if split == "test":
            ranking = model(*clip.read()).ranking
            best = next((label for label in ranking if label in shared), None)
            found.append(best == clip.label.label)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    arguments = parser.parse_args()
    model, config = Classifier(), load_config("finetune", SETTINGS)
    held_back, _ = select(model, load_corpora(arguments.data), "val")
    speakers = {clip.speaker_id or "" for clip in held_back if clip.corpus == "CREMA-D"}
    print("| speaker | training clips | test clips | before | after |\n|---|--:|--:|--:|--:|")
    before, after = [], []
    for speaker in sorted(speakers):
        corpus = Corpus("CREMA-D", tuple(clip for clip in held_back if clip.speaker_id == speaker))
        splits = split_by_sentence(corpus)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            init = find_model(Path("default"))
            train(corpus, config, folder / "run", init=init, splits=splits, trainer_options=OPTIONS)
            export(folder / "run", folder / "adapted.onnx")
            before.append(correct(model, corpus, splits))
            after.append(correct(Classifier(folder / "adapted.onnx"), corpus, splits))
        cells = [speaker, str(splits.count("train")), str(len(before[-1]))]
        cells += [f"{100 * np.mean(rows[-1]):.0f} %" for rows in (before, after)]
        print("| " + " | ".join(cells) + " |", flush=True)
    gains = [100 * (np.mean(a) - np.mean(b)) for a, b in zip(after, before, strict=True)]
    rng = np.random.default_rng(SEED)
    draws = rng.choice(gains, (DRAWS, len(gains))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    print(f"\nGained {np.mean(gains):.1f} points ({low:.1f} – {high:.1f} over speakers).")


if __name__ == "__main__":
    main()
