"""Eight emotions in speech and song.

    Classifier, Prediction   the trained model: `Classifier().file("clip.wav").label`
    timeline, Timeline       emotions over the time of a long recording
    TimelineStream           the same for samples that are still arriving
    explain, Explanation     which seconds and frequencies support a prediction
    Speaker                  somebody's neutral voice, which predictions can be adjusted to
    Client                   the same answers from a service
    read_audio, resample     recordings as mono float32 signals
    Emotion, EMOTIONS        the labels and their order
    AudioEmotionError        the base class of every error raised on purpose

Inside, `inference` runs the model file, `timeline` handles long recordings, `formats` writes
outputs, `datasets` finds and splits labelled recordings, `evaluation` measures a model, `training`
trains one (the only part that needs PyTorch), `server` is the service, `batch` works off very many
recordings, and `cli` is the command `audio-emotion`.
"""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

# ONNX Runtime otherwise keeps a device id on disk and reports to a host, from its import on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from .version import __version__

if TYPE_CHECKING:
    from .audio import read_audio, resample
    from .client import Client
    from .errors import AudioEmotionError
    from .inference.classifier import Classifier
    from .inference.explain import Explanation, explain
    from .inference.prediction import Prediction
    from .inference.speaker import Speaker
    from .labels import EMOTIONS, Emotion
    from .timeline.recording import Timeline, timeline
    from .timeline.stream import TimelineStream

__all__ = [
    "EMOTIONS",
    "AudioEmotionError",
    "Classifier",
    "Client",
    "Emotion",
    "Explanation",
    "Prediction",
    "Speaker",
    "Timeline",
    "TimelineStream",
    "__version__",
    "explain",
    "read_audio",
    "resample",
    "timeline",
]


_HOMES = {
    "EMOTIONS": "labels",
    "AudioEmotionError": "errors",
    "Classifier": "inference.classifier",
    "Client": "client",
    "Emotion": "labels",
    "Explanation": "inference.explain",
    "Prediction": "inference.prediction",
    "Speaker": "inference.speaker",
    "Timeline": "timeline.recording",
    "TimelineStream": "timeline.stream",
    "explain": "inference.explain",
    "read_audio": "audio",
    "resample": "audio",
    "timeline": "timeline.recording",
}


class _Package(ModuleType):
    """Keeps `timeline` the function's name when the package of the same name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "timeline" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that nobody waits for the others."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
