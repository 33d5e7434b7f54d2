"""Decode recordings with libsndfile: wav, flac, ogg (vorbis, opus), mp3, aiff and the like.

What ends before its header promised is refused if it is wav or flac, and otherwise used with a
notice.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, cast

import soundfile

from ..errors import AudioError, translated
from ..notices import Code, Notice
from .signal import Signal
from .stream import BLOCK, AudioStream, check_format

UNKNOWN = 1 << 62  # libsndfile reports at least this many frames when it does not know
SLOP_DUR = 0.1  # s that a header may announce too much
SLOP = 4096  # bytes likewise
MARKERS = {  # how streams begin, equally long; files are joined by writing one after another
    "OGG": (b"OggS\x00\x02",),
    "FLAC": (b"fLaC\x00\x00\x00\x22",),
    "MP3": (b"Xing\x00\x00\x00", b"Info\x00\x00\x00"),  # only those that state their frames
}
CHUNK = 1 << 20  # bytes
PAGE = 1 << 16  # bytes, at most, of a page of ogg
STREAMED = 0x7FFF_0000  # wav data sizes from here on mean "unknown when the header was written"


def sndfile_stream(file: BinaryIO, name: str) -> AudioStream:
    sound = soundfile.SoundFile(file)
    check_format(sound.samplerate, sound.channels, name)
    promised = _promised_frames(sound)
    if promised is None and not 0 < sound.frames < UNKNOWN and sound.format in {"WAV", "FLAC"}:
        raise soundfile.LibsndfileError(0)  # the size was never filled in: FFmpeg reads to the end

    notices: list[Notice] = []
    markers = MARKERS.get(sound.format)
    streams = _count(file, markers) if markers else 0
    if streams > 1:
        raise soundfile.LibsndfileError(0)  # libsndfile stops at the end of the first stream
    if sound.format == "OGG" and not sound.frames:
        raise AudioError(f"{name} is truncated before its first page of sound ends; copy it again")
    slop = round(SLOP_DUR * sound.samplerate)
    complete = _ends(sound, file) and not _announces_more(sound)

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
        if promised is not None and decoded + slop < promised:
            raise AudioError(
                f"{name} is truncated: {decoded / sound.samplerate:.2f} s of "
                f"{promised / sound.samplerate:.2f} s are there; copy it again"
            )
        missing = sound.format == "MP3" and streams and decoded + slop < sound.frames
        if missing or not complete:
            message = f"cut short: it ends after {decoded / sound.samplerate:.1f} s"
            notices.append(Notice(Code.CUT_SHORT, message))

    stated = sound.frames / sound.samplerate if 0 < sound.frames < UNKNOWN else None
    return AudioStream(blocks(), sound.samplerate, sound.channels, stated, notices)


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


def _count(file: BinaryIO, markers: tuple[bytes, ...]) -> int:
    """Count markers in a file, and leave the file where it was."""
    position, found, tail = file.tell(), 0, b""
    file.seek(0)
    while chunk := file.read(CHUNK):
        text = tail + chunk
        found += sum(map(text.count, markers))
        tail = text[-len(markers[0]) + 1 :]
    file.seek(position)
    return found


def _announces_more(sound: soundfile.SoundFile) -> bool:
    """Whether the log states sizes beyond the end of the file."""
    if sound.format not in {"AIFF", "AU", "W64", "RF64"}:
        return False
    sizes = re.findall(r"(\d+) \(should be (\d+)\)", sound.extra_info)
    return any(int(there) + SLOP < int(stated) < STREAMED for stated, there in sizes)


def _ends(sound: soundfile.SoundFile, file: BinaryIO) -> bool:
    """Whether a recording has the end that its format asks for: ogg marks its last page."""
    if sound.format != "OGG":
        return True
    position = file.tell()
    file.seek(0, 2)
    file.seek(max(0, file.tell() - 2 * PAGE))
    tail = file.read()
    file.seek(position)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    return not page.startswith(b"OggS") or (len(page) > 5 and bool(page[5] & 4))
