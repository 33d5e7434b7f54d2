"""Fine-tuning on a few clips of a new speaker: the shipped model before and after.

    python benchmarks/adapt.py RAVDESS CREMA-D

For each speaker of CREMA-D that was held back from the shipped model's training, the model is
fine-tuned on about half of the clips, one of their sentences kept for validation, and evaluated
before and after on the other sentences, in several draws of the sentences.
"""

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np

from audio_emotion import Classifier
from audio_emotion.config import Config, load_config
from audio_emotion.datasets import Corpus, load_corpora
from audio_emotion.evaluation.evaluate import select
from audio_emotion.training.export import export
from audio_emotion.training.model import find_model
from audio_emotion.training.train import train

SEEDS = range(4, 8)  # of the sentences; draws 1 to 3 chose the configuration `finetune`
SEED, RESAMPLES = 0, 1000  # of the interval
TRAINED = 5  # sentences; another one is for validation, the rest for the test
OPTIONS = {"enable_progress_bar": False, "accelerator": "cpu"}


def split_by_sentence(corpus: Corpus, seed: int) -> list[str]:
    """Return the split of each clip, by its sentence."""
    sentences = sorted({clip.statement or "" for clip in corpus.clips})
    order = list(np.random.default_rng(seed).permutation(sentences))
    splits = dict.fromkeys(order[:TRAINED], "train") | {order[TRAINED]: "val"}
    return [splits.get(clip.statement, "test") for clip in corpus.clips]


def adapted(corpus: Corpus, splits: list[str], config: Config) -> Classifier:
    """Return the shipped model, fine-tuned on the training clips."""
    with tempfile.TemporaryDirectory() as name:
        run, model = Path(name, "run"), Path(name, "adapted.onnx")
        init = find_model(Path("default"))
        with contextlib.redirect_stdout(io.StringIO()):
            train(corpus, config, run, init=init, splits=splits, trainer_options=OPTIONS)
            export(run, model)
        return Classifier(model)


def accuracy(model: Classifier, corpus: Corpus, splits: list[str]) -> float:
    """Return the share of test clips that are predicted correctly, among the corpus' labels."""
    shared = {clip.label.label for clip in corpus.clips}
    found = []
    for clip, split in zip(corpus.clips, splits, strict=True):
        if split == "test":
            ranking = model(*clip.read()).ranking
            best = next((label for label in ranking if label in shared), None)
            found.append(best == clip.label.label)
    return float(np.mean(found))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    arguments = parser.parse_args()
    model, config = Classifier(), load_config("finetune")
    held_back, _ = select(model, load_corpora(arguments.data), "val")
    speakers = {clip.speaker_id or "" for clip in held_back if clip.corpus == "CREMA-D"}
    print("| speaker | clips to train | to test | before | after |\n|---|--:|--:|--:|--:|")
    gains = []
    for speaker in sorted(speakers):
        corpus = Corpus("CREMA-D", tuple(clip for clip in held_back if clip.speaker_id == speaker))
        rows = []
        for seed in SEEDS:
            splits = split_by_sentence(corpus, seed)
            models = (model, adapted(corpus, splits, config))
            counts = [splits.count(split) for split in ("train", "test")]
            rows.append(counts + [100 * accuracy(each, corpus, splits) for each in models])
        trained, tested, before, after = np.mean(rows, axis=0)
        gains.append(after - before)
        print(
            f"| {speaker} | {trained:.0f} | {tested:.0f} | {before:.0f} % | {after:.0f} % |",
            flush=True,
        )
    rng = np.random.default_rng(SEED)
    resamples = rng.choice(gains, (RESAMPLES, len(gains))).mean(1)
    low, high = np.percentile(resamples, [2.5, 97.5])
    print(f"\nGained {np.mean(gains):.1f} points ({low:.1f} – {high:.1f} over speakers).")


if __name__ == "__main__":
    main()
