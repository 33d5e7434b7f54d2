"""Recordings as they come: what a telephone, a codec, a room or a fan makes of a clean clip.

Each condition takes a signal with its rate and gives another; what is random in it depends on the
clip alone, so every model hears the same.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np

from ..audio import Signal, read_audio, resample
from ..errors import AudioEmotionError

Condition = Callable[[Signal, int, np.random.Generator], tuple[Signal, int]]

TELEPHONE_RATE = 8_000  # Hz
TELEPHONE_BAND = (300, 3_400)  # Hz
MU = 255  # of the companding in ITU-T G.711
MP3_RATE = 32_000  # bit/s
MP3_SAMPLING_RATE = 24_000  # Hz, of MPEG-2 layer III, which such bit rates are for
FALL = 0.5  # s in which the reverberation falls by 60 dB
DIRECT_TO_ECHO = 3.0  # dB


def telephone(signal: Signal, sampling_rate: int, _: np.random.Generator) -> tuple[Signal, int]:
    """Band 300–3,400 Hz, 8 kHz, 8-bit µ-law."""
    narrow = resample(signal, sampling_rate, TELEPHONE_RATE)
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 1 / TELEPHONE_RATE)
    spectrum[(hertz < TELEPHONE_BAND[0]) | (hertz > TELEPHONE_BAND[1])] = 0
    band = np.clip(np.fft.irfft(spectrum, len(narrow)), -1, 1)
    squeezed = np.sign(band) * np.log1p(MU * np.abs(band)) / np.log1p(MU)
    levels = np.round(squeezed * 127) / 127
    return (np.sign(levels) * np.expm1(np.abs(levels) * np.log1p(MU)) / MU).astype(
        np.float32
    ), TELEPHONE_RATE


def mp3(signal: Signal, sampling_rate: int, _: np.random.Generator) -> tuple[Signal, int]:
    """MP3 at 32 kbit/s, there and back."""
    heard = np.clip(resample(signal, sampling_rate, MP3_SAMPLING_RATE), -1, 1)
    pcm = np.round(heard * 32_767).astype(np.int16)[None]
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=MP3_SAMPLING_RATE, layout="mono")
        stream.bit_rate = MP3_RATE
        # Bits saved for later frames, which decoders of a beginning complain of.
        stream.codec_context.options = {"reservoir": "0"}
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = MP3_SAMPLING_RATE
        frame.time_base = Fraction(1, MP3_SAMPLING_RATE)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return read_audio(file.getvalue())


def pink_noise(snr: float) -> Condition:
    """Noise whose power falls by 3 dB an octave, `snr` dB below the clip's mean power."""

    def add(signal: Signal, rate: int, rng: np.random.Generator) -> tuple[Signal, int]:
        spectrum = np.fft.rfft(rng.standard_normal(len(signal)))
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
        noise = np.fft.irfft(spectrum, len(signal))
        wanted = np.sqrt(np.square(signal).mean() * 10 ** (-snr / 10))
        loudness = np.sqrt(np.square(noise).mean()) or 1.0
        return (signal + noise * wanted / loudness).astype(np.float32), rate

    return add


def gain(decibel: float) -> Condition:
    """Louder or weaker, without clipping: float samples have room."""

    def scale(signal: Signal, rate: int, _: np.random.Generator) -> tuple[Signal, int]:
        return (signal * 10 ** (decibel / 20)).astype(np.float32), rate

    return scale


def reverberation(signal: Signal, rate: int, rng: np.random.Generator) -> tuple[Signal, int]:
    """A room of 0.5 s: an exponentially decaying noise after the direct sound, 3 dB below it."""
    time = np.arange(round(FALL * rate)) / rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / FALL)
    tail *= 10 ** (-DIRECT_TO_ECHO / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    size = len(signal) + len(tail) - 1
    heard = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(tail, size), size)
    return heard.astype(np.float32), rate


def silence_before(seconds: float) -> Condition:
    """Digital silence, then the clip."""

    def lead(signal: Signal, rate: int, _: np.random.Generator) -> tuple[Signal, int]:
        return np.concatenate([np.zeros(round(seconds * rate), np.float32), signal]), rate

    return lead


def tape(semitones: float) -> Condition:
    """As a tape played faster, or slower: pitch, vocal tract and tempo by the same factor."""

    def play(signal: Signal, rate: int, _: np.random.Generator) -> tuple[Signal, int]:
        return signal, round(rate * 2 ** (semitones / 12))

    return play


CONDITIONS: dict[str, Condition] = {
    "telephone": telephone,
    "mp3-32k": mp3,
    "pink-noise-20dB": pink_noise(20),
    "pink-noise-10dB": pink_noise(10),
    "louder-20dB": gain(20),
    "weaker-20dB": gain(-20),
    "reverberation": reverberation,
    "silence-before-1s": silence_before(1.0),
    "higher-1-semitone": tape(1),
    "lower-1-semitone": tape(-1),
}


def condition(name: str) -> Condition:
    """The condition of that name.

    Raises:
        AudioEmotionError: there is none.
    """
    if name not in CONDITIONS:
        raise AudioEmotionError(
            f"there is no condition {name!r}: choose one of {', '.join(CONDITIONS)}"
        )
    return CONDITIONS[name]


def generator(clip: str) -> np.random.Generator:
    """The random numbers of a clip, by its name."""
    return np.random.default_rng(zlib.crc32(clip.encode()))
