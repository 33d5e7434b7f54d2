"""The eight emotions, their order, what other corpora call them, and labels of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Emotion(IntEnum):
    """An emotion; its value is the class index in every array of the package.

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
        """The name in lower case, as written in files and shown to people."""
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
}


def parse_emotion(text: str) -> Emotion | None:
    """The emotion that `text` names, by our name or an alias of it; None for anything else.

    >>> parse_emotion("Fear")
    <Emotion.FEARFUL: 5>
    """
    name = text.strip().lower()
    return ALIASES.get(name) or next((e for e in Emotion if e.label == name), None)


@dataclass(frozen=True)
class Label:
    """A label of a set that is not the eight emotions; its value is the class index.

    >>> int(Label("bored", 1))
    1
    """

    label: str
    value: int

    def __int__(self) -> int:
        return self.value


def parse_label(text: str, labels: Sequence[str] = EMOTIONS) -> Emotion | Label | None:
    """The label of a set that `text` names, an emotion by an alias, too; None for anything else.

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
