"""RAVDESS: 24 actors speak and sing two statements in eight emotions.

S. R. Livingstone and F. A. Russo, 2018: The Ryerson Audio-Visual Database of Emotional Speech and
Song, PLoS ONE 13(5), doi 10.1371/journal.pone.0196391; Zenodo record 1188976.
"""

from __future__ import annotations

import re
from typing import Any

from ..labels import Emotion
from .layout import Layout

STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}


def _parse(match: re.Match[str]) -> dict[str, Any]:
    channel, emotion, intensity, statement, repetition, actor = match.groups()
    return {
        "label": Emotion(int(emotion) - 1),
        "speaker": actor,
        "gender": "male" if int(actor) % 2 else "female",
        "channel": "speech" if channel == "01" else "song",
        "intensity": "normal" if intensity == "01" else "strong",
        "statement": STATEMENTS[statement],
        "repetition": int(repetition),
    }


RAVDESS = Layout(
    name="RAVDESS",
    licence="CC BY-NC-SA 4.0",
    citation="Livingstone & Russo 2018, RAVDESS, Zenodo record 1188976",
    # audio only - channel - emotion - intensity - statement - repetition - actor
    pattern=re.compile(r"03-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])"),
    parse=_parse,
)
