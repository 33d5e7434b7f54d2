"""A model and a corpus in, every figure about the two out, by the path that users take."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..classifier import Classifier, Prediction
from ..config import make_config
from ..corpora import Clip, Corpus
from ..corpora.corpus import fingerprint
from ..corpora.split import parts_of
from ..errors import AudioError, CorpusError
from . import metrics

PARTS = ("train", "val", "test", "all")
Progress = Callable[[Sequence[Clip]], Iterable[Clip]]


@dataclass(frozen=True)
class Judged:
    """A clip and what the model made of it."""

    clip: Clip
    prediction: Prediction


def evaluate(
    classifier: Classifier, corpus: Corpus, part: str = "all", progress: Progress = iter
) -> dict[str, Any]:
    """Scores of `classifier` on a part of `corpus`.

    Args:
        classifier: the model, as users run it.
        corpus: labelled clips.
        part: `train`, `val` or `test` of the split that the model was trained with, or `all`.
        progress: wraps the clips, to show how far it is.

    Returns:
        Plain values, ready for JSON; see `report` for what reads them.

    Raises:
        CorpusError: the part is not the one the model's metadata name, nothing is readable, or the
            corpus has labels that the model does not know.
    """
    clips, protocol = select(classifier, corpus, part)
    unknown = sorted({clip.label.label for clip in clips} - set(classifier.labels))
    if unknown:
        raise CorpusError(f"{classifier.path} does not know the label {', '.join(unknown)}")
    judged, errors = _judge(classifier, progress(clips))
    if not judged:
        raise CorpusError(f"none of the {len(clips)} clips could be read; first: {errors[0]}")
    labels = list(classifier.labels)
    truth = [labels.index(entry.clip.label.label) for entry in judged]
    answers = [labels.index(entry.prediction.label) for entry in judged]
    return {
        "model": classifier.path.name,
        "corpus": corpus.name,
        "part": part,
        "protocol": protocol,
        "clips": len(judged),
        "labels": labels,
        "scores": _scores(truth, answers, len(labels)),
        "errors": errors,
        "predictions": [_row(entry) for entry in judged],
    }


def select(classifier: Classifier, corpus: Corpus, part: str) -> tuple[list[Clip], str]:
    """Clips of `part`, and a sentence that says what a figure on them means.

    The split is dealt again from the model's own configuration and must come out with the
    fingerprint in its metadata: so a test part can hold no clip that was trained on.
    """
    if part not in PARTS:
        raise CorpusError(f"there is no part {part!r}: choose one of {', '.join(PARTS)}")
    digests = corpus.digests()
    readable = [(c, d) for c, d in zip(corpus.clips, digests, strict=True) if d is not None]
    config = make_config(json.loads(classifier.metadata["config"]), str(classifier.path))
    parts = parts_of([c for c, _ in readable], [d for _, d in readable], config.split)
    known = json.loads(classifier.metadata["training_data"])["fingerprint"]
    dealt = {
        name: [pair for pair, p in zip(readable, parts, strict=True) if p == name]
        for name in PARTS[:3]
    }
    same = {name: fingerprint(d for _, d in pairs) == known[name] for name, pairs in dealt.items()}
    if part == "all":
        return list(corpus.clips), _protocol_of_all(same["train"])
    if not same[part]:
        raise CorpusError(
            f"the {part} part of {corpus.name} here is not the one {classifier.path.name} was "
            "made with: other clips, or another corpus; leave --split out to judge all of it"
        )
    clips = [clip for clip, _ in dealt[part]]
    if not clips:
        raise CorpusError(f"{classifier.path.name} was trained without a {part} part")
    return clips, _protocol(part, clips, [clip for clip, _ in dealt["train"]])


def _protocol(part: str, clips: Sequence[Clip], training: Sequence[Clip]) -> str:
    if part != "test":
        return f"{part} part, used in training: says nothing about new clips"
    speakers = {clip.speaker for clip in clips if clip.speaker}
    known = speakers & {clip.speaker for clip in training}
    if not speakers:
        return "held-out clips; their speakers are not stated"
    if not known:
        return f"held-out clips of {len(speakers)} speakers never heard in training"
    return (
        f"held-out clips, known speakers: {len(known)} of {len(speakers)} speakers were heard in "
        "training; voices never heard before score lower"
    )


def _protocol_of_all(trained_on: bool) -> str:
    if trained_on:
        return "whole corpus, including the clips the model was trained on: no measure of anything"
    return "whole corpus; not the one the model was trained on"


def _judge(
    classifier: Classifier, clips: Iterable[Clip]
) -> tuple[list[Judged], list[dict[str, str]]]:
    judged, errors = [], []
    for clip in clips:
        try:
            judged.append(Judged(clip, classifier(*clip.read())))
        except AudioError as error:
            errors.append({"clip": clip.name, "error": str(error)})
    return judged, errors


def _scores(truth: list[int], answers: list[int], classes: int) -> dict[str, Any]:
    matrix = metrics.confusion_matrix(truth, answers, classes)
    intervals = metrics.bootstrap_intervals(truth, answers, classes)
    return {
        **{
            name: {"value": score(matrix), "interval": list(intervals[name])}
            for name, score in metrics.SCORES.items()
        },
        "recall": _plain(metrics.recall(matrix)),
        "precision": _plain(metrics.precision(matrix)),
        "f1": _plain(metrics.f1(matrix)),
        "support": matrix.sum(1).tolist(),
        "confusion": matrix.tolist(),
    }


def _plain(values: metrics.Vector) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _row(entry: Judged) -> dict[str, Any]:
    return {
        "clip": entry.clip.name,
        "truth": entry.clip.label.label,
        "answer": entry.prediction.label,
        "confidence": entry.prediction.confidence,
        "probabilities": entry.prediction.probabilities,
    }
