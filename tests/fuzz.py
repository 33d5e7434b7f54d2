"""Damaged recordings of every container: each is predicted or refused in words, soon, in 1 GB.

    python tests/fuzz.py --count 10000 [--seed 0] [--keep FOLDER]
    python tests/fuzz.py --only 123 [--seed 0] [--keep FOLDER]

A mutant is a recording that was made here and then damaged, by a generator that depends on seed and
number alone.  Workers predict mutants and make their timelines.  A failure is any exception but an
error of this package, a value that is not finite, a message of several lines, more than 20 s, more
than 1 GB, or the death of the worker.
"""

import argparse
import io
import multiprocessing
import os
import resource
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import av
import numpy as np
import soundfile

from audio_emotion import Classifier, resample
from audio_emotion.datasets import load_corpus
from audio_emotion.errors import AudioEmotionError
from audio_emotion.inference.result import predict_file
from audio_emotion.timeline import timelines_of_file
from conftest import RATE, voice

MAX_TIME = 20.0  # s
MAX_MEMORY = 1 << 30  # bytes above what a worker needs before its first mutant
SNDFILE = (  # format and subtype
    *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW")),
    *(("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"), ("MP3", "MPEG_LAYER_III")),
    *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS")),
    *(("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"), ("CAF", "ALAC_16")),
    *(("W64", "PCM_16"), ("RF64", "PCM_16"), ("NIST", "PCM_16")),
)
FFMPEG = (  # container, codec, sampling rate
    *(("mp4", "aac", 44_100), ("adts", "aac", 22_050), ("mov", "pcm_s16le", RATE)),
    *(("3gp", "aac", 16_000), ("webm", "libopus", 48_000), ("matroska", "aac", RATE)),
    *(("avi", "pcm_s16le", RATE), ("avi", "libmp3lame", RATE), ("wav", "libmp3lame", RATE)),
    *(("asf", "wmav2", 44_100), ("flv", "libmp3lame", 44_100), ("mpegts", "aac", 48_000)),
    *(("wv", "wavpack", 16_000), ("ac3", "ac3", 48_000), ("eac3", "eac3", 48_000)),
    *(("amr", "libopencore_amrnb", 8_000), ("au", "pcm_alaw", 8_000), ("ogg", "libopus", 48_000)),
)
BIT_RATE = 32_000  # bit/s; 12,200 is one of those that AMR has
LIES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
HEADER = 512  # bytes in which lies are told


def originals() -> dict[str, bytes]:
    """Return a recording in every container by its name, and a corpus as zip archive."""
    signal = voice(0.6)
    found = {}
    for kind, subtype in SNDFILE:
        stream = io.BytesIO()
        soundfile.write(stream, signal, RATE, format=kind, subtype=subtype)
        found[f"{kind} {subtype}"] = stream.getvalue()
    for container, codec, rate in FFMPEG:
        found[f"{container} {codec}"] = encoded(signal, container, codec, rate)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("EB0_anger_1.flac", found["FLAC PCM_16"])
        archive.writestr("KS0_sadness_2.wav", found["WAV PCM_16"])
    return {**found, "zip": stream.getvalue()}


def encoded(signal: np.ndarray, container: str, codec: str, rate: int) -> bytes:
    """Return a recording that FFmpeg wrote."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=container) as output:
        track = output.add_stream(codec, rate=rate, layout="mono")
        track.bit_rate = 12_200 if container == "amr" else BIT_RATE
        frame = av.AudioFrame.from_ndarray(resample(signal, RATE, rate)[None], "fltp", "mono")
        frame.sample_rate = rate
        track.codec_context.open()
        size = track.codec_context.frame_size or None
        resampler = av.AudioResampler(track.format.name, "mono", rate, frame_size=size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(track.encode(part))
        output.mux(track.encode(None))
    return stream.getvalue()


def mutant(files: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Return what was done to which recording, and the result."""
    rng = np.random.default_rng([seed, number])
    names = list(files)
    name = names[number % len(names)]
    content = bytearray(files[name])
    done = []
    for _ in range(rng.integers(1, 4)):
        damage = DAMAGES[rng.integers(len(DAMAGES))]
        content = damage(content, rng, files[names[rng.integers(len(names))]])
        done.append(damage.__name__)
    return f"{name}: {', '.join(done)}", bytes(content)


def flip_bits(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Flip up to a hundred bits anywhere."""
    for at in rng.integers(0, 8 * max(1, len(content)), 10 ** rng.integers(0, 3)):
        content[at // 8 : at // 8 + 1] = bytes(b ^ 1 << at % 8 for b in content[at // 8 :][:1])
    return content


def truncate(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Leave the end out."""
    return content[: rng.integers(0, len(content) + 1)]


def lie(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """State other numbers in the header, or near the end, where some containers have it."""
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, HEADER))
        at = at if rng.random() < 0.8 else max(0, len(content) - 1 - at)
        width, order = int(rng.choice([1, 2, 4])), rng.choice(["little", "big"])
        number = int(rng.choice(LIES)) & (1 << 8 * width) - 1
        content[at : at + width] = number.to_bytes(width, order)
    return content


def splice(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Go on with a part of another recording."""
    at, start = (int(rng.integers(0, len(part) + 1)) for part in (content, other))
    return content[:at] + other[start:]


def repeat(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Repeat a part, or leave it out."""
    start, end = sorted(int(at) for at in rng.integers(0, len(content) + 1, 2))
    return content[:end] + content[start if rng.random() < 0.5 else end + 100 :]


def overwrite(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """Replace a part by noise or zeros."""
    start, size = int(rng.integers(0, len(content) + 1)), int(4 ** rng.integers(1, 7))
    noise = rng.bytes(size) if rng.random() < 0.5 else bytes(size)
    content[start : start + size] = noise[: len(content) - start]
    return content


DAMAGES = (flip_bits, truncate, lie, splice, repeat, overwrite)


def check(classifier: Classifier, name: str, content: bytes, folder: Path) -> str | None:
    """Return what is wrong with how a mutant is treated, or None."""
    path = folder / ("mutant.zip" if name.startswith("zip") else "mutant.bin")
    path.write_bytes(content)
    if path.suffix == ".zip":
        try:
            clips = load_corpus(path).clips
            sources = [clip.content() for clip in clips]
        except AudioEmotionError as error:
            return _check_words(str(error))
    else:
        sources = [path]
    for source in sources:
        result = predict_file(classifier, source, name="mutant")
        values = (result.prediction and result.prediction.probabilities) or {}
        if not np.isfinite(list(values.values())).all():
            return f"probabilities {values}"
        wrong = _check_words(result.error or "")
        try:
            list(timelines_of_file(source, classifier))
        except AudioEmotionError as error:
            wrong = wrong or _check_words(str(error))
        if wrong:
            return wrong
    return None


def _check_words(message: str) -> str | None:
    return f"several lines: {message!r}" if "\n" in message else None


def serve(connection: Connection, seed: int, folder: Path) -> None:
    """Check mutants by number, and send what is wrong with each."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", RuntimeWarning)  # of numpy: NaN, division by zero
    av.logging.set_level(av.logging.PANIC)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what codecs print
    files, classifier = originals(), Classifier(threads=1)
    for name in ("WAV PCM_16", "mp4 aac"):
        assert check(classifier, name, files[name], folder) is None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2 * MAX_MEMORY,) * 2)
    connection.send(None)
    while (number := connection.recv()) is not None:
        try:
            wrong = check(classifier, *mutant(files, seed, number), folder)
        except BaseException:
            wrong = traceback.format_exc(limit=-6)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        connection.send(wrong or (f"{peak / 1e6:.0f} MB" if peak > MAX_MEMORY else None))


def work(numbers: Iterator[int], seed: int, folder: Path) -> dict[int, str]:
    """Return what is wrong with mutants, checked one by one in a process that may die."""
    found: dict[int, str] = {}
    folder.mkdir()
    started = None
    for number in numbers:
        connection, process = started = started or start(seed, folder)
        connection.send(number)
        wrong: str | None = f"more than {MAX_TIME:.0f} s"
        try:
            if connection.poll(MAX_TIME):
                wrong = connection.recv()
        except EOFError:
            process.join()
            wrong = f"the process died: exit code {process.exitcode}"
        if wrong:
            found[number] = wrong
            print(f"{number}: {wrong}", flush=True)
            process.kill()
            started = None
    if started:
        started[0].send(None)
    return found


def start(seed: int, folder: Path) -> tuple[Connection, BaseProcess]:
    """Start a process that checks mutants, and wait until it is ready."""
    context = multiprocessing.get_context("spawn")
    connection, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, seed, folder), daemon=True)
    process.start()
    theirs.close()
    assert connection.recv() is None
    return connection, process


def main() -> None:
    """Print the failures and how many there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="number of one mutant")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that fail")
    arguments = parser.parse_args()
    files, seed = originals(), arguments.seed
    every = range(arguments.count) if arguments.only is None else [arguments.only]
    numbers = iter(every)  # shared: each worker takes the next
    jobs = min(len(every), os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        folders = [Path(name, str(job)) for job in range(jobs)]
        done = list(pool.map(lambda folder: work(numbers, seed, folder), folders))
    failures = {number: wrong for found in done for number, wrong in found.items()}
    for number in sorted(failures):
        what, content = mutant(files, seed, number)
        print(f"{number} is {what}")
        if arguments.keep:
            arguments.keep.mkdir(exist_ok=True)
            (arguments.keep / f"{seed}-{number}").write_bytes(content)
    print(f"{len(failures)} failures among {len(every)} mutants of {len(files)} recordings")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
