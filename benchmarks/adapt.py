"""What a few clips of a new speaker are worth: the shipped model before and after them.

    python benchmarks/adapt.py RAVDESS CREMA-D

For each speaker of CREMA-D that was held back from the shipped model's training: about half of the
clips, one of their sentences kept to choose the epoch by, to train on from the shipped weights; the
other sentences, which the speaker's clips in training do not say, to judge before and after.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from audio_emotion.classifier import default_model
from audio_emotion.lab.checkpoints import ENDING
from audio_emotion.lab.export import export
from audio_emotion.lab.train import train

from audio_emotion import Classifier
from audio_emotion.config import load_config
from audio_emotion.corpora import Corpus, load_corpora
from audio_emotion.evaluation.evaluate import select

SEED, DRAWS = 0, 1000
TRAINED = 5  # sentences; a further one chooses the epoch, the rest judge
SETTINGS = ["train.batch_size=8"]
OPTIONS = {"enable_progress_bar": False, "accelerator": "cpu"}


def deal(corpus: Corpus) -> list[str]:
    """Part of each clip, by its sentence."""
    sentences = sorted({clip.statement or "" for clip in corpus.clips})
    order = list(np.random.default_rng(SEED).permutation(sentences))
    parts = dict.fromkeys(order[:TRAINED], "train") | {order[TRAINED]: "val"}
    return [parts.get(clip.statement, "test") for clip in corpus.clips]


def right(model: Classifier, corpus: Corpus, parts: list[str]) -> list[bool]:
    """Whether each test clip is answered rightly, among the labels that the corpus has."""
    shared = {clip.label.label for clip in corpus.clips}
    found = []
    for clip, part in zip(corpus.clips, parts, strict=True):
        if part == "test":
            chances = model(*clip.read()).probabilities
            found.append(max(shared, key=chances.__getitem__) == clip.label.label)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    arguments = parser.parse_args()
    model, config = Classifier(), load_config("adapt", SETTINGS)
    held_back, _ = select(model, load_corpora(arguments.data), "val")
    speakers = {clip.voice or "" for clip in held_back if clip.corpus == "CREMA-D"}
    print("| speaker | clips to train on | clips judged | before | after |\n|---|--:|--:|--:|--:|")
    before, after = [], []
    for speaker in sorted(speakers):
        corpus = Corpus("CREMA-D", tuple(clip for clip in held_back if clip.voice == speaker))
        parts = deal(corpus)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            init = default_model().with_suffix(ENDING)
            train(corpus, config, folder / "run", init=[init], parts=parts, trainer_options=OPTIONS)
            export(folder / "run", folder / "adapted.onnx")
            before.append(right(model, corpus, parts))
            after.append(right(Classifier(folder / "adapted.onnx"), corpus, parts))
        cells = [speaker, str(parts.count("train")), str(len(before[-1]))]
        cells += [f"{100 * np.mean(answers[-1]):.0f} %" for answers in (before, after)]
        print("| " + " | ".join(cells) + " |", flush=True)
    gains = [100 * (np.mean(a) - np.mean(b)) for a, b in zip(after, before, strict=True)]
    rng = np.random.default_rng(SEED)
    draws = rng.choice(gains, (DRAWS, len(gains))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    print(f"\nGained {np.mean(gains):.1f} points ({low:.1f} – {high:.1f} over speakers).")


if __name__ == "__main__":
    main()
