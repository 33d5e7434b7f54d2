"""Evaluate a model on a corpus, by the path that users take."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..datasets import Clip, Corpus
from ..datasets.provenance import FITTED, SPLITS, FittedClips
from ..errors import AudioError, CorpusError
from ..inference.classifier import Classifier
from .analysis import Row, analyse, restrict
from .corruptions import corruption as find_corruption
from .corruptions import generator
from .enrolment import compare

CHOICES = (*SPLITS, "all")
FITTED_WORDS = {  # what clips of these splits mean for a score
    "train": ("were trained on", "the scores say nothing about new recordings"),
    "val": ("chose the weights", "the scores are optimistic"),
}
FACTS = ("corpus", "gender", "channel", "intensity", "statement")  # of a clip, in its row
HELD_OUT = "held-out clips"
Progress = Callable[[Sequence[Clip]], Iterable[Clip]]
Digested = Sequence[tuple[Clip, str | None]]


def evaluate(
    classifier: Classifier,
    corpus: Corpus,
    split: str = "all",
    progress: Progress = iter,
    *,
    shared: bool = False,
    corruption: str | None = None,
    enroll: int = 0,
) -> dict[str, Any]:
    """Evaluate `classifier` on a split of `corpus`.

    Args:
        classifier: the model, as users run it.
        corpus: labelled clips.
        split: `train`, `val` or `test` of the split that the model was trained with, or `all`.
        progress: wraps the clips, to show progress.
        shared: predict only among the labels that the corpus has.
        corruption: name of a corruption that is applied to each clip, see `corruptions`.
        enroll: neutral clips from which each speaker is enrolled in a comparison beside the scores,
            which stay those without enrolment; 0: no comparison.

    Returns:
        Plain values, ready for JSON; `report.sections` arranges them for readers.

    Raises:
        CorpusError: the model has no such split of this corpus, no clip is readable, the corpus
            has labels that the model does not know, or shares fewer than two with it; or with
            `enroll` no speaker has enough neutral clips.
        ModelError: with `enroll`, as `Classifier.enrolment`.
    """
    enrolment = classifier.enrolment if enroll else None
    if corruption:
        find_corruption(corruption)  # before the work
    clips, protocol = select(classifier, corpus, split)
    labels = predictable_labels(classifier, clips, shared)
    rows, errors = predict_clips(classifier, progress(clips), corruption)
    if not rows:
        raise CorpusError(f"none of the {len(clips)} clips could be read; first: {errors[0]}")
    if shared:
        rows = restrict(rows, labels)
        dropped = [label for label in classifier.labels if label not in labels]
        if dropped:
            protocol += f"; predicted among the shared labels, without {' and '.join(dropped)}"
    if corruption:
        protocol += f"; corruption {corruption}"
    held_out = protocol.startswith(HELD_OUT)
    return {
        "model": classifier.path.name,
        "corpus": corpus.name,
        "split": split,
        "protocol": protocol,
        # The name of the protocol comes first in the model's description of its splits.
        "protocol_name": re.split("[, ]", classifier.info.protocol)[0] if held_out else "",
        **analyse(rows, labels),
        **({"enrolment": compare(rows, enrolment, [enroll])} if enrolment else {}),
        "errors": errors,
        "predictions": rows,
    }


def predictable_labels(classifier: Classifier, clips: Sequence[Clip], shared: bool) -> list[str]:
    """Return the labels that are predicted: all of the model, or those that occur in `clips`.

    Raises:
        CorpusError: the model does not know a label, or with `shared` fewer than two are shared.
    """
    occurring = {clip.label.label for clip in clips}
    unknown = sorted(occurring - set(classifier.labels))
    if unknown:
        raise CorpusError(f"{classifier.path} does not know the label {', '.join(unknown)}")
    if not shared:
        return list(classifier.labels)
    labels = [label for label in classifier.labels if label in occurring]
    if len(labels) < 2:
        raise CorpusError(f"only {labels} is shared; among one label every prediction is correct")
    return labels


def select(classifier: Classifier, corpus: Corpus, split: str) -> tuple[list[Clip], str]:
    """Return the clips of a split, and a sentence that says what a score on them means.

    The provenance in the model file recognises the clips that the model was fitted on or held out
    from, under any name; re-encoded ones only if a published corpus names them.

    Raises:
        CorpusError: there is no such split of these corpora, or some of its clips are missing.
    """
    if split not in CHOICES:
        raise CorpusError(f"there is no split {split!r}; choose one of {', '.join(CHOICES)}")
    fitted = classifier.info.fitted
    digested = list(zip(corpus.clips, corpus.digests(), strict=True))
    if split == "all":
        words = _overlap(digested, fitted) or "none of these clips was trained on"
        return list(corpus.clips), words
    count = fitted.count(split, corpus.members)
    if not count:
        raise CorpusError(
            f"{classifier.path.name} has no {split} split of {corpus.name}; leave --split out"
        )
    chosen = [(clip, digest) for clip, digest in digested if fitted.contains(split, clip, digest)]
    clips = [clip for clip, _ in chosen]
    if len(clips) < count:
        raise CorpusError(
            f"{corpus.name} holds {len(clips)} of the {count} clips in the {split} split of "
            f"{classifier.path.name}; leave --split out to evaluate every clip"
        )
    if split != "test":
        return clips, f"{split} split, used in training: {FITTED_WORDS[split][1]}"
    return clips, _overlap(chosen, fitted) or _speakers(clips, fitted)


def _overlap(digested: Digested, fitted: FittedClips) -> str:
    """Return how many clips the model was fitted on, in words; empty if none."""
    for split in FITTED:
        matches = [
            fitted.match(split, *one) or fitted.match(split, *one, inherited=True)
            for one in digested
        ]
        count, renamed = len(matches) - matches.count(None), matches.count("name")
        if count:
            what, meaning = FITTED_WORDS[split]
            by_name = f" ({renamed} recognised by name only: re-encoded copies)" if renamed else ""
            return f"{count} of these {len(matches)} clips {what}{by_name}: {meaning}"
    return ""


def _speakers(clips: Sequence[Clip], fitted: FittedClips) -> str:
    speakers = {clip.speaker_id for clip in clips if clip.speaker_id}
    known = speakers & fitted.speakers
    if not speakers:
        return f"{HELD_OUT}; their speakers are not stated"
    if not known:
        return f"{HELD_OUT}, unseen speakers: none of {len(speakers)} speakers was in training"
    return (
        f"{HELD_OUT}, known speakers: {len(known)} of {len(speakers)} speakers were in training; "
        "expect lower scores on unseen speakers"
    )


def predict_clips(
    classifier: Classifier, clips: Iterable[Clip], corruption: str | None = None
) -> tuple[list[Row], list[dict[str, str]]]:
    """Return a row for each clip, as `analysis` describes it, and the clips that are unreadable."""
    corrupt = find_corruption(corruption) if corruption else None
    rows, errors = [], []
    for clip in clips:
        try:
            signal, rate = clip.read()
            if corrupt:
                signal, rate = corrupt(signal, rate, generator(clip.key))
            prediction = classifier(signal, rate)
            if prediction.probabilities is None:
                raise AudioError(prediction.warnings[0].message)
        except AudioError as error:
            errors.append({"clip": clip.name, "error": str(error)})
            continue
        rows.append(
            {
                "clip": clip.name,
                "label": clip.label.label,
                "predicted": prediction.label,
                "confidence": prediction.confidence,
                "probabilities": prediction.probabilities,
                "confident": prediction.confident,
                "speech_dur": prediction.speech_dur,
                "speaker": clip.speaker_id,
                **{fact: getattr(clip, fact) for fact in FACTS},
            }
        )
    return rows, errors
