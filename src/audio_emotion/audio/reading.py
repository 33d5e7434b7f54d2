"""Read recordings as mono float32 signals.

libsndfile reads what it knows, and FFmpeg the rest: m4a, aac, webm, mp4, and wav files whose header
was never completed.  Headers are never trusted: memory grows with the samples that are decoded, up
to a maximum duration.
"""

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
import soundfile

from ..errors import AudioError, translated
from ..notices import AudioWarning, Code, Notice
from .mix import Mixer
from .signal import Signal
from .sndfile import sndfile_stream
from .stream import AudioStream

Buffer: TypeAlias = bytes | bytearray | memoryview
Source: TypeAlias = str | PathLike[str] | Buffer | BinaryIO

MAX_BUFFERED = 1 << 30  # bytes of a stream that cannot seek
MAX_DUR = 3600.0  # s of one recording that are decoded by default


@contextmanager
def open_audio(source: Source, *, track: int | None = None) -> Iterator[AudioStream]:
    """Open a recording of any length; decoding takes bounded memory.

    Args:
        source: as `read_audio`.
        track: number of the audio track, from 1; by default the default track, or if that is
            silent the first that is not.

    Raises:
        AudioError: as `read_audio`; errors inside a block are raised when that block is read.
    """
    name = describe(source)
    with _opened(buffered(source), name) as file:
        try:
            stream = sndfile_stream(file, name)
            if track not in {None, 1}:
                raise AudioError(f"{name} has 1 audio track, so there is no track {track}")
        except (soundfile.LibsndfileError, ValueError, AttributeError):
            from .ffmpeg import ffmpeg_stream

            stream = ffmpeg_stream(file, name, track)
        yield stream


def read_audio(
    source: Source, *, max_dur: float = MAX_DUR, track: int | None = None
) -> tuple[Signal, int]:
    """Decode a recording and mix its channels, as `Mixer` does; notices become `AudioWarning`s.

    Args:
        source: a path, the bytes of a file, or a binary file, which is read from its start.
        max_dur: seconds after which decoding stops; may be infinite.
        track: as `open_audio`.

    Returns:
        The signal `(samples,)`, float32 with full scale at 1, and its sampling rate in Hz.

    Raises:
        AudioError: the file is missing, a directory, empty, not audio, truncated or without
            samples; it holds NaN or infinity; or its header states an absurd sampling rate or
            number of channels.
    """
    signal, rate, notices = load_audio(source, max_dur=max_dur, track=track)
    for notice in notices:
        warnings.warn(f"{describe(source)}: {notice.message}", AudioWarning, stacklevel=2)
    return signal, rate


def load_audio(
    source: Source, *, max_dur: float = MAX_DUR, track: int | None = None
) -> tuple[Signal, int, list[Notice]]:
    """Do as `read_audio`, and return the notices instead of warning."""
    if not max_dur > 0:
        raise AudioError(f"max_dur is {max_dur} s; it must be positive")
    name = describe(source)
    with open_audio(source, track=track) as stream:
        rate, notices = stream.sampling_rate, stream.notices
        most = round(max_dur * rate) if max_dur < np.inf else sys.maxsize
        signal = _gather(map(Mixer(notices), stream.blocks), most)
        if len(signal) > most:
            signal = signal[:most]
            notices.append(
                Notice(Code.NOT_READ, f"longer than {max_dur:g} s; the rest is not read")
            )
    if not signal.size:
        raise AudioError(f"{name} holds no samples")
    if not np.isfinite(signal).all():
        raise AudioError(f"{name} holds NaN or infinite samples; export it again")
    return signal, rate, notices


def buffered(source: Source) -> Source:
    """Return what can be read again: the content of a pipe, any other source as it is.

    Raises:
        AudioError: it is no source, or holds more than `MAX_BUFFERED` bytes.
    """
    if isinstance(source, Buffer):
        return source
    name = describe(source)
    if "\0" in name or getattr(source, "closed", False):
        raise AudioError(f"{name!r} is no file name, or a closed file")
    with translated(AudioError, name):
        if isinstance(source, str | PathLike):
            path = Path(source)
            if not path.exists() or path.is_file() or path.is_dir():
                return source
            with path.open("rb") as pipe:
                content = pipe.read(MAX_BUFFERED + 1)
        elif not hasattr(source, "seekable"):
            raise AudioError(f"{source!r} is no recording: pass a path, bytes or a binary file")
        elif source.seekable():
            return source
        else:
            content = source.read(MAX_BUFFERED + 1)
    if len(content) > MAX_BUFFERED:
        raise AudioError(f"{name} holds more than {MAX_BUFFERED >> 20} MiB; save it to a file")
    return content


def describe(source: Source) -> str:
    """Return what to call `source` in a message."""
    if isinstance(source, Buffer):
        return f"recording of {len(source)} bytes"
    if isinstance(source, str | PathLike):
        return str(source)
    return str(getattr(source, "name", "recording"))


@contextmanager
def _opened(source: Source, name: str) -> Iterator[BinaryIO]:
    if isinstance(source, Buffer):
        file: BinaryIO = io.BytesIO(source)
    elif isinstance(source, str | PathLike):
        if Path(source).is_dir():
            raise AudioError(f"{name} is a directory; name a recording in it")
        with translated(AudioError, name):
            file = Path(source).open("rb")  # noqa: SIM115  closed below
    else:
        file = source
    try:
        with translated(AudioError, name):
            file.seek(0)
            empty = not file.read(1)
            file.seek(0)
        if empty:
            raise AudioError(f"{name} is empty (0 bytes)")
        yield file
    finally:
        if file is not source:
            file.close()


def _gather(blocks: Iterator[Signal], most: int) -> Signal:
    """Join blocks until there are more than `most` samples."""
    kept: list[Signal] = []
    count = 0
    for block in blocks:
        kept.append(block)
        count += len(block)
        if count > most:
            break
    return np.concatenate(kept) if kept else np.zeros(0, np.float32)
