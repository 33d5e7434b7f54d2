"""Read recordings as mono float32 signals.

libsndfile reads what it knows, and FFmpeg the rest: m4a, aac, webm, mp4, and wav files whose header
was never completed.  Headers are never trusted: memory grows with the samples that are decoded, up
to a maximum duration.
"""

import io
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import numpy as np
import soundfile

from ..errors import AudioError, translated
from ..notices import AudioWarning, Code, Notice
from .mix import Mixer
from .signal import Signal
from .sndfile import sndfile_stream
from .stored import StoredSignal
from .stream import AudioStream

Buffer: TypeAlias = bytes | bytearray | memoryview
Source: TypeAlias = str | PathLike[str] | Buffer | BinaryIO

MAX_BUFFERED = 1 << 32  # bytes of a stream that cannot seek
IN_MEMORY = 1 << 25  # bytes of it; more go to a temporary file
CHUNK = 1 << 20  # bytes copied at a time
MAX_DUR = 3600.0  # s of one recording that are decoded by default
MAX_SAMPLES = 1 << 28  # of a signal that is read whole: 1 GiB, an hour at 74 kHz


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
            samples; it holds NaN or infinity, or more than `MAX_SAMPLES`; or its header states an
            absurd sampling rate or number of channels.
    """
    signal, rate, notices = load_audio(source, max_dur=max_dur, track=track)
    for notice in notices:
        warnings.warn(f"{describe(source)}: {notice.message}", AudioWarning, stacklevel=2)
    return signal, rate


def load_audio(
    source: Source, *, max_dur: float = MAX_DUR, track: int | None = None
) -> tuple[Signal, int, list[Notice]]:
    """Do as `read_audio`, and return the notices instead of warning."""
    kept: list[Signal] = []
    count = 0
    with _mono(source, max_dur, track) as (blocks, rate, notices):
        for block in blocks:
            kept.append(block)
            count += len(block)
            if count > MAX_SAMPLES:
                raise AudioError(
                    f"{describe(source)} holds more than {MAX_SAMPLES:,} samples at {rate} Hz; "
                    "read less of it, or resample it"
                )
    return np.concatenate(kept), rate, notices


def store_audio(
    source: Source, sampling_rate: int, *, max_dur: float = MAX_DUR, track: int | None = None
) -> tuple[StoredSignal, list[Notice]]:
    """Read a recording as `read_audio` does, in memory that grows with its seconds alone.

    Args:
        source: as `read_audio`.
        sampling_rate: of the stored signal, in Hz.
        max_dur: as `read_audio`.
        track: as `open_audio`.

    Returns:
        The signal, and what qualifies it.

    Raises:
        AudioError: as `read_audio`, or a sample is out of all proportion to the rest.
    """
    with _mono(source, max_dur, track) as (blocks, rate, notices):
        return StoredSignal(blocks, rate, sampling_rate, describe(source)), notices


@contextmanager
def _mono(
    source: Source, max_dur: float, track: int | None
) -> Iterator[tuple[Iterator[Signal], int, list[Notice]]]:
    """Yield the blocks of a recording, mixed and checked, its rate, and notices as they come."""
    if not max_dur > 0:
        raise AudioError(f"max_dur is {max_dur} s; it must be positive")
    with open_audio(source, track=track) as stream:
        blocks = _mixed(stream, describe(source), max_dur)
        yield blocks, stream.sampling_rate, stream.notices


def _mixed(stream: AudioStream, name: str, max_dur: float) -> Iterator[Signal]:
    left = round(max_dur * stream.sampling_rate) if max_dur < np.inf else sys.maxsize
    any_read = False
    for block in map(Mixer(stream.notices), stream.blocks):
        if not np.isfinite(block).all():
            raise AudioError(f"{name} holds NaN or infinite samples; export it again")
        any_read = True
        yield block[:left]
        if len(block) > left:
            message = f"longer than {max_dur:g} s; the rest is not read"
            stream.notices.append(Notice(Code.NOT_READ, message))
            return
        left -= len(block)
    if not any_read:
        raise AudioError(f"{name} holds no samples")


def buffered(source: Source) -> Source:
    """Return what can be read again: a copy of a pipe's content, any other source as it is.

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
                return _copied(pipe, name)
        elif not hasattr(source, "seekable"):
            raise AudioError(f"{source!r} is no recording: pass a path, bytes or a binary file")
        elif source.seekable():
            return source
        else:
            return _copied(source, name)


def _copied(stream: BinaryIO, name: str) -> Source:
    """Return the content of a stream, or if it is long a temporary file without a name."""
    content = stream.read(IN_MEMORY)
    if len(content) < IN_MEMORY:
        return content
    file = tempfile.TemporaryFile()  # noqa: SIM115  its reader closes it
    while content:
        file.write(content)
        if file.tell() > MAX_BUFFERED:
            file.close()
            raise AudioError(f"{name} holds more than {MAX_BUFFERED >> 20} MiB; save it to a file")
        content = stream.read(CHUNK)
    return cast(BinaryIO, file)


def describe(source: Source) -> str:
    """Return what to call `source` in a message."""
    if isinstance(source, Buffer):
        return f"recording of {len(source)} bytes"
    if isinstance(source, str | PathLike):
        return str(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "recording"  # temporary files have numbers


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
