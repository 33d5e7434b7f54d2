"""What the page has to know: the model, and the numbers of the rules that it follows.

They are those of `inference.speech` and of `timeline`.  Their numbers are sent, so that they are
written once.
"""

import hashlib
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from ..audio import FULL_SCALE
from ..formats.timelines import SCHEMA, VERSION
from ..formats.writers import COLOURS, OTHER
from ..inference import classifier, enrolment, speaker, speech, vad
from ..inference.model_file import ModelInfo, default_model, open_model
from ..timeline import axis, windows
from ..timeline.settings import TimelineSettings
from ..version import __version__

INTENDED_USE = (
    "To study and to sort recordings of acted or clearly expressed emotion. What people show is "
    "not what they feel: not for decisions about people, such as hiring, policing or diagnosis. "
    "The European Union forbids emotion recognition at work and in education."
)
RULE = {
    "whole_dur": classifier.WHOLE_DUR,
    "hop_share": classifier.HOP_SHARE,
    "min_dur": classifier.MIN_DUR,
    "guess_dur": classifier.GUESS_DUR,
    "voiced": speech.VOICED,
    "threshold": speech.THRESHOLD,
    "hysteresis": vad.HYSTERESIS,
    "gap_dur": speech.GAP_DUR,
    "pad_dur": speech.PAD_DUR,
    "chunk": vad.CHUNK,
}
TIMELINE = {
    **asdict(TimelineSettings()),
    "threshold": TimelineSettings().speech_threshold,
    "edge": axis.EDGE,
    "min_window_dur": windows.MIN_DUR,
    "full_scale": FULL_SCALE,
    "schema": SCHEMA,
    "version": VERSION,
}
BROWSER_DUR = 120.0  # s that the page takes; finding speech in them can take half a minute there
BROWSER, SERVER = "browser", "server"  # where the model can run


def facts(model: Path | None, engines: list[str]) -> dict[str, Any]:
    """Return what the page has to know.

    Args:
        model: a model file; by default the shipped one.
        engines: where the page can let it run, the preferred place first.
    """
    info = open_model(model or default_model(), 1)[1]
    return {
        "version": __version__,
        "engines": engines,
        "browser_dur": BROWSER_DUR,
        "rule": {**RULE, "win_dur": info.win_dur, "rate": info.sampling_rate},
        "timeline": TIMELINE,
        "enrolment": _enrolment(info),
        "labels": list(info.labels),
        "colours": {**COLOURS, "": OTHER},
        "model": described(model),
    }


def _enrolment(info: ModelInfo) -> dict[str, Any] | None:
    """Return the numbers of an enrolment, if the model offers it."""
    if info.enrolment is None:
        return None
    return {
        **info.enrolment.model_dump(),
        "format": speaker.FORMAT,
        "min_dur": speaker.MIN_DUR,
        "max_dur": speaker.MAX_DUR,
        "half_dur": speaker.HALF_DUR,
        "floor": speaker.FLOOR,
        "unexcited": enrolment.UNEXCITED,
        "least_neutral": enrolment.LEAST_NEUTRAL,
    }


def runs_in_browsers(info: ModelInfo) -> bool:
    """Return whether the page can run a model: it resamples once, for detector and model."""
    return info.sampling_rate == vad.RATE


@cache
def described(model: Path | None) -> dict[str, Any]:
    """Return what a model is, and what it is for."""
    path = model or default_model()
    info = open_model(path, 1)[1]
    return {
        "id": info.name,
        "object": "model",
        "created": info.created,
        "labels": list(info.labels),
        "sampling_rate": info.sampling_rate,
        "win_dur": info.win_dur,
        "precision": info.precision,
        "calibration": info.calibration.model_dump(),
        "scores": info.scores,
        "protocol": info.protocol,
        "trained_on": info.trained_on,
        "citation": info.citation,
        "licence": info.licence,
        "intended_use": INTENDED_USE,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
