"""SAVEE: four British men speak 15 sentences in each of seven emotions.

S. Haq and P. J. B. Jackson, 2010: Multimodal Emotion Recognition, in W. Wang (ed.), Machine
Audition, IGI Global; University of Surrey.
"""

import re

from .layout import Layout

SAVEE = Layout(
    name="SAVEE",
    licence="for research only: register at the University of Surrey",
    citation="Haq & Jackson 2010, SAVEE",
    pattern=re.compile(
        r"(?P<speaker>DC|JE|JK|KL)_(?P<label>sa|su|[adfhn])(?P<statement>0[1-9]|[12]\d|30)"
    ),
    values={
        "label": {
            "a": "angry",
            "d": "disgust",
            "f": "fearful",
            "h": "happy",
            "n": "neutral",
            "sa": "sad",
            "su": "surprised",
        }
    },
    genders=dict.fromkeys(("DC", "JE", "JK", "KL"), "male"),
    channel="speech",
    in_folders=True,  # DC/a01.wav; copies have DC_a01.wav
)
