"""Emotions over the time of a recording, however long, read at once or as it comes.

    samples ── resample to 16 kHz ── voice activity ── windows inside voiced stretches
        ── the model ── probabilities on a regular axis ── segments with hysteresis

Every step works on a grid of its own that does not depend on how the samples arrive, so a stream in
odd pieces gives the same timeline as the file at once, and memory holds a window or two.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from .audio import Signal, Source, open_blocks, resample
from .classifier import Classifier, as_signal
from .errors import AudioError, ConfigError
from .segmenter import EmotionSegment, Segmenter, TimelineSettings
from .voice import CHUNK, RATE, Stretch, VoiceActivity

BLOCK_DUR = 10.0  # s pushed at a time where the whole signal is at hand
BATCH = 16  # windows the model hears at a time
EDGE = 0.05  # weight that a window still has at its ends, where its centre has 1
DECIMALS = 6  # of probabilities, so that the size of a batch leaves no trace
LEAST_DUR = 0.1  # s of voice that the model is asked about
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


@dataclass(frozen=True)
class Detected:
    """Samples at RATE, and where a voice is heard in them and in those before."""

    samples: Signal
    stretches: list[tuple[Stretch, int]]  # as known after so many samples of the stream
    judged: int  # samples of the stream that the detector has heard


class TimelineStream:
    """A timeline of samples that are still coming.

    Args:
        classifier: the model.
        settings: how; the defaults if left out.
    """

    def __init__(self, classifier: Classifier, settings: TimelineSettings | None = None) -> None:
        self.classifier = classifier
        self.settings = settings or TimelineSettings()
        if self.settings.hop_dur > classifier.win_dur:
            raise ConfigError(
                f"hop_dur {self.settings.hop_dur} s is longer than the model's window of "
                f"{classifier.win_dur} s: what lies between would not be heard"
            )
        chosen = self.settings
        # What `detect` changes, and
        self._voice = VoiceActivity(chosen.speech_threshold, chosen.gap_dur, chosen.pad_dur)
        self._resampler: _Resampler | None = None
        self._rest = np.zeros(0, np.float32)  # less than a chunk, not yet judged
        self._judged = 0  # samples that are
        # what `tell` changes, so that they can work side by side.
        self._windows = _Windows(classifier.win_dur, chosen.hop_dur)
        self.axis = _Axis(chosen.step_dur, len(classifier.labels))
        self._segmenter = Segmenter(chosen, classifier.labels)
        self._kept = np.zeros(0, np.float32)  # from `_offset` on, at RATE
        self._offset = 0

    @property
    def duration(self) -> float:
        """Seconds pushed so far."""
        return self._resampler.duration if self._resampler else 0.0

    def push(self, signal: npt.ArrayLike, sampling_rate: int) -> list[EmotionSegment]:
        """Segments that are final after more samples.

        Raises:
            AudioError: the samples are bad, or their rate is not that of those before.
        """
        return self.tell(self.detect(signal, sampling_rate))

    def close(self) -> list[EmotionSegment]:
        """The segments that are left, to the last sample pushed."""
        segments = []
        if self._resampler:
            segments = self.tell(self._detect(self._resampler.flush()))
        end = self._offset + len(self._kept)
        stretch = self._voice.close(end)
        if stretch:
            segments += self.tell(Detected(np.zeros(0, np.float32), [(stretch, end)], end))
        return segments + self._segmenter.close(self.duration)

    def detect(self, signal: npt.ArrayLike, sampling_rate: int) -> Detected:
        """The first half of `push`: where somebody is heard."""
        mono = as_signal(signal, sampling_rate)
        if self._resampler is None:
            self._resampler = _Resampler(sampling_rate)
        return self._detect(self._resampler.push(mono, sampling_rate))

    def tell(self, detected: Detected) -> list[EmotionSegment]:
        """The second half of `push`: what the model makes of it, in the order detected."""
        self._kept = np.concatenate([self._kept, detected.samples])
        heard = [(s, self._windows.of(s, judged)) for s, judged in detected.stretches]
        rows = iter(self._probabilities([span for _, spans in heard for span in spans]))
        segments: list[EmotionSegment] = []
        for stretch, spans in heard:
            for span in spans:
                self.axis.add(span, next(rows))
            if spans or stretch.end is not None:
                final = stretch.end if stretch.end is not None else spans[-1][0]
                told = self.axis.final(stretch.start, final)
                segments += self._segmenter.push(stretch, told)
        self._forget(detected.judged)
        return segments

    def _detect(self, samples: Signal) -> Detected:
        waiting = np.concatenate([self._rest, samples])
        stretches = []
        for at in range(0, len(waiting) - CHUNK + 1, CHUNK):
            stretch = self._voice.push(waiting[at : at + CHUNK], self._judged)
            self._judged += CHUNK
            if stretch:
                stretches.append((stretch, self._judged))
        self._rest = waiting[len(waiting) // CHUNK * CHUNK :]
        return Detected(samples, stretches, self._judged)

    def _probabilities(self, spans: list[tuple[int, int]]) -> list[npt.NDArray[np.float64]]:
        rate = self.classifier.sampling_rate
        clips = [
            resample(self._kept[a - self._offset : b - self._offset], RATE, rate) for a, b in spans
        ]
        rows: list[npt.NDArray[np.float64]] = []
        while clips:
            same = [clip for clip in clips[:BATCH] if len(clip) == len(clips[0])]
            heard = self.classifier.windows(np.stack(same))
            rows += list(np.round(heard.astype(np.float64), DECIMALS))
            clips = clips[len(same) :]
        return rows

    def _forget(self, judged: int) -> None:
        """Samples that no window can ask for any more."""
        slack = round((self.settings.gap_dur + self.settings.pad_dur) * RATE) + CHUNK
        keep = self._windows.needed(judged) - slack
        drop = max(0, keep - self._offset)
        self._kept = self._kept[drop:]
        self._offset += drop


class _Resampler:
    """A stream at RATE, the same however it is cut."""

    def __init__(self, sampling_rate: int) -> None:
        import soxr

        self.sampling_rate = sampling_rate
        self.samples = 0
        self._given = 0
        same = sampling_rate == RATE
        self._stream = None if same else soxr.ResampleStream(sampling_rate, RATE, 1, "float32")

    @property
    def duration(self) -> float:
        return self.samples / self.sampling_rate

    def push(self, signal: Signal, sampling_rate: int) -> Signal:
        if sampling_rate != self.sampling_rate:
            raise AudioError(
                f"the stream began at {self.sampling_rate} Hz and goes on at {sampling_rate} Hz; "
                "resample it, or begin another stream"
            )
        self.samples += len(signal)
        if self._stream is None:
            return signal
        heard: Signal = self._stream.resample_chunk(signal)
        return heard

    def flush(self) -> Signal:
        if self._stream is None:
            return np.zeros(0, np.float32)
        rest: Signal = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return rest


class _Windows:
    """Where the model listens in a voiced stretch, in samples at RATE.

    Every `hop` from the stretch's start, and once flush with its end; a stretch that is shorter
    than a window is one window.
    """

    def __init__(self, win_dur: float, hop_dur: float) -> None:
        self.window, self.hop = round(win_dur * RATE), round(hop_dur * RATE)
        self._next: int | None = None

    def of(self, stretch: Stretch, heard: int) -> list[tuple[int, int]]:
        """New windows, now that samples up to `heard` are there."""
        begin = stretch.start if self._next is None else self._next
        until = heard if stretch.end is None else stretch.end
        spans = []
        while begin + self.window <= until:
            spans.append((begin, begin + self.window))
            begin += self.hop
        self._next = begin
        if stretch.end is None:
            return spans
        self._next = None
        reached = begin - self.hop + self.window if begin > stretch.start else stretch.start
        if reached < until and until - stretch.start >= LEAST_DUR * RATE:
            spans.append((max(stretch.start, until - self.window), until))
        return spans

    def needed(self, heard: int) -> int:
        """The first sample that a later window may ask for."""
        return heard - self.window if self._next is None else min(self._next, heard - self.window)


class _Axis:
    """Probabilities on a regular axis: means over windows, weighted towards their centres."""

    def __init__(self, step_dur: float, labels: int) -> None:
        self.step = step_dur * RATE
        self.labels = labels
        self._open: dict[int, tuple[npt.NDArray[np.float64], float]] = {}
        self._done = array("f")  # rows one after the other

    def add(self, span: tuple[int, int], row: npt.NDArray[np.float64]) -> None:
        """A window's probabilities over the steps whose centre lies in it."""
        start, end = span
        for step in range(self._first(start), self._first(end)):
            middle = (step + 0.5) * self.step
            weight = max(EDGE, 1 - abs(2 * middle - start - end) / (end - start))
            total, weights = self._open.get(step, (np.zeros(self.labels), 0.0))
            self._open[step] = (total + weight * row, weights + weight)

    def final(self, start: int, end: int) -> list[tuple[float, npt.NDArray[np.float64]]]:
        """Steps before sample `end` that are done: start of each in seconds, and its row."""
        found = []
        for step in sorted(step for step in self._open if step < self._first(end)):
            total, weight = self._open.pop(step)
            row = total / weight
            missing = step * self.labels - len(self._done)
            self._done.extend([np.nan] * missing)
            self._done.extend(row.tolist())
            found.append((step * self.step / RATE, row))
        return found

    def latest(self) -> npt.NDArray[np.float64] | None:
        """The newest step that a window has covered, done or not; None before the first."""
        if not self._open:
            return None
        total, weight = self._open[max(self._open)]
        row: npt.NDArray[np.float64] = total / weight
        return row

    def rows(self, duration: float) -> npt.NDArray[np.float32]:
        """Every step of a recording of `duration` seconds, `(steps, labels)`."""
        done = np.array(self._done, np.float32).reshape(-1, self.labels)
        steps = max(len(done), -(-round(duration * RATE) // round(self.step)))
        rows = np.full((steps, self.labels), np.nan, np.float32)
        rows[: len(done)] = done
        return rows

    def _first(self, sample: int) -> int:
        """The first step whose centre is not before `sample`."""
        return max(0, int(np.ceil(sample / self.step - 0.5)))
