"""RAVDESS: 24 actors speak and sing two statements in eight emotions.

S. R. Livingstone and F. A. Russo, 2018: The Ryerson Audio-Visual Database of Emotional Speech and
Song, PLoS ONE 13(5), doi 10.1371/journal.pone.0196391; Zenodo record 1188976.
"""

import re

from ...labels import EMOTIONS
from .layout import Layout

RAVDESS = Layout(
    name="RAVDESS",
    licence="CC BY-NC-SA 4.0",
    citation="Livingstone & Russo 2018, RAVDESS, Zenodo record 1188976",
    pattern=re.compile(  # 03: audio only
        r"03-(?P<channel>0[12])-(?P<label>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])"
        r"-(?P<repetition>0[12])-(?P<speaker>0[1-9]|1\d|2[0-4])"
    ),
    values={
        "channel": {"01": "speech", "02": "song"},
        "label": {f"{number:02}": label for number, label in enumerate(EMOTIONS, 1)},
        "intensity": {"01": "normal", "02": "strong"},
        "statement": {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"},
        "repetition": {"01": 1, "02": 2},
    },
    genders={f"{actor:02}": "male" if actor % 2 else "female" for actor in range(1, 25)},
)
