"""Augmentation of a waveform, with a numpy generator of the clip's own: pitch, tempo, noise."""

from typing import Any, cast

import numpy as np

from ...audio import Signal
from ...config import AugmentConfig


def draw_pitch_and_speed(config: AugmentConfig, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a shift in semitones and a speed factor, each neutral unless its probability strikes."""
    semitones = rng.uniform(-config.pitch_semitones, config.pitch_semitones)
    speed = rng.uniform(1 - config.stretch, 1 + config.stretch)
    pitched, stretched = rng.random(2) < config.waveform_p
    return round(semitones, 3) if pitched else 0.0, round(speed, 4) if stretched else 1.0


def shift_and_stretch(signal: Signal, sampling_rate: int, semitones: float, speed: float) -> Signal:
    """Return `signal` shifted by `semitones`, `speed` times as fast, in its original length.

    The Signalsmith stretcher does both in one pass.  A longer result loses both ends equally, and a
    shorter one gets zeros at both.
    """
    import python_stretch

    if semitones == 0 and speed == 1:
        return signal
    stretcher: Any = python_stretch.Signalsmith.Stretch(0)
    stretcher.preset(1, float(sampling_rate))
    stretcher.setTransposeSemitones(semitones)
    stretcher.setTimeFactor(speed)
    return fix_length(stretcher.process(signal[None])[0], len(signal))


def fix_length(signal: Signal, samples: int) -> Signal:
    """Return the middle `samples` of `signal`, or `signal` in the middle of that many.

    >>> fix_length(np.ones(2, np.float32), 4)
    array([0., 1., 1., 0.], dtype=float32)
    """
    surplus = len(signal) - samples
    if surplus >= 0:
        return signal[surplus // 2 : surplus // 2 + samples]
    return np.pad(signal, (-surplus // 2, -surplus - -surplus // 2))


def add_noise(signal: Signal, config: AugmentConfig, rng: np.random.Generator) -> Signal:
    """Add white Gaussian noise of `config.noise` times the maximum, with its probability."""
    if rng.random() >= config.waveform_p or not config.noise:
        return signal
    noise = rng.standard_normal(len(signal), np.float32)
    return cast(Signal, signal + noise * np.float32(config.noise * np.abs(signal).max()))
