"""Eight emotions in speech and song.

    Classifier, Prediction   the trained model at work: `Classifier().file("clip.wav").label`
    timeline, Timeline       emotions over the time of a long recording
    TimelineStream           the same for samples that are still coming
    explain, Explanation     which seconds and frequencies spoke for an answer
    read_audio, resample     recordings in, mono float32 out
    Emotion, EMOTIONS        the labels and their order
    AudioEmotionError        what everything raised on purpose descends from

Further in: `corpora` finds and splits labelled recordings, `evaluation` judges a model, `lab`
trains one (the only part that needs PyTorch), `cli` is the command `audio-emotion`.
"""

from .audio import read_audio, resample
from .classifier import Classifier, Prediction
from .errors import AudioEmotionError
from .explain import Explanation, explain
from .labels import EMOTIONS, Emotion
from .timeline import Timeline, timeline
from .timeline_stream import TimelineStream
from .version import __version__

__all__ = [
    "EMOTIONS",
    "AudioEmotionError",
    "Classifier",
    "Emotion",
    "Explanation",
    "Prediction",
    "Timeline",
    "TimelineStream",
    "__version__",
    "explain",
    "read_audio",
    "resample",
    "timeline",
]
