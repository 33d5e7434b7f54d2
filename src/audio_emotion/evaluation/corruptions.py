"""Corruptions of clean clips as telephones, codecs, rooms and noise cause them.

A corruption maps a signal and its sampling rate to new ones.  Its random numbers depend on the name
of the clip alone, so every model is evaluated on the same signals.
"""

import io
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np

from ..audio import Signal, read_audio, resample
from ..errors import AudioEmotionError

Corruption = Callable[[Signal, int, np.random.Generator], tuple[Signal, int]]

TELEPHONE_RATE = 8_000  # Hz
TELEPHONE_BAND = (300, 3_400)  # Hz
MU = 255  # of the companding in ITU-T G.711
MP3_BIT_RATE = 32_000  # bit/s
MP3_SAMPLING_RATE = 24_000  # Hz, in MPEG-2 layer III, which is meant for such bit rates
REVERBERATION_TIME = 0.5  # s in which the reverberation falls by 60 dB
DIRECT_TO_REVERBERANT = 3.0  # dB


def telephone(signal: Signal, sampling_rate: int, _: object) -> tuple[Signal, int]:
    """Limit the band to 300–3,400 Hz and encode in 8-bit µ-law at 8 kHz."""
    narrow = resample(signal, sampling_rate, TELEPHONE_RATE)
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 1 / TELEPHONE_RATE)
    spectrum[(hertz < TELEPHONE_BAND[0]) | (hertz > TELEPHONE_BAND[1])] = 0
    band = np.clip(np.fft.irfft(spectrum, len(narrow)), -1, 1)
    compressed = np.sign(band) * np.log1p(MU * np.abs(band)) / np.log1p(MU)
    levels = np.round(compressed * 127) / 127
    expanded = np.sign(levels) * np.expm1(np.abs(levels) * np.log1p(MU)) / MU
    return expanded.astype(np.float32), TELEPHONE_RATE


def mp3(signal: Signal, sampling_rate: int, _: object) -> tuple[Signal, int]:
    """Encode as MP3 at 32 kbit/s and decode again."""
    import av

    narrow = np.clip(resample(signal, sampling_rate, MP3_SAMPLING_RATE), -1, 1)
    pcm = np.round(narrow * 32_767).astype(np.int16)[None]
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=MP3_SAMPLING_RATE, layout="mono")
        stream.bit_rate = MP3_BIT_RATE
        # Without a bit reservoir every frame decodes alone; decoders would warn about the first.
        stream.codec_context.options = {"reservoir": "0"}
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = MP3_SAMPLING_RATE
        frame.time_base = Fraction(1, MP3_SAMPLING_RATE)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return read_audio(file.getvalue())


def pink_noise(
    signal: Signal, rate: int, rng: np.random.Generator, *, snr_db: float
) -> tuple[Signal, int]:
    """Add noise that falls by 3 dB per octave, `snr_db` below the mean power of the clip."""
    spectrum = np.fft.rfft(rng.standard_normal(len(signal)))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    noise = np.fft.irfft(spectrum, len(signal))
    wanted = np.sqrt(np.square(signal).mean() * 10 ** (-snr_db / 10))
    rms = np.sqrt(np.square(noise).mean()) or 1.0
    return (signal + noise * wanted / rms).astype(np.float32), rate


def gain(signal: Signal, rate: int, _: object, *, decibel: float) -> tuple[Signal, int]:
    """Amplify or attenuate; float samples above full scale are not clipped."""
    return (signal * 10 ** (decibel / 20)).astype(np.float32), rate


def reverberation(signal: Signal, rate: int, rng: np.random.Generator) -> tuple[Signal, int]:
    """Convolve with an exponentially decaying noise of 0.5 s, 3 dB below the direct sound."""
    time = np.arange(round(REVERBERATION_TIME * rate)) / rate
    response = rng.standard_normal(len(time)) * 10 ** (-3 * time / REVERBERATION_TIME)
    response *= 10 ** (-DIRECT_TO_REVERBERANT / 20) / np.sqrt(np.square(response).sum())
    response[0] = 1
    size = len(signal) + len(response) - 1
    wet = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(response, size), size)
    return wet.astype(np.float32), rate


def silence_before(signal: Signal, rate: int, _: object, *, seconds: float) -> tuple[Signal, int]:
    """Prepend digital silence."""
    return np.concatenate([np.zeros(round(seconds * rate), np.float32), signal]), rate


def varispeed(signal: Signal, rate: int, _: object, *, semitones: float) -> tuple[Signal, int]:
    """Play faster or slower, which scales pitch, formants and tempo by the same factor."""
    return signal, round(rate * 2 ** (semitones / 12))


CORRUPTIONS: dict[str, Corruption] = {
    "telephone": telephone,
    "mp3-32k": mp3,
    "pink-noise-20dB": partial(pink_noise, snr_db=20),
    "pink-noise-10dB": partial(pink_noise, snr_db=10),
    "gain+20dB": partial(gain, decibel=20),
    "gain-20dB": partial(gain, decibel=-20),
    "reverberation": reverberation,
    "silence-before-1s": partial(silence_before, seconds=1),
    "varispeed+1st": partial(varispeed, semitones=1),
    "varispeed-1st": partial(varispeed, semitones=-1),
}


def corruption(name: str) -> Corruption:
    """Return the corruption of that name.

    Raises:
        AudioEmotionError: there is none.
    """
    if name not in CORRUPTIONS:
        raise AudioEmotionError(
            f"there is no corruption {name!r}; choose one of {', '.join(CORRUPTIONS)}"
        )
    return CORRUPTIONS[name]


def generator(clip: str) -> np.random.Generator:
    """Return the random numbers for the clip of that name."""
    return np.random.default_rng(zlib.crc32(clip.encode()))
