"""Decode recordings with libsndfile: wav, flac, ogg (vorbis, opus), mp3, aiff and the like."""

import re
from collections.abc import Iterator
from typing import BinaryIO, cast

import soundfile

from ..errors import AudioError, translated
from .signal import Signal
from .stream import BLOCK, AudioStream, check_format

UNKNOWN = 1 << 62  # libsndfile reports at least this many frames when it does not know
SLOP_DUR = 0.1  # s that a header may announce too much
STREAMED = 0x7FFF_0000  # wav data sizes from here on mean "unknown when the header was written"


def sndfile_stream(file: BinaryIO, name: str) -> AudioStream:
    sound = soundfile.SoundFile(file)
    check_format(sound.samplerate, sound.channels, name)
    promised = _promised_frames(sound)
    if promised is None and not 0 < sound.frames < UNKNOWN and sound.format in {"WAV", "FLAC"}:
        raise soundfile.LibsndfileError(0)  # the size was never filled in: FFmpeg reads to the end

    def blocks() -> Iterator[Signal]:
        decoded = 0
        with sound:
            while True:
                with translated(AudioError, f"{name}, after {decoded} samples,"):
                    block = cast(Signal, sound.read(BLOCK, dtype="float32", always_2d=True))
                if not block.size:
                    break
                decoded += len(block)
                yield block
        if promised is not None and decoded + SLOP_DUR * sound.samplerate < promised:
            raise AudioError(
                f"{name} is truncated: {decoded / sound.samplerate:.2f} s of "
                f"{promised / sound.samplerate:.2f} s are there; copy it again"
            )

    stated = sound.frames / sound.samplerate if 0 < sound.frames < UNKNOWN else None
    return AudioStream(blocks(), sound.samplerate, sound.channels, stated)


def _promised_frames(sound: soundfile.SoundFile) -> int | None:
    """Return the frames that the header announces, or None if it does not know.

    libsndfile silently shortens a truncated wav file; its log still states both sizes.
    """
    if sound.format == "FLAC":
        return int(sound.frames) if sound.frames < UNKNOWN else None
    data = re.search(r"^data : (\d+)(?: \(should be (\d+)\))?", sound.extra_info, re.MULTILINE)
    if sound.format not in {"WAV", "WAVEX"} or not data or not 0 < int(data[1]) < STREAMED:
        return None
    present = int(data[2] or data[1])
    return int(sound.frames) * int(data[1]) // present if present else None
