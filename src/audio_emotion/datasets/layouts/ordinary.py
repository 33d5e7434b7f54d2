"""speechocean762: sentences read aloud by people who act nothing, as an example of ordinary speech.

J. Zhang et al., 2021: speechocean762: An Open-Source Non-native English Speech Corpus for
Pronunciation Assessment, Interspeech 2021, arXiv:2104.01378.  Nobody labelled an emotion; that
reading aloud is neutral is an assumption.
"""

import re

from .layout import Layout

ORDINARY = Layout(
    name="speechocean762",
    licence="free for commercial and non-commercial use",
    citation="Zhang et al. 2021, speechocean762, Interspeech",
    pattern=re.compile(r"SPEAKER(?P<speaker>\d{4})_(?P<statement>\d+)(?P<label>)"),
    values={"label": {"": "neutral"}},  # the names state none
    channel="speech",
    in_folders=True,  # SPEAKER0001/000010011.WAV
)
