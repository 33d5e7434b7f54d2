"""EmoDB: ten German actors speak ten sentences in seven emotions, of which boredom is not ours.

F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier and B. Weiss, 2005: A Database of German
Emotional Speech, Interspeech.
"""

import re

from .layout import Layout

EMODB = Layout(
    name="EmoDB",
    licence="CC0 1.0",
    citation="Burkhardt et al. 2005, EmoDB, Interspeech",
    pattern=re.compile(
        r"(?P<speaker>0[389]|1[0-6])(?P<statement>[ab]\d\d)(?P<label>[WLEAFTN])[a-z]"
    ),
    values={
        "label": {
            "W": "angry",
            "L": "boredom",
            "E": "disgust",
            "A": "fearful",
            "F": "happy",
            "T": "sad",
            "N": "neutral",
        }
    },
    genders={
        **dict.fromkeys(("03", "10", "11", "12", "15"), "male"),
        **dict.fromkeys(("08", "09", "13", "14", "16"), "female"),
    },
    channel="speech",
)
