"""What a neutral voice is worth, on corpora that the models of a cross-validation never heard.

    audio-emotion crossval --protocol leave-one-corpus-out --data RAVDESS --data CREMA-D \
        --data nEMO --data SPEECHOCEAN762 --out runs/across
    python benchmarks/enrolment.py runs/across RAVDESS CREMA-D nEMO SPEECHOCEAN762 --out runs/enrol

For each corpus that was left out, the strength is chosen on the other folds, and without its
speakers.  Predictions stay in --out, so a second call only computes the tables.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio_emotion import Classifier
from audio_emotion.datasets import Clip, Corpus, load_corpora
from audio_emotion.evaluation.analysis import Row, restrict
from audio_emotion.evaluation.enrolment import (
    COUNTS,
    STRENGTHS,
    LeftOut,
    choose_strength,
    compare,
    neutral_clips,
    reference,
    strength_curve,
)
from audio_emotion.evaluation.evaluate import predict_clips
from audio_emotion.evaluation.trial import Trial
from audio_emotion.inference.enrolment import far_from_neutral
from audio_emotion.inference.model_file import STRENGTH, Enrolment
from audio_emotion.inference.speaker import NEUTRAL, log_mean

WRONG = "angry"  # what the clips of a wrong enrolment are
DRAWS = 20  # of clips, for the share of enrolments that are questioned
KNOWN = 2  # speakers of each corpus in the training split that are predicted
WHO = {
    "test": "corpus left out",
    "val": "held-back speakers of known corpora",
    "train": "speakers and clips of training",
}


@dataclass(frozen=True)
class Fold:
    """Predictions of the model that never heard one corpus."""

    name: str  # of the corpus
    raw: dict[str, list[Row]]  # by `WHO`, among all labels
    rows: dict[str, list[Row]]  # among those that are shared
    reference: dict[str, float]


def read_fold(folder: Path, corpus: Corpus, kept: Path) -> Fold:
    """Return the predictions of a fold, computed once."""
    name = folder.name.removeprefix("fold-")
    if not kept.exists():
        kept.write_text(
            json.dumps(predicted(Classifier(folder / "model.onnx", threads=1), corpus, name))
        )
    found = json.loads(kept.read_text())
    rows = {who: restrict(found["rows"][who], found["labels"][who]) for who in WHO}
    return Fold(name, found["rows"], rows, found["reference"])


def predicted(classifier: Classifier, corpus: Corpus, name: str) -> dict[str, Any]:
    """Predict the corpus left out, held-back speakers, and some speakers of training."""
    fitted = classifier.info.fitted
    clips: dict[str, list[Clip]] = defaultdict(list)
    for clip, digest in zip(corpus.clips, corpus.digests(), strict=True):
        for split in WHO:
            if fitted.contains(split, clip, digest):
                clips[split].append(clip)
    trained = {clip.label.label for clip in clips["train"]}
    clips["test"] = [clip for clip in clips["test"] if clip.corpus == name]
    clips["train"] = some_speakers(clips["train"])
    rows = {split: predict_clips(classifier, found)[0] for split, found in clips.items()}
    enrolment = classifier.info.enrolment or measured(rows["val"], clips["val"], classifier.labels)
    occurring = {row["label"] for row in rows["test"]}
    shared = [label for label in classifier.labels if label in occurring & trained]
    at_home = [label for label in classifier.labels if label in trained]
    labels = {"test": shared, "val": at_home, "train": at_home}
    return {
        "rows": rows,
        "labels": labels,
        "reference": enrolment.reference,
    }


def some_speakers(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips of the first speakers of each acted corpus."""
    speakers = defaultdict(set)
    for clip in neutral_clips(clips):
        speakers[clip.corpus].add(clip.speaker_id)
    kept = {name for found in speakers.values() for name in sorted(found)[:KNOWN]}
    return [clip for clip in clips if clip.speaker_id in kept]


def measured(rows: Sequence[Row], clips: Sequence[Clip], labels: Sequence[str]) -> Enrolment:
    """Return the reference of a model that was trained before models had one."""
    by_name = {row["clip"]: list(row["probabilities"].values()) for row in rows}
    neutral = [clip for clip in neutral_clips(clips) if clip.name in by_name]
    found = reference(neutral, np.array([by_name[clip.name] for clip in neutral]), labels)
    assert found
    return found


def without(fold: Fold, corpus: str = "") -> LeftOut:
    """Return what a strength is chosen on; with `corpus` none of its speakers has a say."""
    known = [row for row in fold.rows["val"] if row["corpus"] != corpus]
    return LeftOut(fold.rows["test"], known, fold.reference)


def curves(folds: Sequence[Fold]) -> Iterable[list[str]]:
    """Yield UAR over strengths, of corpora left out and of held-back speakers of known corpora."""
    for who in ("test", "val"):
        for fold in folds:
            curve = strength_curve(fold.rows[who], fold.reference)
            name = fold.name if who == "test" else f"{WHO[who]}, run without {fold.name}"
            yield [name, *(f"{100 * value:.1f}" for value in curve[::2])]


def gains(folds: Sequence[Fold], who: str, strengths: dict[str, float]) -> Iterable[list[str]]:
    """Yield a line for each fold: UAR at each number of clips, and the recall of neutral."""
    for fold in folds:
        enrolment = Enrolment(reference=fold.reference, speakers=1, strength=strengths[fold.name])
        found = compare(fold.rows[who], enrolment, COUNTS)
        plain, *enrolled = found["conditions"]
        cells = [f"{100 * plain['uar']:.1f}"]
        for row in enrolled:
            low, high = (100 * value for value in row["gain_interval"])
            cells.append(f"{100 * row['uar']:.1f} ({low:+.1f} – {high:+.1f})")
        recalls = " → ".join(f"{100 * row['neutral']:.0f}" for row in found["conditions"])
        counts = f"{found['clips']} clips, {found['speakers']} speakers"
        eces = " → ".join(f"{100 * row['ece']:.1f}" for row in found["conditions"])
        yield [fold.name, counts, f"{strengths[fold.name]:.2f}", *cells, recalls, eces]


def wrong(folds: Sequence[Fold], who: str, strengths: dict[str, float]) -> Iterable[list[str]]:
    """Yield a line for each fold: UAR after a right and a wrong enrolment, and the warnings."""
    for fold in folds:
        enrolment = Enrolment(reference=fold.reference, speakers=1, strength=strengths[fold.name])
        rows, most = fold.rows[who], [max(COUNTS)]
        right = compare(rows, enrolment, most, also=(WRONG,))["conditions"]
        other = compare(rows, enrolment, most, source=WRONG, also=(NEUTRAL,))["conditions"]
        scores = [right[0]["uar"], right[1]["uar"], other[1]["uar"]]
        warned = [questioned(fold.raw[who], fold.reference, which) for which in (NEUTRAL, WRONG)]
        shares = [f"{100 * share:.0f} %" for share in warned]
        yield [fold.name, *(f"{100 * score:.1f}" for score in scores), *shares]


def questioned(rows: Sequence[Row], at_home: dict[str, float], source: str) -> float:
    """Return the share of enrolments from five clips of `source` that are warned about."""
    trial, found = Trial(rows, at_home, max(COUNTS), source), []
    for draw in range(DRAWS):
        for drawn in trial.drawn(max(COUNTS), draw).values():
            table = np.array([list(row["probabilities"].values()) for row in drawn])
            found.append(bool(far_from_neutral(log_mean(table), trial.labels)))
    return float(np.mean(found))


def half_dur(fold: Fold, who: str) -> float:
    """Return the seconds of speech with which an empirical Bayes estimate counts half.

    It is the variance of a neutral clip about its speaker, over that of speakers about the
    reference, times the seconds of a clip.
    """
    clips = defaultdict(list)
    for row in fold.rows[who]:
        if row["label"] == NEUTRAL:
            clips[row["speaker"]].append(row)
    means, within, counts, seconds = [], [], [], []
    for found in (found for found in clips.values() if len(found) > 3):
        table = np.log(np.maximum([list(row["probabilities"].values()) for row in found], 1e-6))
        table -= table.mean(1, keepdims=True)  # only ratios matter
        means.append(table.mean(0))
        within.append(table.var(0, ddof=1))
        counts.append(len(found))
        seconds += [row["speech_dur"] for row in found]
    labels = list(fold.rows[who][0]["probabilities"])
    at_home = np.array([fold.reference[label] for label in labels])
    noise = np.mean(within, 0)
    about = np.square(np.array(means) - (at_home - at_home.mean())).mean(0)
    between = about.sum() - noise.sum() / np.mean(counts)
    return float(np.mean(seconds) * noise.sum() / between)


def show(title: str, header: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n{title}\n\n| {' | '.join(header)} |\n|---|{'--:|' * (len(header) - 1)}")
    for line in lines:
        print(f"| {' | '.join(line)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folds", type=Path, help="folder of the cross-validation")
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="folder for predictions")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    corpus = load_corpora(arguments.data)
    folders = [path.parent for path in sorted(arguments.folds.glob("fold-*/model.onnx"))]
    folds = [read_fold(path, corpus, arguments.out / f"{path.name}.json") for path in folders]
    strengths = {
        fold.name: choose_strength(without(other, fold.name) for other in folds if other != fold)
        if len(folds) > 1
        else STRENGTH
        for fold in folds
    }
    print(f"strength chosen on all: {choose_strength(without(fold) for fold in folds):.2f}")
    show(
        "each strength, means over 1, 3 and 5 clips",
        ["left out, UAR %", *(f"{strength:.1f}" for strength in STRENGTHS[::2])],
        curves(folds),
    )
    header = ["left out", "scored", "strength", "UAR % without", *(f"{n} clips" for n in COUNTS)]
    for who, title in WHO.items():
        show(title, [*header, "neutral recall %", "ECE %"], gains(folds, who, strengths))
    header = ["left out", "UAR % without", "5 neutral", f"5 {WRONG}"]
    header += ["questioned if neutral", f"questioned if {WRONG}"]
    for who in ("test", "val"):
        show(f"wrong enrolment, {WHO[who]}", header, wrong(folds, who, strengths))
    show(
        "half of the strength",
        ["left out", *(f"{title}, s" for title in WHO.values())],
        ([fold.name, *(f"{half_dur(fold, who):.1f}" for who in WHO)] for fold in folds),
    )


if __name__ == "__main__":
    main()
