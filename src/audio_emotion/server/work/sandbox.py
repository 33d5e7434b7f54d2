"""The program of a decoder: reads recordings of strangers and sends plain samples.

    python -m audio_emotion.server.work.sandbox FD MEMORY

Decoders are native code that parses whatever it is given.  So they run in a process of their own
with little memory, no files to write, no network where the system allows that, and no secrets in
the environment; who asked can kill it.  What it sends is never unpickled: each message is a line of
JSON and bytes.

    asked       path, track, max_dur, max_samples, cpu_dur, encode
    to decode   sampling_rate, stated_dur, at last notices   samples as float32
    to encode   peaks: bytes of them                         peaks as float32, Opus in Ogg
    an error    code, message                                none

`last` is true in the last message of an answer, so a short recording takes one message.
"""

import ctypes
import io
import json
import os
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO

import soundfile

from ...audio import Mixer, open_audio
from ...errors import AudioEmotionError, AudioError, ServiceError
from ...notices import Code

NEW_NETWORK, NEW_USER = 0x4000_0000, 0x1000_0000  # flags of Linux' unshare(2)
PIECE = 1 << 18  # samples in a message, at least, but for the last
PLAIN = {"WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64", "RF64", "NIST"}
NAME = "the recording"  # in messages; that of the client's file is not known here


def main() -> None:
    """Answer requests until the other end goes away."""
    connection = Connection(int(sys.argv[1]))
    alone = _leave_network()
    _limit(int(sys.argv[2]))
    _send(connection, {"network": not alone})
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        _answer(connection, request)


def _answer(connection: Connection, request: dict[str, Any]) -> None:
    _allow_seconds(request["cpu_dur"])
    work: Callable[..., None] = _encode if request["encode"] else _decode
    try:
        with _opened(request["path"]) as file:
            _check_container(file)
            work(connection, file, request)
    except AudioEmotionError as error:
        _fail(connection, error.code, str(error))
    except MemoryError:
        _fail(connection, Code.DECODE_LIMIT, "decoding takes too much memory")


def _decode(connection: Connection, file: BinaryIO, request: dict[str, Any]) -> None:
    with open_audio(file, track=request["track"]) as stream:
        facts = {"sampling_rate": stream.sampling_rate, "stated_dur": stream.stated_dur}
        kept: list[bytes] = []
        count = sent = 0
        for block in map(Mixer(stream.notices), stream.blocks):
            count += len(block)
            _check_length(count, stream.sampling_rate, request)
            kept.append(block.tobytes())
            if count - sent >= PIECE:
                _send(connection, facts, *kept)
                kept, sent = [], count
        notices = [notice.as_dict() for notice in stream.notices]
        _send(connection, {**facts, "notices": notices, "last": True}, *kept)


def _encode(connection: Connection, file: BinaryIO, request: dict[str, Any]) -> None:
    from ...formats.timeline_html import encode

    peaks, opus = encode(file, request["track"])
    _send(connection, {"peaks": peaks.nbytes, "last": True}, peaks.tobytes(), opus)


def _check_length(count: int, rate: int, request: dict[str, Any]) -> None:
    most_dur = request["max_dur"]
    if count > most_dur * rate:
        message = f"the recording is longer than {most_dur:g} s"
    elif count > request["max_samples"]:
        message = f"the recording holds too many samples, at {rate} Hz; resample it to 48000 Hz"
    else:
        return
    raise ServiceError(f"{message}; send a long recording to /v1/jobs", Code.TOO_LONG)


def _check_container(file: BinaryIO) -> None:
    """Refuse what libsndfile opens beside plain recordings; FFmpeg has such a list already."""
    try:
        with soundfile.SoundFile(file) as sound:
            found = sound.format
    except (soundfile.LibsndfileError, ValueError):
        return  # none of its containers
    finally:
        file.seek(0)
    if found not in PLAIN:
        raise AudioError(f"{NAME} is in a container that is not decoded here ({found})")


def _opened(path: str) -> BinaryIO:
    raw = io.FileIO(path)
    raw.name = NAME  # what error messages say
    return io.BufferedReader(raw)


def _fail(connection: Connection, code: Code, message: str) -> None:
    _send(connection, {"code": code.value, "message": message, "last": True})


def _send(connection: Connection, facts: dict[str, Any], *parts: bytes) -> None:
    connection.send_bytes(b"".join([json.dumps(facts).encode(), b"\n", *parts]))


def _limit(memory: int) -> None:
    """Allow `memory` bytes beside those in use, and no file to be written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _allow_seconds(cpu_dur: float) -> None:
    """Let the system end this process after so many further seconds of processor time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    until = round(usage.ru_utime + usage.ru_stime + max(1, cpu_dur))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _leave_network() -> bool:
    """Move to a network without interfaces, if the system lets this user do so."""
    if sys.platform != "linux":
        return False
    unshare = ctypes.CDLL(None).unshare
    return any(unshare(flags) == 0 for flags in (NEW_NETWORK, NEW_USER | NEW_NETWORK))


if __name__ == "__main__":
    main()
    os._exit(0)  # libraries have nothing worth tidying
