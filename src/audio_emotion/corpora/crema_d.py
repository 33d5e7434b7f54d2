"""CREMA-D: 91 actors speak twelve sentences in six emotions.

H. Cao et al., 2014: CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset, IEEE Transactions
on Affective Computing 5(4), doi 10.1109/TAFFC.2014.2336244.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..labels import Emotion
from .clip import Clip
from .corpus import Corpus, audio_files

LICENCE = "Open Database License (ODbL) 1.0"
CITATION = "Cao et al. 2014, CREMA-D"
NAME = re.compile(r"(\d{4})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(XX|LO|MD|HI|X)")
EMOTIONS = {
    "ANG": Emotion.ANGRY,
    "DIS": Emotion.DISGUST,
    "FEA": Emotion.FEARFUL,
    "HAP": Emotion.HAPPY,
    "NEU": Emotion.NEUTRAL,
    "SAD": Emotion.SAD,
}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}  # XX: not specified


def matches(name: str) -> bool:
    """Whether a file's stem is a CREMA-D name: speaker_sentence_emotion_level."""
    return NAME.fullmatch(name) is not None


def load(root: Path) -> Corpus:
    """Every clip below `root` with a CREMA-D name."""
    paths = audio_files(root)
    clips = {path.stem: _parse(path) for path in reversed(paths) if matches(path.stem)}
    skipped = tuple(str(path) for path in paths if not matches(path.stem))
    return Corpus("CREMA-D", tuple(clips.values()), LICENCE, CITATION, skipped)


def _parse(path: Path) -> Clip:
    match = NAME.fullmatch(path.stem)
    assert match  # `load` asked `matches`
    speaker, sentence, emotion, level = match.groups()
    return Clip(
        name=path.stem,
        label=EMOTIONS[emotion],
        path=path,
        speaker=speaker,
        channel="speech",
        intensity=INTENSITIES.get(level),
        statement=sentence,
    )
