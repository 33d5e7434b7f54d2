"""CREMA-D: 91 actors speak twelve sentences in six emotions.

H. Cao et al., 2014: CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset, IEEE Transactions
on Affective Computing 5(4), doi 10.1109/TAFFC.2014.2336244.
"""

import re

from .layout import Layout

CREMA_D = Layout(
    name="CREMA-D",
    licence="Open Database License (ODbL) 1.0",
    citation="Cao et al. 2014, CREMA-D",
    pattern=re.compile(
        r"(?P<speaker>\d{4})_(?P<statement>[A-Z]{3})_(?P<label>ANG|DIS|FEA|HAP|NEU|SAD)"
        r"_(?P<intensity>XX|LO|MD|HI|X)"
    ),
    values={"intensity": {"LO": "low", "MD": "medium", "HI": "high", "XX": None, "X": None}},
    channel="speech",
)
