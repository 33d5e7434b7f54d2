"""nEMO: nine Polish actors speak 90 sentences in six emotions.

I. Christop, 2024: nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024.
"""

from __future__ import annotations

import re
from typing import Any

from ..labels import parse_emotion
from .layout import Layout

FEMALE = ("EB0", "IC0", "KD0", "MK0")
MALE = ("KS0", "MP0", "SM0", "TP0", "WR0")


def _parse(match: re.Match[str]) -> dict[str, Any]:
    speaker, emotion, sentence = match.groups()
    return {
        "label": parse_emotion(emotion),
        "speaker": speaker,
        "gender": "female" if speaker in FEMALE else "male",
        "channel": "speech",
        "statement": sentence,
    }


NEMO = Layout(
    name="nEMO",
    licence="CC BY-NC-SA 4.0",
    citation="Christop 2024, nEMO, LREC-COLING",
    # speaker _ emotion _ sentence
    pattern=re.compile(
        rf"({'|'.join((*FEMALE, *MALE))})_(anger|fear|happiness|neutral|sadness|surprised)_(\d+)"
    ),
    parse=_parse,
)
