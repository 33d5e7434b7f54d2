"""Recordings in, mono float32 signals out.

signal    arrays checked, scaled and resampled
stored    signals of any length in little memory
reading   paths, bytes and files read, by libsndfile (`sndfile`) or FFmpeg (`ffmpeg`)
mix       channels mixed to one
find      recordings in folders
"""

from .find import AUDIO_SUFFIXES, audio_files, expand, is_audio_name, walk_audio
from .mix import Mixer
from .reading import (
    MAX_DUR,
    Source,
    buffered,
    describe,
    load_audio,
    open_audio,
    read_audio,
    store_audio,
)
from .signal import (
    CLIPPED,
    FULL_SCALE,
    Resampler,
    Signal,
    as_signal,
    check_rate,
    clipped_share,
    resample,
    to_samples,
)
from .stored import StoredSignal
from .stream import AudioStream

__all__ = [
    "AUDIO_SUFFIXES",
    "CLIPPED",
    "FULL_SCALE",
    "MAX_DUR",
    "AudioStream",
    "Mixer",
    "Resampler",
    "Signal",
    "Source",
    "StoredSignal",
    "as_signal",
    "audio_files",
    "buffered",
    "check_rate",
    "clipped_share",
    "describe",
    "expand",
    "is_audio_name",
    "load_audio",
    "open_audio",
    "read_audio",
    "resample",
    "store_audio",
    "to_samples",
    "walk_audio",
]
