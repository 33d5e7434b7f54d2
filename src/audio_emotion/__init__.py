"""Eight emotions in speech and song.

    Classifier, Prediction   the trained model at work: `Classifier().file("clip.wav").label`
    read_audio, resample     recordings in, mono float32 out
    Emotion, EMOTIONS        the labels and their order
    AudioEmotionError        what everything raised on purpose descends from

Further in: `corpora` finds and splits labelled recordings, `evaluation` judges a model, `lab`
trains one (the only part that needs PyTorch), `cli` is the command `audio-emotion`.
"""

from .audio import read_audio, resample
from .classifier import Classifier, Prediction
from .errors import AudioEmotionError
from .labels import EMOTIONS, Emotion
from .version import __version__

__all__ = [
    "EMOTIONS",
    "AudioEmotionError",
    "Classifier",
    "Emotion",
    "Prediction",
    "__version__",
    "read_audio",
    "resample",
]
