"""What can go wrong, as a tree.

    AudioEmotionError
    ├── AudioError            a recording cannot be read or used
    ├── ConfigError           a setting is unknown, out of range or contradicts another
    ├── CorpusError           a corpus is missing, not understood or lacks what was asked of it
    ├── DownloadError         a download failed, or what came is not what was published
    ├── ModelError            a model file is missing or not one of this package's
    ├── OutputError           an output exists already or cannot be written
    ├── StoppedError          Ctrl-C; what was whole is kept
    └── TrainingError         a run folder cannot be started, resumed or exported

Messages say what is wrong, the value, and the way out.  Errors of other libraries are chained.
"""

from __future__ import annotations


class AudioEmotionError(Exception):
    """Base of everything this package raises on purpose."""


class AudioError(AudioEmotionError):
    """A recording cannot be read or used."""


class ConfigError(AudioEmotionError):
    """A setting is unknown, out of range or contradicts another."""


class CorpusError(AudioEmotionError):
    """A corpus is missing, not understood or lacks what was asked of it."""


class DownloadError(AudioEmotionError):
    """A download failed, or what came is not what was published."""


class ModelError(AudioEmotionError):
    """A model file is missing or not one of this package's."""


class OutputError(AudioEmotionError):
    """An output exists already or cannot be written."""


class StoppedError(AudioEmotionError):
    """Ctrl-C; what was whole is kept."""


class TrainingError(AudioEmotionError):
    """A run folder cannot be started, resumed or exported."""
