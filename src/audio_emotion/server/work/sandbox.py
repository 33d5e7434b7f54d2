"""The program of a decoder: reads recordings of strangers and sends plain samples.

    python -m audio_emotion.server.work.sandbox FD MEMORY

Decoders are native code that parses whatever it is given.  So they run in a process of their own
with little memory, no files to write, no network where the system allows that, and no secrets in
the environment; who asked can kill it.  What it sends is never unpickled: JSON, and bytes of
float32.

    asked      {"path", "track", "max_dur", "max_samples", "cpu_dur", "encode"}
    to decode  {"sampling_rate", "stated_dur"}, blocks of float32, an empty block, {"notices"}
    to encode  {}, peaks as float32, the recording as Opus in Ogg
    either     {"code", "message"} in place of any JSON, where the recording cannot be used
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
        rate = stream.sampling_rate
        _send(connection, {"sampling_rate": rate, "stated_dur": stream.stated_dur})
        most, left = request["max_dur"] * rate, request["max_samples"]
        count = 0
        for block in map(Mixer(stream.notices), stream.blocks):
            count += len(block)
            if count > min(most, left):
                _refuse_length(request["max_dur"], rate, count > most)
            if len(block):
                connection.send_bytes(block.tobytes())
        connection.send_bytes(b"")
        _send(connection, {"notices": [notice.as_dict() for notice in stream.notices]})


def _encode(connection: Connection, file: BinaryIO, request: dict[str, Any]) -> None:
    from ...formats.timeline_html import encode

    peaks, opus = encode(file)
    _send(connection, {})
    connection.send_bytes(peaks.tobytes())
    connection.send_bytes(opus)


def _refuse_length(most_dur: float, rate: int, by_duration: bool) -> None:
    if by_duration:
        message = f"the recording is longer than {most_dur:g} s"
    else:
        message = f"the recording holds too many samples, at {rate} Hz; resample it to 48000 Hz"
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
    connection.send_bytes(b"")  # the end of the blocks, if there were any
    _send(connection, {"code": code.value, "message": message})


def _send(connection: Connection, value: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(value).encode())


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
