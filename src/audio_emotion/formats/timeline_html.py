"""A timeline as one web page that works offline and can be sent to somebody else.

It shows the waveform, the probabilities stacked over time, a button for each segment and the
seconds of each label.  The recording is in the page as Opus.  Everything drawn is also there as
text, and the keyboard reaches every segment.
"""

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..audio import AudioStream, Mixer, Signal, Source, describe, open_audio
from ..errors import AudioError
from ..timeline.recording import Timeline
from ..timeline.segmenter import NO_SPEECH
from .html import render
from .svg import Canvas
from .writers import clock, colour, one_line

CANVAS = Canvas(1000, 160)
COLUMNS = 1000  # that the drawings have at most
PEAK_HOP = 400  # samples of one peak before peaks are merged into columns
OPUS_RATE = 48_000  # Hz, of the codec
BIT_RATE = 32_000  # bit/s: 14 MB an hour


def page(timeline: Timeline, source: Source) -> str:
    """Return the page of a recording and its timeline.

    Raises:
        AudioError: as `read_audio`.
    """
    return render_page(
        timeline, describe(source), *encode(source, timeline.track, timeline.channel)
    )


def render_page(timeline: Timeline, title: str, peaks: Signal, opus: bytes) -> str:
    """Return the page of a timeline and what `encode` made of its recording."""
    return render(
        "timeline.html",
        title=one_line(title),
        timeline=timeline,
        no_speech=NO_SPEECH,
        sound=base64.b64encode(opus).decode(),
        canvas=CANVAS,
        waveform=_waveform(peaks),
        areas=_stacked(timeline),
        clock=clock,
        colour=colour,
    )


def encode(
    source: Source, track: int | None = None, channel: int | None = None
) -> tuple[npt.NDArray[np.float32], bytes]:
    """Return the peak of each column and the recording as Opus in Ogg, decoded once.

    Args:
        source: the recording.
        track: as `open_audio`.
        channel: number of the only channel to take, from 1; by default they are mixed.
    """
    import av

    file = io.BytesIO()
    peaks: list[Signal] = []
    with open_audio(source, track=track) as audio, av.open(file, "w", format="ogg") as container:
        output = container.add_stream("libopus", rate=OPUS_RATE, layout="mono")
        output.bit_rate = BIT_RATE
        resampler = av.AudioResampler("s16", "mono", OPUS_RATE)
        for block in _mono(audio, channel):
            padded = np.pad(np.abs(block), (0, -len(block) % PEAK_HOP))
            peaks.append(padded.reshape(-1, PEAK_HOP).max(1))
            for frame in resampler.resample(_frame(block, audio.sampling_rate)):
                container.mux(output.encode(frame))
        for frame in resampler.resample(None):
            container.mux(output.encode(frame))
        container.mux(output.encode(None))
    columns = _columns(np.concatenate(peaks or [np.zeros(1, np.float32)]))
    return np.array([column.max() for column in columns], np.float32), file.getvalue()


def _mono(audio: AudioStream, channel: int | None) -> Iterator[Signal]:
    """Yield one channel, or the mixed ones, up to where the recording breaks off."""
    mix = Mixer([])
    any_read = False
    try:
        for block in audio.blocks:
            any_read = True
            yield mix(block) if channel is None else block[:, channel - 1]
    except AudioError:
        if not any_read:
            raise


def _frame(block: Signal, sampling_rate: int) -> Any:
    import av

    pcm = np.round(np.clip(block, -1, 1) * 32_767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
    frame.sample_rate = sampling_rate
    return frame


def _columns(rows: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    return np.array_split(rows, min(COLUMNS, len(rows)))


def _waveform(peaks: npt.NDArray[np.float32]) -> str:
    half = peaks / max(2 * float(peaks.max()), 1e-6)
    return CANVAS.area(0.5 - half, 0.5 + half)


def _stacked(timeline: Timeline) -> dict[str, str]:
    """Return the outline of each label's probabilities, on top of those of the labels before."""
    rows = np.nan_to_num(timeline.probabilities)
    means = np.array([column.mean(0) for column in _columns(rows)])  # (columns, labels)
    tops = np.cumsum(np.pad(means, ((0, 0), (1, 0))), 1)
    return {
        label: CANVAS.area(tops[:, n], tops[:, n + 1]) for n, label in enumerate(timeline.labels)
    }
