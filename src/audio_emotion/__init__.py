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
from typing import TYPE_CHECKING, Any

# ONNX Runtime otherwise keeps a device id on disk and reports to a host, from its import on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from .audio import read_audio, resample
from .errors import AudioEmotionError
from .inference.classifier import Classifier
from .inference.explain import Explanation, explain
from .inference.prediction import Prediction
from .labels import EMOTIONS, Emotion
from .timeline.recording import Timeline, timeline
from .timeline.stream import TimelineStream
from .version import __version__

if TYPE_CHECKING:
    from .client import Client
    from .inference.speaker import Speaker

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


def __getattr__(name: str) -> Any:
    if name == "Client":  # few programs need one, and it imports formats
        from .client import Client

        return Client
    if name == "Speaker":  # `Classifier.enroll` makes most of them
        from .inference.speaker import Speaker

        return Speaker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
