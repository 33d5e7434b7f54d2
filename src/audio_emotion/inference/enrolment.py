"""Enrolment: a few recordings of somebody who speaks normally, and how the model predicts them."""

import hashlib
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..audio import (
    CLIPPED,
    Signal,
    Source,
    StoredSignal,
    as_signal,
    clipped_share,
    describe,
    load_audio,
)
from ..errors import AudioError
from ..notices import Code, Notice
from .speaker import DECIMALS, MAX_DUR, MIN_DUR, NEUTRAL, Rows, Speaker, Vector, log_mean

if TYPE_CHECKING:
    from .classifier import Classifier

Recording: TypeAlias = Source | tuple[npt.ArrayLike, float]  # or a signal and its rate in Hz

READ_DUR = 600.0  # s of one recording in which speech is looked for
LEVELS = 20.0  # dB between recordings, from which they are of different distances or microphones
FRAME_DUR = 0.05  # s over which a level is measured
LOUD = 0.9  # quantile of the frames that is the level of the voice
UNEXCITED = (NEUTRAL, "calm")
LEAST_NEUTRAL = 0.1  # probability of those together, below which somebody seems to act or shout


def enroll(classifier: "Classifier", recordings: Iterable[Recording]) -> Speaker:
    """Do as `Classifier.enroll`, with a classifier that is not adjusted to a speaker."""
    _ = classifier.enrolment  # whose error comes before the work
    notices: list[Notice] = []
    regions: list[tuple[float, Rows]] = []
    levels: list[float] = []
    known: set[bytes] = set()
    for number, recording in enumerate(_checked(recordings), 1):
        name, signal, rate = _read(recording, number, notices)
        content = hashlib.sha256(signal.tobytes()).digest()
        if content in known:  # it would count twice, and say nothing new
            raise AudioError(f"{name}: this recording was given before; give each of them once")
        known.add(content)
        levels.append(_level(signal, rate))
        found = classifier.speech(StoredSignal([signal], rate, classifier.sampling_rate, name))
        if not found:
            raise AudioError(f"{name}: nobody speaks or sings; record it again")
        regions += found
    notices += _uneven(levels)
    speech_dur, mean = _mean(regions, notices)
    notices += far_from_neutral(mean, classifier.labels)
    by_label = dict(zip(classifier.labels, mean.round(DECIMALS).tolist(), strict=True))
    return Speaker(classifier.digest, speech_dur, len(levels), by_label, tuple(notices))


def _checked(recordings: Iterable[Recording]) -> list[Recording]:
    """Return the recordings; one alone, or one pair, is easily passed for a list of them."""
    alone = isinstance(recordings, str | PathLike | bytes | np.ndarray)
    found = [] if alone else list(recordings)
    if alone or any(isinstance(item, np.ndarray | np.generic | int | float) for item in found):
        raise AudioError(
            "enrol from a list of recordings, such as ['hello.wav', 'number.wav'], or of pairs "
            "(signal, rate)"
        )
    if not found:
        raise AudioError("there is no recording to enrol from; give one or more")
    return found


def _read(recording: Recording, number: int, notices: list[Notice]) -> tuple[str, Signal, float]:
    """Return name, signal and rate of a recording, and note what qualifies it."""
    if isinstance(recording, tuple):
        name, (array, rate) = f"recording {number}", recording
        signal: Signal = as_signal(array, rate)
    else:
        name = describe(recording)
        signal, rate, found = load_audio(recording, max_dur=READ_DUR)
        notices += [Notice(notice.code, f"{name}: {notice.message}") for notice in found]
    share = clipped_share(signal)
    if share > CLIPPED:
        message = f"{name}: {share:.1%} of the samples are at full scale; record at a lower level"
        notices.append(Notice(Code.CLIPPED, message))
    return name, signal, rate


def _level(signal: Signal, sampling_rate: float) -> float:
    """Return the level of the louder parts in dB below full scale."""
    frame = max(1, min(len(signal), round(FRAME_DUR * sampling_rate)))
    frames = signal[: len(signal) // frame * frame].reshape(-1, frame)
    power = np.quantile(np.square(frames, dtype=np.float64).mean(1), LOUD)
    return float(10 * np.log10(max(power, 1e-20)))


def _uneven(levels: Sequence[float]) -> list[Notice]:
    difference = max(levels) - min(levels)
    if difference <= LEVELS:
        return []
    message = (
        f"the levels of the recordings differ by {difference:.0f} dB; enrol from the microphone "
        "and the distance that you will use"
    )
    return [Notice(Code.UNEVEN_LEVELS, message)]


def _mean(regions: Sequence[tuple[float, Rows]], notices: list[Notice]) -> tuple[float, Vector]:
    """Return the seconds of speech that count, and the mean log-probabilities over them.

    Raises:
        AudioError: they are too few.
    """
    total = sum(seconds for seconds, _ in regions)
    if total < MIN_DUR:
        raise AudioError(
            f"{total:.2f} s of speech are too little; an enrolment needs {MIN_DUR:g} s: record "
            "more speech"
        )
    if total > MAX_DUR:
        message = f"the first {MAX_DUR:g} of {total:.0f} s of speech are used"
        notices.append(Notice(Code.NOT_READ, message))
    used: list[float] = []
    means: list[Vector] = []
    for seconds, rows in regions:
        share = min(1.0, (MAX_DUR - sum(used)) / seconds)
        if share > 0:
            used.append(share * seconds)
            means.append(log_mean(rows[: max(1, round(share * len(rows)))]))
    mean: Vector = np.average(means, 0, used)
    return round(sum(used), DECIMALS), mean


def far_from_neutral(mean: Vector, labels: Sequence[str]) -> list[Notice]:
    """Warn where the model finds next to nothing neutral; `mean` is of log-probabilities."""
    share = np.exp(mean) / np.exp(mean).sum()
    by_label = dict(zip(labels, share.tolist(), strict=True))
    if sum(by_label.get(label, 0.0) for label in UNEXCITED) >= LEAST_NEUTRAL:
        return []
    best = max(by_label, key=by_label.__getitem__)
    message = (
        f"the recordings sound {best} ({by_label[best]:.0%}) rather than neutral "
        f"({by_label[NEUTRAL]:.0%}): is that your normal voice? If not, enrol again"
    )
    return [Notice(Code.NOT_NEUTRAL, message)]
