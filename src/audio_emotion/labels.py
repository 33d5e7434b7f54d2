"""The eight emotions, their order and aliases, and label sets of one's own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

LABEL = re.compile(r"[^\W_](?:[\w .+/-]{0,38}[^\W_])?")  # safe in every format

RESERVED = frozenset(  # by outputs, beside labels
    (
        *("no speech", "too short", "uncertain", "file", "label", "confidence", "confident"),
        *("duration", "speech_dur", "warnings", "error"),
    )
)


class Emotion(IntEnum):
    """An emotion; its value is its class index in every array of the package.

    >>> Emotion.SAD.value, Emotion.SAD.label
    (3, 'sad')
    """

    NEUTRAL = 0
    CALM = 1
    HAPPY = 2
    SAD = 3
    ANGRY = 4
    FEARFUL = 5
    DISGUST = 6
    SURPRISED = 7

    @property
    def label(self) -> str:
        """The lower-case name, as written in files and shown to people."""
        return self.name.lower()


EMOTIONS: tuple[str, ...] = tuple(emotion.label for emotion in Emotion)

ALIASES = {  # what people and other corpora write, in lower case
    "neu": Emotion.NEUTRAL,
    "hap": Emotion.HAPPY,
    "happiness": Emotion.HAPPY,
    "joy": Emotion.HAPPY,
    "sadness": Emotion.SAD,
    "ang": Emotion.ANGRY,
    "anger": Emotion.ANGRY,
    "fea": Emotion.FEARFUL,
    "fear": Emotion.FEARFUL,
    "dis": Emotion.DISGUST,
    "disgusted": Emotion.DISGUST,
    "surprise": Emotion.SURPRISED,
    "sur": Emotion.SURPRISED,
    "ps": Emotion.SURPRISED,  # pleasant surprise
    "pleasant_surprise": Emotion.SURPRISED,
    "pleasant_surprised": Emotion.SURPRISED,
}


def parse_emotion(text: str) -> Emotion | None:
    """Return the emotion that `text` names, directly or by an alias, or None.

    >>> parse_emotion("Fear"), parse_emotion("neu"), parse_emotion("boredom")
    (<Emotion.FEARFUL: 5>, <Emotion.NEUTRAL: 0>, None)
    """
    name = text.strip().lower()
    return {**{emotion.label: emotion for emotion in Emotion}, **ALIASES}.get(name)


@dataclass(frozen=True)
class Label:
    """A label of a set other than the eight emotions; its value is the class index.

    >>> int(Label("bored", 1))
    1
    """

    label: str
    value: int

    def __int__(self) -> int:
        return self.value


def parse_label(text: str, labels: Sequence[str] = EMOTIONS) -> Emotion | Label | None:
    """Return the member of `labels` that `text` names, or None; emotions may use an alias.

    >>> parse_label("anger", ("bored", "angry"))
    Label(label='angry', value=1)
    """
    emotion = parse_emotion(text)
    if tuple(labels) == EMOTIONS:
        return emotion
    name = text.strip().lower()
    if name not in labels and emotion is not None:
        name = emotion.label
    return Label(name, list(labels).index(name)) if name in labels else None


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return `labels` if they can name classes in every format.

    Raises:
        ValueError: there are fewer than two, one occurs twice, or one is longer than 40 characters
            or holds anything but letters, digits, spaces and `_ . + / -`, or is reserved.
    """
    for label in labels:
        if label in RESERVED:
            raise ValueError(f"the label {label!r} has another meaning in outputs; rename it")
        if not LABEL.fullmatch(label) or "--" in label:
            raise ValueError(
                f"the label {label!r} is not 1 to 40 letters, digits, spaces, and _ . + / - between"
            )
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError("needs two or more different labels")
    return tuple(labels)


def split_labels(text: str) -> tuple[str, ...]:
    """Parse labels as people type them.

    Raises:
        ValueError: as `check_labels`, or a label is not in lower case.

    >>> split_labels("bored, engaged")
    ('bored', 'engaged')
    """
    labels = [label.strip() for label in text.split(",")]
    if any(label != label.lower() for label in labels):
        raise ValueError("labels are in lower case, as bored,engaged")
    return check_labels(labels)
