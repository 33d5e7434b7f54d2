"""TESS: two actresses say 200 words after "Say the word" in seven emotions.

K. Dupuis and M. K. Pichora-Fuller, 2010: Toronto emotional speech set (TESS), University of
Toronto, Psychology Department, doi 10.5683/SP2/E8H2MF.
"""

import re

from .layout import Layout

TESS = Layout(
    name="TESS",
    licence="CC BY-NC-ND 4.0",
    citation="Dupuis & Pichora-Fuller 2010, TESS",
    pattern=re.compile(
        r"(?P<speaker>OAF?|YAF)_(?P<statement>[A-Za-z]+)"
        r"_(?P<label>angry|disgust|fear|happy|neutral|ps|sad)"
    ),
    values={"speaker": {"OA": "OAF"}},  # one name has lost a letter
    genders={"OAF": "female", "YAF": "female"},
    channel="speech",
)
