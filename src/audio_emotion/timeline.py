"""Emotions over the time of a recording, however long, read at once or as it comes.

    samples ── resample to 16 kHz ── voice activity ── windows inside voiced stretches
        ── the model ── probabilities on a regular axis ── segments with hysteresis

Every step works on a grid of its own that does not depend on how the samples arrive, so a stream in
odd pieces gives the same timeline as the file at once, and memory holds a window or two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from .audio import Signal, Source, open_blocks
from .classifier import Classifier, as_signal
from .errors import AudioError
from .segmenter import EmotionSegment, TimelineSettings
from .timeline_stream import TimelineStream
from .voice import RATE

BLOCK_DUR = 10.0  # s pushed at a time where the whole signal is at hand
T = TypeVar("T")
Progress: TypeAlias = Callable[[float, float | None], None]


@dataclass(frozen=True)
class Timeline:
    """Segments that cover a recording in order, and the probabilities they were made from."""

    duration: float  # s
    labels: tuple[str, ...]
    segments: tuple[EmotionSegment, ...]
    step_dur: float  # s between rows of `probabilities`
    probabilities: npt.NDArray[np.float32]  # (steps, labels), NaN where nobody is heard
    broken: str | None = None  # why the recording ended before its end, if it did
    clipped: float = 0.0  # share of the samples that stand at full scale

    def shares(self) -> dict[str, float]:
        """Seconds of each label that occurs, the longest first."""
        found: dict[str, float] = {}
        for segment in self.segments:
            found[segment.label] = found.get(segment.label, 0.0) + segment.duration
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def timeline(
    signal: npt.ArrayLike,
    sampling_rate: int,
    classifier: Classifier | None = None,
    settings: TimelineSettings | None = None,
) -> Timeline:
    """Emotions over the time of a mono signal.

    Args:
        signal: `(samples,)`; floats with full scale at 1, or integers with their own.
        sampling_rate: of `signal`, in Hz.
        classifier: the model; the shipped one if left out.
        settings: how; the defaults if left out.

    Raises:
        AudioError: as `Classifier.__call__`.

    >>> [segment.label for segment in timeline(np.zeros(32_000), 16_000).segments]
    ['no speech']
    """
    mono = as_signal(signal, sampling_rate)
    block = round(BLOCK_DUR * sampling_rate)
    blocks = (mono[start : start + block] for start in range(0, len(mono), block))
    return collect(blocks, sampling_rate, classifier, settings)


def timelines_of_file(
    source: Source,
    classifier: Classifier | None = None,
    settings: TimelineSettings | None = None,
    *,
    separate: bool = False,
    progress: Progress | None = None,
) -> Iterator[Timeline]:
    """The timeline of a recording that streams through, or one of each of its channels.

    Where the recording breaks off, what came before is kept and `Timeline.broken` says so.

    Args:
        source: path, the bytes of a file, or a binary file open for reading and seeking.
        classifier: the model; the shipped one if left out.
        settings: how; the defaults if left out.
        separate: a timeline for each channel instead of one for their mean.
        progress: called with the seconds heard and, where the header states them, those to hear,
            of all channels together.

    Raises:
        AudioError: as `read_audio`, where nothing at all can be read.
    """
    classifier = classifier or Classifier()
    with open_blocks(source) as opened:
        channels = opened.channels if separate else 1
        whole = channels * opened.stated_dur if opened.stated_dur else None
    before = 0.0

    def told(heard: float) -> None:
        if progress:
            progress(before + heard, whole)

    for channel in range(channels):
        with open_blocks(source) as opened:
            mono = (b[:, channel] if separate else b.mean(1) for b in opened.blocks)
            found = collect(mono, opened.sampling_rate, classifier, settings, told)
        before += found.duration
        yield found


def collect(
    blocks: Iterable[Signal],
    sampling_rate: int,
    classifier: Classifier | None = None,
    settings: TimelineSettings | None = None,
    heard: Callable[[float], None] | None = None,
) -> Timeline:
    """The timeline of mono blocks, one after the other; `heard` is told the seconds done.

    Another thread decodes and finds the voice in what comes next while the model hears this.
    """
    stream = TimelineStream(classifier or Classifier(), settings)
    segments: list[EmotionSegment] = []
    broken = None
    longer = _joined(blocks, round(BLOCK_DUR * sampling_rate))
    try:
        with closing(_ahead(stream.detect(block, sampling_rate) for block in longer)) as coming:
            for detected in coming:
                segments += stream.tell(detected)
                if heard:
                    heard(detected.judged / RATE)
    except AudioError as error:
        if not stream.duration:
            raise
        broken = str(error)
    segments += stream.close()
    return Timeline(
        stream.duration,
        stream.classifier.labels,
        tuple(segments),
        stream.settings.step_dur,
        stream.axis.rows(stream.duration),
        broken,
        stream.clipped,
    )


def _joined(blocks: Iterable[Signal], least: int) -> Iterator[Signal]:
    """Blocks of at least so many samples; what came before an error first."""
    parts: list[Signal] = []
    try:
        for block in blocks:
            parts.append(block)
            if sum(map(len, parts)) >= least:
                yield np.concatenate(parts)
                parts = []
    except AudioError:
        if parts:
            yield np.concatenate(parts)
        raise
    if parts:
        yield np.concatenate(parts)


def _ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Each item, while a thread makes the next."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield cast(T, item)
