"""Recordings in, mono float32 out.

libsndfile reads wav, flac, ogg (vorbis, opus) and mp3; what it does not know (m4a, aac, webm, mp4
and wav headers that only a stream writer could love) goes to FFmpeg through PyAV.  Headers are
never believed: memory grows with the samples that really come, up to a maximum duration.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import soundfile

from .errors import AudioError

Signal: TypeAlias = npt.NDArray[np.float32]
Source: TypeAlias = str | PathLike[str] | bytes | BinaryIO

MAX_DUR = 3600.0  # s decoded of one recording unless told otherwise
MIN_RATE, MAX_RATE = 1_000, 768_000  # Hz: telephone is 8000, the fastest studio converters 768000
MAX_CHANNELS = 64
BLOCK = 1 << 16  # frames decoded at a time
UNKNOWN = 1 << 62  # frames from here on are how libsndfile says «unknown»
STREAMED = 0x7FFF_0000  # wav data sizes from here on mean «unknown when the header was written»
FFMPEG_OPTIONS = {
    # A playlist or a concatenation script could name other files: only plain containers are opened.
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,mp3,ogg,flac,wav,asf,amr,"
    "aiff,caf,avi",
    "protocol_whitelist": "",
}


class TruncationWarning(UserWarning):
    """A recording is longer than the maximum duration; its rest was not read."""


@dataclass(frozen=True)
class Opened:
    """A recording that is decoded block by block, `(frames, channels)` float32 each."""

    blocks: Iterator[Signal]
    sampling_rate: int  # Hz
    channels: int
    stated_dur: float | None  # s by the header; good for a progress bar, never to be relied on


@contextmanager
def open_blocks(source: Source) -> Iterator[Opened]:
    """A recording, however long, in bounded memory.

    Raises:
        AudioError: as `read_audio`; what a block's decoding finds is raised where it is asked for.
    """
    name = describe(source)
    with _opened(source, name) as file:
        try:
            opened = _sndfile_blocks(file, name)
        except soundfile.LibsndfileError:
            file.seek(0)
            opened = _ffmpeg_blocks(file, name)
        yield opened


def read_audio(source: Source, *, max_dur: float = MAX_DUR) -> tuple[Signal, int]:
    """Decode a recording and average its channels.

    Args:
        source: path, the bytes of a file, or a binary file open for reading and seeking.
        max_dur: seconds after which decoding stops, with a `TruncationWarning`.

    Returns:
        Signal `(samples,)`, float32, full scale at 1, and its own sampling rate in Hz.

    Raises:
        AudioError: the file is missing, a directory, empty, not audio, truncated, holds no sample,
            NaN or infinity, or states an absurd sampling rate or number of channels.
    """
    if not max_dur > 0:
        raise AudioError(f"max_dur is {max_dur} s; it must be positive")
    name = describe(source)
    with open_blocks(source) as opened:
        rate = opened.sampling_rate
        mono = (block.mean(1) for block in opened.blocks)
        signal = _gather(mono, max_samples=round(max_dur * rate), name=name)
    if not signal.size:
        raise AudioError(f"{name} holds no samples")
    if not np.isfinite(signal).all():
        raise AudioError(f"{name} holds NaN or infinite samples; export it again")
    return signal, rate


def resample(signal: Signal, sampling_rate: int, target_rate: int) -> Signal:
    """`signal` at `target_rate` Hz, by soxr's high-quality band-limited interpolation.

    >>> resample(np.zeros(8000, np.float32), 8000, 16000).size
    16000
    """
    import soxr

    if sampling_rate == target_rate:
        return signal
    return cast(Signal, soxr.resample(signal, sampling_rate, target_rate).astype(np.float32))


def describe(source: Source) -> str:
    """What to call `source` in a message."""
    if isinstance(source, bytes):
        return f"recording of {len(source)} bytes"
    if isinstance(source, str | PathLike):
        return str(source)
    return str(getattr(source, "name", "recording"))


@contextmanager
def _opened(source: Source, name: str) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        file: BinaryIO = io.BytesIO(source)
    elif isinstance(source, str | PathLike):
        file = _open_path(Path(source))
    else:
        file = source
    try:
        if not file.read(1):
            raise AudioError(f"{name} is empty (0 bytes)")
        file.seek(0)
        yield file
    finally:
        if file is not source:
            file.close()


def _open_path(path: Path) -> BinaryIO:
    if path.is_dir():
        raise AudioError(f"{path} is a directory; name a recording in it")
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise AudioError(f"{path} does not exist") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be opened: {error.strerror}") from error


def _sndfile_blocks(file: BinaryIO, name: str) -> Opened:
    sound = soundfile.SoundFile(file)
    _check_format(sound.samplerate, sound.channels, name)
    promised = _promised_frames(sound)
    if promised is None and not 0 < sound.frames < UNKNOWN and sound.format in {"WAV", "FLAC"}:
        raise soundfile.LibsndfileError(0)  # the size was never filled in: FFmpeg reads to the end

    def blocks() -> Iterator[Signal]:
        decoded = 0
        with sound:
            while (block := _read(sound, name, decoded)).size:
                decoded += len(block)
                yield block
        if promised is not None and decoded < promised:
            raise AudioError(
                _truncated(name, decoded / sound.samplerate, promised / sound.samplerate)
            )

    stated = sound.frames / sound.samplerate if 0 < sound.frames < UNKNOWN else None
    return Opened(blocks(), sound.samplerate, sound.channels, stated)


def _read(sound: soundfile.SoundFile, name: str, decoded: int) -> Signal:
    try:
        return cast(Signal, sound.read(BLOCK, dtype="float32", always_2d=True))
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{name} is truncated or damaged after {decoded} samples") from error


def _promised_frames(sound: soundfile.SoundFile) -> int | None:
    """Frames that the header announces, or None where it was written before they were known.

    libsndfile silently shortens a cut wav file; its log still tells both sizes.
    """
    if sound.format == "FLAC":
        return int(sound.frames) if sound.frames < UNKNOWN else None
    data = re.search(r"^data : (\d+)(?: \(should be (\d+)\))?", sound.extra_info, re.MULTILINE)
    if sound.format not in {"WAV", "WAVEX"} or not data or not 0 < int(data[1]) < STREAMED:
        return None
    present = int(data[2] or data[1])
    return int(sound.frames) * int(data[1]) // present if present else None


def _ffmpeg_blocks(file: BinaryIO, name: str) -> Opened:
    import av

    try:
        container = av.open(file, "r", options=FFMPEG_OPTIONS)
    except (av.error.FFmpegError, ValueError) as error:
        raise AudioError(f"{name} is not audio in any format known here") from error
    if not container.streams.audio:
        container.close()
        raise AudioError(f"{name} holds no audio stream")
    stream = container.streams.audio[0]
    _check_format(stream.rate, stream.channels, name)

    def blocks() -> Iterator[Signal]:
        resampler = av.AudioResampler(format="fltp")
        with container:
            try:
                for frame in container.decode(stream):
                    for planar in resampler.resample(frame):
                        yield cast(Signal, planar.to_ndarray().T)
            except av.error.FFmpegError as error:
                raise AudioError(f"{name} is truncated or damaged: {error.strerror}") from error

    stated = container.duration / av.time_base if container.duration else None
    return Opened(blocks(), stream.rate, stream.channels, stated)


def _check_format(rate: int, channels: int, name: str) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            f"{name} states a sampling rate of {rate} Hz, not {MIN_RATE} to {MAX_RATE}"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{name} states {channels} channels, not 1 to {MAX_CHANNELS}")


def _gather(blocks: Iterator[Signal], max_samples: int, name: str) -> Signal:
    """Blocks up to `max_samples`."""
    kept: list[Signal] = []
    decoded = 0
    for block in blocks:
        kept.append(block[: max_samples - decoded])
        decoded += len(block)
        if decoded > max_samples:
            warnings.warn(
                f"{name} is longer than max_dur; its rest was not read",
                TruncationWarning,
                stacklevel=3,
            )
            break
    return np.concatenate(kept) if kept else np.zeros(0, np.float32)


def _truncated(name: str, present: float, promised: float) -> str:
    return f"{name} is truncated: {present:.2f} s of {promised:.2f} s are there; copy it again"
