"""Read recordings as mono float32 signals, and find recordings in folders.

libsndfile reads wav, flac, ogg (vorbis, opus) and mp3.  FFmpeg, through PyAV, reads the rest: m4a,
aac, webm, mp4, and wav files whose header was never completed.  Headers are never trusted: memory
grows with the samples that are decoded, up to a maximum duration.
"""

import glob
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import soundfile

from .errors import AudioError, translated

Signal: TypeAlias = npt.NDArray[np.float32]
Source: TypeAlias = str | PathLike[str] | bytes | BinaryIO

MAX_DUR = 3600.0  # s of one recording that are decoded by default
MIN_RATE, MAX_RATE = 1_000, 768_000  # Hz; telephones use 8000, the fastest converters 768000
MAX_CHANNELS = 64
BLOCK = 1 << 16  # frames decoded at a time
UNKNOWN = 1 << 62  # libsndfile reports at least this many frames when it does not know
STREAMED = 0x7FFF_0000  # wav data sizes from here on mean "unknown when the header was written"
AUDIO_SUFFIXES = frozenset(
    (
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".mp4", ".webm"),
        *(".aif", ".aiff", ".caf", ".wma", ".amr"),
    )
)
FFMPEG_OPTIONS = {
    # Playlists and concatenation scripts can name other files, so only plain containers are opened.
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,mp3,ogg,flac,wav,asf,amr,"
    "aiff,caf,avi",
    "protocol_whitelist": "",
}


class TruncationWarning(UserWarning):
    """A recording is longer than the maximum duration, and its rest was not read."""


@dataclass(frozen=True)
class AudioStream:
    """A recording that is decoded block by block."""

    blocks: Iterator[Signal]  # each (frames, channels)
    sampling_rate: int  # Hz
    channels: int
    stated_dur: float | None  # s by the header; good enough for a progress bar only


@contextmanager
def open_audio(source: Source) -> Iterator[AudioStream]:
    """Open a recording of any length; decoding takes bounded memory.

    Raises:
        AudioError: as `read_audio`; errors inside a block are raised when that block is read.
    """
    name = describe(source)
    with _opened(source, name) as file:
        try:
            stream = _sndfile_stream(file, name)
        except soundfile.LibsndfileError:
            file.seek(0)
            stream = _ffmpeg_stream(file, name)
        yield stream


def read_audio(source: Source, *, max_dur: float = MAX_DUR) -> tuple[Signal, int]:
    """Decode a recording and average its channels.

    Args:
        source: a path, the bytes of a file, or a seekable binary file.
        max_dur: seconds after which decoding stops with a `TruncationWarning`.

    Returns:
        The signal `(samples,)`, float32 with full scale at 1, and its sampling rate in Hz.

    Raises:
        AudioError: the file is missing, a directory, empty, not audio, truncated or without
            samples; it holds NaN or infinity; or its header states an absurd sampling rate or
            number of channels.
    """
    if not max_dur > 0:
        raise AudioError(f"max_dur is {max_dur} s; it must be positive")
    name = describe(source)
    with open_audio(source) as stream:
        rate = stream.sampling_rate
        mono = (block.mean(1) for block in stream.blocks)
        signal = _gather(mono, max_samples=round(max_dur * rate), name=name)
    if not signal.size:
        raise AudioError(f"{name} holds no samples")
    if not np.isfinite(signal).all():
        raise AudioError(f"{name} holds NaN or infinite samples; export it again")
    return signal, rate


def resample(signal: Signal, sampling_rate: int, target_rate: int) -> Signal:
    """Resample to `target_rate` Hz by soxr's high-quality band-limited interpolation.

    >>> resample(np.zeros(8000, np.float32), 8000, 16000).size
    16000
    """
    import soxr

    if sampling_rate == target_rate:
        return signal
    return cast(Signal, soxr.resample(signal, sampling_rate, target_rate).astype(np.float32))


def as_signal(signal: npt.ArrayLike, sampling_rate: int) -> Signal:
    """Return `signal` as float32 `(samples,)` with full scale at 1.

    Raises:
        AudioError: it is empty, not one-dimensional, not numeric, or holds NaN or infinity; or
            the sampling rate is not positive.
    """
    array = np.asarray(signal)
    if array.ndim != 1:
        raise AudioError(
            f"the signal has shape {array.shape}; pass one channel, (samples,), such as the mean"
        )
    if not array.size:
        raise AudioError("the signal holds no samples")
    if sampling_rate <= 0:
        raise AudioError(f"the sampling rate is {sampling_rate} Hz; it must be positive")
    if array.dtype.kind in "iu":
        middle = 0 if array.dtype.kind == "i" else np.iinfo(array.dtype).max // 2 + 1
        array = (array.astype(np.float64) - middle) / (np.iinfo(array.dtype).max - middle)
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise AudioError("the signal holds NaN, infinite or non-numeric samples")
    return np.ascontiguousarray(array, np.float32)


def to_samples(seconds: float, sampling_rate: int) -> int:
    """Round seconds to whole samples; the only place where that is done.

    >>> to_samples(0.5, 22_050)
    11025
    """
    return round(seconds * sampling_rate)


def describe(source: Source) -> str:
    """Return what to call `source` in a message."""
    if isinstance(source, bytes):
        return f"recording of {len(source)} bytes"
    if isinstance(source, str | PathLike):
        return str(source)
    return str(getattr(source, "name", "recording"))


def audio_files(root: Path) -> list[Path]:
    """Return every file below `root` with the suffix of a recording, sorted by path."""
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)


def expand(arguments: Iterable[str]) -> Iterator[Path]:
    """Yield the files that a command line names: files, recordings below folders, patterns.

    Raises:
        AudioError: a folder holds no recording, or a pattern matches nothing.
    """
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = audio_files(path)
            if not found:
                raise AudioError(f"{path} holds no recording (wav, flac, ogg, mp3, m4a, …)")
            yield from found
        elif not path.exists() and glob.has_magic(argument):
            matched = sorted(
                map(Path, glob.glob(argument, recursive=True))  # noqa: PTH207  Path.glob refuses absolute patterns
            )
            if not matched:
                raise AudioError(f"nothing matches {argument}")
            yield from (match for match in matched if match.is_file())
        else:
            yield path


@contextmanager
def _opened(source: Source, name: str) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
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
            empty = not file.read(1)
            file.seek(0)
        if empty:
            raise AudioError(f"{name} is empty (0 bytes)")
        yield file
    finally:
        if file is not source:
            file.close()


def _sndfile_stream(file: BinaryIO, name: str) -> AudioStream:
    sound = soundfile.SoundFile(file)
    _check_format(sound.samplerate, sound.channels, name)
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
        if promised is not None and decoded < promised:
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


def _ffmpeg_stream(file: BinaryIO, name: str) -> AudioStream:
    import av

    try:
        container = av.open(file, "r", options=FFMPEG_OPTIONS)
    except (av.error.FFmpegError, ValueError) as error:
        raise AudioError(f"{name} is not audio in any format known here") from error
    if not container.streams.audio:
        container.close()
        raise AudioError(f"{name} holds no audio stream")
    track = container.streams.audio[0]
    _check_format(track.rate, track.channels, name)

    def blocks() -> Iterator[Signal]:
        resampler = av.AudioResampler(format="fltp")
        with container, translated(AudioError, name):
            for frame in container.decode(track):
                for planar in resampler.resample(frame):
                    yield cast(Signal, planar.to_ndarray().T)

    stated = container.duration / av.time_base if container.duration else None
    return AudioStream(blocks(), track.rate, track.channels, stated)


def _check_format(rate: int, channels: int, name: str) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            f"{name} states a sampling rate of {rate} Hz, not {MIN_RATE} to {MAX_RATE}"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{name} states {channels} channels, not 1 to {MAX_CHANNELS}")


def _gather(blocks: Iterator[Signal], max_samples: int, name: str) -> Signal:
    """Join blocks up to `max_samples`."""
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
