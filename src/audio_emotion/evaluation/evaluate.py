"""A model and a corpus in, every figure about the two out, by the path that users take."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ..classifier import Classifier
from ..corpora import Clip, Corpus
from ..corpora.corpus import heard, shorten
from ..corpora.heard import all_heard
from ..errors import AudioError, CorpusError
from .analysis import Row, analyse, restrict
from .conditions import condition, generator

PARTS = ("train", "val", "test", "all")
SHAPED = {  # what a part of a training is to whoever judges its clips
    "train": "were trained on: no measure of anything",
    "val": "chose the weights: these figures flatter",
}
Progress = Callable[[Sequence[Clip]], Iterable[Clip]]


def evaluate(
    classifier: Classifier,
    corpus: Corpus,
    part: str = "all",
    progress: Progress = iter,
    *,
    shared: bool = False,
    under: str | None = None,
) -> dict[str, Any]:
    """Figures about `classifier` on a part of `corpus`.

    Args:
        classifier: the model, as users run it.
        corpus: labelled clips.
        part: `train`, `val` or `test` of the split that the model was trained with, or `all`.
        progress: wraps the clips, to show how far it is.
        shared: answer among the labels that the corpus has, and only those.
        under: a condition that each clip is heard under, see `conditions`.

    Returns:
        Plain values, ready for JSON; see `report` for what reads them.

    Raises:
        CorpusError: the model knows no such part of this corpus, nothing is readable, the corpus
            has labels that the model does not know, or shares fewer than two with it.
    """
    clips, protocol = select(classifier, corpus, part)
    labels = answerable(classifier, clips, shared)
    rows, errors = judge(classifier, progress(clips), under)
    if not rows:
        raise CorpusError(f"none of the {len(clips)} clips could be read; first: {errors[0]}")
    if shared:
        rows = restrict(rows, labels)
        protocol += _mapping(classifier.labels, labels)
    if under:
        protocol += f"; heard under the condition {under}"
    return {
        "model": classifier.path.name,
        "corpus": corpus.name,
        "part": part,
        "protocol": protocol,
        "protocol_name": _protocol_name(classifier) if part == "test" else "",
        **analyse(rows, labels),
        "errors": errors,
        "predictions": rows,
    }


def answerable(classifier: Classifier, clips: Sequence[Clip], shared: bool) -> list[str]:
    """The model's labels that answers are taken from.

    Raises:
        CorpusError: a clip's label is unknown to the model, or with `shared` fewer than two are
            shared.
    """
    occurring = {clip.label.label for clip in clips}
    unknown = sorted(occurring - set(classifier.labels))
    if unknown:
        raise CorpusError(f"{classifier.path} does not know the label {', '.join(unknown)}")
    if not shared:
        return list(classifier.labels)
    labels = [label for label in classifier.labels if label in occurring]
    if len(labels) < 2:
        raise CorpusError(f"only {labels} is shared: among one label every answer is right")
    return labels


def select(classifier: Classifier, corpus: Corpus, part: str) -> tuple[list[Clip], str]:
    """Clips of `part`, and a sentence that says what a figure on them means.

    The model's metadata hold the beginning of the SHA-256 of every clip it was trained, chosen and
    tested with, and of those that shaped the weights it began with, so what it has heard is known
    whatever a clip is called here.
    """
    if part not in PARTS:
        raise CorpusError(f"there is no part {part!r}: choose one of {', '.join(PARTS)}")
    data = json.loads(classifier.metadata["training_data"])
    short = [shorten(digest or "") for digest in corpus.digests()]
    if part == "all":
        return list(corpus.clips), _shaping(short, data) or "none of these clips was trained on"
    known = heard(data["digests"][part])
    clips = [clip for clip, d in zip(corpus.clips, short, strict=True) if d in known]
    if len(clips) < len(known) or not clips:
        raise CorpusError(
            f"{len(clips)} of the {len(known)} clips in the {part} part of "
            f"{classifier.path.name} are in {corpus.name} here: other clips, or another corpus; "
            "leave --split out to judge all of it"
        )
    if part != "test":
        return clips, f"{part} part, used in training: says nothing about new clips"
    return clips, _shaping([d for d in short if d in known], data) or _voices(clips, data)


def _shaping(short: Collection[str], data: Mapping[str, Any]) -> str:
    """How many clips, by their short digests, have shaped the weights; nothing if none has."""
    shaped = all_heard(data)
    for part, words in SHAPED.items():
        known = heard(shaped[part])
        count = sum(digest in known for digest in short)
        if count:
            return f"{count} of these {len(short)} clips {words}"
    return ""


def _voices(clips: Sequence[Clip], data: Mapping[str, Any]) -> str:
    trained = {*data["speakers"]["train"], *data.get("earlier", {}).get("speakers", [])}
    speakers = {clip.voice for clip in clips if clip.voice}
    known = speakers & trained
    if not speakers:
        return "held-out clips; their speakers are not stated"
    if not known:
        return f"held-out clips of {len(speakers)} speakers never heard in training"
    return (
        f"held-out clips, known speakers: {len(known)} of {len(speakers)} speakers were heard in "
        "training; voices never heard before score lower"
    )


def _protocol_name(classifier: Classifier) -> str:
    """Name of the protocol whose test part a model keeps, for figures published on the same."""
    data = json.loads(classifier.metadata["training_data"])
    if _shaping(heard(data["digests"]["test"]), data):
        return ""
    words: str = data["protocol"]
    return words.replace(",", " ").split()[0]


def _mapping(known: Sequence[str], labels: Sequence[str]) -> str:
    dropped = [label for label in known if label not in labels]
    if not dropped:
        return ""
    return f"; answered among the labels shared, never as {' or '.join(dropped)}"


def judge(
    classifier: Classifier, clips: Iterable[Clip], under: str | None = None
) -> tuple[list[Row], list[dict[str, str]]]:
    """A row for each clip, `under` a condition if named, and the clips that could not be read."""
    changed = condition(under) if under else None
    rows, errors = [], []
    for clip in clips:
        try:
            signal, rate = clip.read()
            if changed:
                signal, rate = changed(signal, rate, generator(clip.name))
            prediction = classifier(signal, rate)
        except AudioError as error:
            errors.append({"clip": clip.name, "error": str(error)})
            continue
        facts = {
            "corpus": clip.corpus, "speaker": clip.voice, "gender": clip.gender,
            "channel": clip.channel, "intensity": clip.intensity, "statement": clip.statement,
        }  # fmt: skip
        rows.append(
            {
                "clip": clip.name,
                "truth": clip.label.label,
                "answer": prediction.label,
                "confidence": prediction.confidence,
                "probabilities": prediction.probabilities,
                "confident": prediction.confident,
            }
            | facts
        )
    return rows, errors
