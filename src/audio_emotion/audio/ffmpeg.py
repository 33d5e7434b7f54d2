"""Decode recordings with FFmpeg, through PyAV: what libsndfile does not read.

One track is decoded at its first sampling rate and layout, whatever changes midway.  In containers
with timestamps, a late start and gaps become silence, so that times stay in step with a picture.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import av
import numpy as np

from ..errors import AudioError, translated
from ..notices import Code, Notice
from .signal import Signal
from .stream import AudioStream, check_format

OPTIONS = {
    # Playlists and concatenation scripts can name other files, so only plain containers are opened.
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,mp3,ogg,flac,wav,w64,asf,amr,"
    "aiff,caf,avi,au,flv,mpegts,wv,ac3,eac3,nistsphere",
    "protocol_whitelist": "",
}
TIMED = {"mov", "matroska", "asf", "flv", "mpegts", "avi"}  # containers whose timestamps count
GAP_DUR = 0.05  # s; shorter gaps are rounding and encoder delay
SLOP_DUR = 0.5  # s that a header may announce too much
MAX_GAP_DUR = 600.0  # s; what jumps further joins two recordings
MAX_GAPS_DUR = 3600.0  # s of all gaps that are filled: jumping times must not make days of sound
ZEROS = 1 << 16  # frames of silence yielded at a time


def ffmpeg_stream(file: BinaryIO, name: str, track: int | None) -> AudioStream:
    """Open one track of a recording.

    Args:
        file: open for reading and seeking.
        name: of the recording, for messages.
        track: number of the audio track, from 1; by default the container's default track, or if
            that is silent the first that is not.

    Raises:
        AudioError: it is no recording, has no such track, or states an absurd rate or number of
            channels.
    """
    container = _open(file, name)
    tracks = container.streams.audio
    if not tracks:
        container.close()
        raise AudioError(f"{name} holds no audio stream")
    if track is not None and not 1 <= track <= len(tracks):
        container.close()
        raise AudioError(f"{name} has {len(tracks)} audio tracks, so there is no track {track}")
    notices: list[Notice] = []
    chosen = tracks.index(container.streams.best("audio") or tracks[0])
    if track is not None:
        chosen = track - 1
    elif len(tracks) > 1:
        container.close()
        chosen = _loud_track(file, name, len(tracks), chosen, notices)
        container = _open(file, name)
    stream = container.streams.audio[chosen]
    rate, channels = getattr(stream, "rate", None) or 0, getattr(stream, "channels", None) or 0
    check_format(rate, channels, name)
    stated = container.duration / av.time_base if container.duration else None
    blocks = _blocks(container, stream, name, notices)
    return AudioStream(blocks, rate, channels, stated, notices)


def _open(file: BinaryIO, name: str) -> Any:
    file.seek(0)
    try:
        return av.open(file, "r", options=OPTIONS)
    except (av.error.FFmpegError, OSError, ValueError) as error:  # OSError: it seeks anywhere
        raise AudioError(f"{name} is not audio in any format known here") from error


def _loud_track(file: BinaryIO, name: str, count: int, default: int, notices: list[Notice]) -> int:
    """Return the default track, or the first that is not silent, and say which is used."""
    order = [default, *(number for number in range(count) if number != default)]
    loud = (number for number in order if _is_loud(file, name, number))
    chosen = next(loud, default)
    message = f"there are {count} audio tracks; track {chosen + 1} is used"
    if chosen != default:
        message += f", because track {default + 1} is silent"
    notices.append(Notice(Code.SEVERAL_TRACKS, message))
    return chosen


def _is_loud(file: BinaryIO, name: str, track: int) -> bool:
    with _open(file, name) as container, translated(AudioError, name):
        resampler = av.AudioResampler("flt")
        frames = _frames(container, container.streams.audio[track], [])
        return any(np.any(_samples(p)) for frame in frames for p in resampler.resample(frame))


def _blocks(container: Any, stream: Any, name: str, notices: list[Notice]) -> Iterator[Signal]:
    """Yield `(frames, channels)` at the rate and layout of the first frame."""
    timed = not TIMED.isdisjoint(container.format.name.split(","))
    clock = _Clock((container.start_time or 0) / av.time_base, stream.rate)
    rate, layout = stream.rate, stream.layout.name
    resampler, kind = av.AudioResampler("flt", layout, rate), None
    promised = _promised_dur(container, stream, timed)
    with container:
        try:
            for frame in _frames(container, stream, notices):
                if kind != (kind := (frame.sample_rate, frame.layout.name, frame.format.name)):
                    resampler = av.AudioResampler("flt", layout, rate)
                if timed and frame.time is not None:
                    yield from _silence(clock.gap(frame.time), stream.channels)
                for packed in resampler.resample(frame):
                    clock.position += packed.samples
                    yield _samples(packed)
        except (av.error.FFmpegError, OSError) as error:
            if not clock.position:
                with translated(AudioError, name):
                    raise
            message = f"damaged after {clock.seconds:.1f} s ({error.strerror}); used up to there"
            notices.append(Notice(Code.CUT_SHORT, message))
        else:
            if clock.seconds + SLOP_DUR < promised:
                message = f"cut short: it ends after {clock.seconds:.1f} s of {promised:.1f} s"
                notices.append(Notice(Code.CUT_SHORT, message))
    if clock.left_out:
        message = f"its times jump by {clock.left_out:.0f} s, which are left out"
        notices.append(Notice(Code.DAMAGED, message))


class _Clock:
    """Where a recording is, by its samples and by its timestamps.

    Args:
        begin: timestamp of the first sample, in seconds.
        rate: sampling rate in Hz.
    """

    def __init__(self, begin: float, rate: int) -> None:
        self.begin, self.rate = begin, rate
        self.position = 0  # samples so far, the silence of gaps included
        self.left_out = 0.0  # s of gaps that are no silence
        self._filled = 0.0  # s of gaps that are

    @property
    def seconds(self) -> float:
        return self.position / self.rate

    def gap(self, time: float) -> int:
        """Return the samples of silence before what begins at `time`, and count them."""
        missing = time - self.begin - self.seconds
        if missing <= GAP_DUR:
            return 0
        if missing > MAX_GAP_DUR or self._filled + missing > MAX_GAPS_DUR:
            self.left_out += missing
            self.begin += missing
            return 0
        self._filled += missing
        samples = round(missing * self.rate)
        self.position += samples
        return samples


def _frames(container: Any, stream: Any, notices: list[Notice]) -> Iterator[Any]:
    """Decode packet by packet: one that is damaged does not end the recording."""
    damaged, error, any_frame = 0, None, False
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError as invalid:
            damaged, error = damaged + 1, invalid
            continue
        any_frame = any_frame or bool(frames)
        yield from frames
    if error and not any_frame:
        raise error
    if damaged:
        message = f"{damaged} packets are damaged and left out"
        notices.append(Notice(Code.DAMAGED, message))


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    while True:
        try:
            yield from container.demux(stream)
        except IndexError:  # of a stream that begins midway; PyAV knows those of the header
            continue
        return


def _samples(packed: Any) -> Signal:
    """Return `(frames, channels)`; planes of more than 8 channels cannot be read one by one."""
    return cast(Signal, packed.to_ndarray().reshape(-1, packed.layout.nb_channels))


def _promised_dur(container: Any, stream: Any, timed: bool) -> float:
    """Return the seconds of sound that the header announces; 0 if it does not."""
    if container.format.name == "caf":  # its duration is that of the file that is there
        return float(stream.frames / stream.rate)
    if not timed:
        return 0.0
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if not container.duration or len(container.streams) > len(container.streams.audio):
        return 0.0  # unknown, or the picture's, perhaps
    first = max(container.start_time or 0, 0)  # matroska states the last timestamp
    return float((container.duration - first) / av.time_base)


def _silence(frames: int, channels: int) -> Iterator[Signal]:
    for at in range(0, frames, ZEROS):
        yield np.zeros((min(ZEROS, frames - at), channels), np.float32)
