"""CREMA-D: 91 actors speak twelve sentences in six emotions.

H. Cao et al., 2014: CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset, IEEE Transactions
on Affective Computing 5(4), doi 10.1109/TAFFC.2014.2336244.
"""

from __future__ import annotations

import re
from typing import Any

from ..labels import Emotion
from .layout import Layout

EMOTIONS = {
    "ANG": Emotion.ANGRY,
    "DIS": Emotion.DISGUST,
    "FEA": Emotion.FEARFUL,
    "HAP": Emotion.HAPPY,
    "NEU": Emotion.NEUTRAL,
    "SAD": Emotion.SAD,
}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}  # XX: unspecified


def _parse(match: re.Match[str]) -> dict[str, Any]:
    speaker, sentence, emotion, level = match.groups()
    return {
        "label": EMOTIONS[emotion],
        "speaker": speaker,
        "channel": "speech",
        "intensity": INTENSITIES.get(level),
        "statement": sentence,
    }


CREMA_D = Layout(
    name="CREMA-D",
    licence="Open Database License (ODbL) 1.0",
    citation="Cao et al. 2014, CREMA-D",
    # speaker _ sentence _ emotion _ intensity
    pattern=re.compile(r"(\d{4})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(XX|LO|MD|HI|X)"),
    parse=_parse,
)
