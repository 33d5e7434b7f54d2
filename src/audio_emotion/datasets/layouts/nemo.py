"""nEMO: nine Polish actors speak 90 sentences in six emotions.

I. Christop, 2024: nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024.
"""

import re

from .layout import Layout

GENDERS = {
    **dict.fromkeys(("EB0", "IC0", "KD0", "MK0"), "female"),
    **dict.fromkeys(("KS0", "MP0", "SM0", "TP0", "WR0"), "male"),
}

NEMO = Layout(
    name="nEMO",
    licence="CC BY-NC-SA 4.0",
    citation="Christop 2024, nEMO, LREC-COLING",
    pattern=re.compile(
        rf"(?P<speaker>{'|'.join(GENDERS)})"
        r"_(?P<label>anger|fear|happiness|neutral|sadness|surprised)_(?P<statement>\d+)"
    ),
    genders=GENDERS,
    channel="speech",
)
