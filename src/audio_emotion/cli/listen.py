"""`audio-emotion listen`: the microphone's timeline, while it is made."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..audio import Signal
from ..classifier import Classifier
from ..errors import AudioError
from ..files import refuse_overwrite, write_text
from ..segmenter import EmotionSegment
from ..timeline import Timeline
from ..timeline_stream import TimelineStream
from ..timeline_writers import clock, get_writer
from .options import Force, Model

BLOCK_DUR = 0.1  # s that the device hands over at a time
BAR = 20  # characters


@dataclass
class Microphone:
    """Blocks from a sound device, and what was lost or is late."""

    sampling_rate: int
    blocks: queue.Queue[Signal]
    lost: int = 0  # times that the device had to drop samples

    @property
    def late(self) -> float:
        """Seconds captured that nobody has heard yet."""
        return self.blocks.qsize() * BLOCK_DUR


def listen(
    model: Model = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the timeline here at the end; as timeline --out.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Part of the device's name.")] = None,
    force: Force = False,
) -> None:
    """Listen to the microphone until Ctrl-C; needs the extra live.

    Examples:

      audio-emotion listen

      audio-emotion listen --save talk.srt
    """
    if save:
        refuse_overwrite(save, force)
        get_writer(None, save)
    stream = TimelineStream(Classifier(model))
    found = follow(stream, open_microphone(device), _show)
    if save:
        write_text(save, get_writer(None, save).text(found))
        typer.echo(save)


def follow(
    stream: TimelineStream,
    microphone: Iterator[tuple[Microphone, Signal]],
    show: Callable[[TimelineStream, Microphone, list[EmotionSegment]], None],
) -> Timeline:
    """The timeline of blocks until they end, or Ctrl-C ends them; each new segment is shown."""
    segments: list[EmotionSegment] = []
    try:
        for source, block in microphone:
            new = stream.push(block, source.sampling_rate)
            segments += new
            show(stream, source, new)
    except KeyboardInterrupt:
        pass
    segments += stream.close()
    rows = stream.axis.rows(stream.duration)
    return Timeline(
        stream.duration, stream.classifier.labels, tuple(segments), stream.settings.step_dur, rows
    )


def open_microphone(device: str | None) -> Iterator[tuple[Microphone, Signal]]:
    """Blocks of a sound device as they come.

    Raises:
        AudioError: sounddevice or a sound device is missing, or the device does not open.
    """
    sounddevice = _sounddevice()
    try:
        facts = sounddevice.query_devices(device, "input")
        rate = int(facts["default_samplerate"])
        microphone = Microphone(rate, queue.Queue())

        def take(block: Any, frames: int, time: Any, status: Any) -> None:
            microphone.lost += bool(status.input_overflow)
            microphone.blocks.put(np.array(block[:, 0], np.float32))

        opened = sounddevice.InputStream(
            rate, round(BLOCK_DUR * rate), device, 1, "float32", callback=take
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(
            f"no microphone to listen to ({error}); plug one in, or name another with --device"
        ) from error
    with opened:
        while True:
            yield microphone, microphone.blocks.get()


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise AudioError(
            "listening needs sounddevice; install it with pip install "
            "'audio-emotion-classifier[live]'"
        ) from error
    except OSError as error:  # the library is there, what it stands on is not
        raise AudioError(
            f"sounddevice does not load ({error}); install PortAudio, libportaudio2 on Debian"
        ) from error
    return sounddevice


def _show(stream: TimelineStream, source: Microphone, new: list[EmotionSegment]) -> None:
    """Finished segments, a line each; under them a line about now, written over again."""
    for segment in new:
        times = f"{clock(segment.start)}  {clock(segment.end)}"
        typer.echo(f"\r\x1b[K{times}  {segment.label}  {segment.confidence:.0%}")
    text = f"{clock(stream.duration)}  {source.late:.1f} s late, {source.lost} blocks lost  "
    row = stream.axis.latest()
    if row is not None:
        best = int(row.argmax())
        text += f"{stream.classifier.labels[best]:<10} {'█' * round(BAR * float(row[best]))}"
    typer.echo(f"\r\x1b[K{text}", nl=False)
