"""The timeline of a whole recording, from a signal or a file of any length."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..audio import Mixer, Signal, Source, as_signal, buffered, open_audio
from ..errors import AudioError
from ..inference.classifier import Classifier
from ..inference.vad import RATE
from ..notices import Notice
from ..threads import processors
from .segmenter import Segment
from .settings import TimelineSettings
from .stream import TimelineStream

if TYPE_CHECKING:
    from ..inference.speaker import Speaker

BLOCK_DUR = 10.0  # s pushed at a time
T = TypeVar("T")
Progress: TypeAlias = Callable[[float, float | None], None]


@dataclass(frozen=True)
class Timeline:
    """Segments that cover a recording in order, and the probabilities they were made from."""

    duration: float  # s
    labels: tuple[str, ...]
    segments: tuple[Segment, ...]
    step_dur: float  # s between rows of `probabilities`
    probabilities: npt.NDArray[np.float32]  # (steps, labels), NaN where there is no speech
    broken: str | None = None  # why reading stopped before the end, if it did
    clipped: float = 0.0  # share of the samples at full scale
    warnings: tuple[Notice, ...] = ()  # what qualifies the timeline
    track: int | None = None  # number of the audio track, from 1, if one was asked for
    channel: int | None = None  # number of the channel, from 1, if it is that of one

    def durations(self) -> dict[str, float]:
        """Return the seconds of each label that occurs, the longest first."""
        found: dict[str, float] = {}
        for segment in self.segments:
            found[segment.label] = found.get(segment.label, 0.0) + segment.duration
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def timeline(
    signal: npt.ArrayLike,
    sampling_rate: int,
    classifier: Classifier | None = None,
    settings: TimelineSettings | None = None,
    *,
    speaker: "Speaker | None" = None,
) -> Timeline:
    """Predict emotions over the time of a mono signal.

    Args:
        signal: `(samples,)`; floats with full scale at 1, or integers with their own.
        sampling_rate: of `signal`, in Hz.
        classifier: the model; by default the shipped one.
        settings: how; the defaults if left out.
        speaker: who speaks, if enrolled.

    Raises:
        AudioError: as `as_signal`.
        SpeakerError: as `Classifier.for_speaker`.

    >>> [segment.label for segment in timeline(np.zeros(32_000), 16_000).segments]
    ['no speech']
    """
    mono = as_signal(signal, sampling_rate)
    block = round(BLOCK_DUR * sampling_rate)
    blocks = (mono[start : start + block] for start in range(0, len(mono), block))
    return collect(blocks, sampling_rate, _adjusted(classifier, speaker), settings)


def timelines_of_file(
    source: Source,
    classifier: Classifier | None = None,
    settings: TimelineSettings | None = None,
    *,
    separate: bool = False,
    track: int | None = None,
    progress: Progress | None = None,
    speaker: "Speaker | None" = None,
) -> Iterator[Timeline]:
    """Yield the timeline of a recording, or one for each of its channels, in bounded memory.

    If the recording breaks off, what came before is kept and `Timeline.broken` says why.

    Args:
        source: a path, the bytes of a file, or a binary file.
        classifier: the model; by default the shipped one.
        settings: how; the defaults if left out.
        separate: whether to treat each channel by itself instead of their mean.
        track: as `open_audio`.
        progress: called with the seconds done and, if the header states it, the total, of all
            channels together.
        speaker: who speaks in every channel, if enrolled.

    Raises:
        AudioError: as `read_audio`, if nothing at all can be read.
        SpeakerError: as `Classifier.for_speaker`.
    """
    classifier, source = _adjusted(classifier, speaker), buffered(source)
    with open_audio(source, track=track) as stream:
        channels = stream.channels if separate else 1
        total = channels * stream.stated_dur if stream.stated_dur else None
    before = 0.0

    def report(done: float) -> None:
        if progress:
            progress(before + done, total)

    for channel in range(channels):
        with open_audio(source, track=track) as stream:
            mix = (lambda b, n=channel: b[:, n]) if separate else Mixer(stream.notices)
            mono = map(mix, stream.blocks)
            found = collect(mono, stream.sampling_rate, classifier, settings, report)
        before += found.duration
        number = channel + 1 if separate else None
        yield replace(found, warnings=tuple(stream.notices), track=track, channel=number)


def _adjusted(classifier: Classifier | None, speaker: "Speaker | None") -> Classifier:
    classifier = classifier or Classifier(threads=1)
    return classifier if speaker is None else classifier.for_speaker(speaker)


def collect(
    blocks: Iterable[Signal],
    sampling_rate: int,
    classifier: Classifier | None = None,
    settings: TimelineSettings | None = None,
    report: Callable[[float], None] | None = None,
) -> Timeline:
    """Make the timeline of consecutive mono blocks; `report` gets the seconds done.

    Another thread decodes and finds speech in the next blocks while others predict these.
    """
    stream = TimelineStream(classifier or Classifier(threads=1), settings)
    segments: list[Segment] = []
    broken = None
    longer = _joined(blocks, round(BLOCK_DUR * sampling_rate))
    try:
        with (
            ThreadPoolExecutor(processors()) as threads,
            closing(_ahead(stream.detect(block, sampling_rate) for block in longer)) as coming,
        ):
            for detected in coming:
                segments += stream.predict(detected, threads.map)
                if report:
                    report(detected.processed / RATE)
    except AudioError as error:
        if not stream.duration:
            raise
        broken = str(error)
    return finish(stream, segments, broken)


def finish(
    stream: TimelineStream, segments: Iterable[Segment], broken: str | None = None
) -> Timeline:
    """Close a stream, and return the timeline of the segments so far and those that remained."""
    segments = (*segments, *stream.close())
    return Timeline(
        stream.duration,
        stream.classifier.labels,
        segments,
        stream.settings.step_dur,
        stream.axis.rows(stream.duration),
        broken,
        stream.clipped,
    )


def _joined(blocks: Iterable[Signal], least: int) -> Iterator[Signal]:
    """Join blocks to at least `least` samples; on an error yield what came before it first."""
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
    """Yield each item while a thread makes the next."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield cast(T, item)
