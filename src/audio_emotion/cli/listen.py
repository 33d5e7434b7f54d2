"""`audio-emotion listen`: the timeline of the microphone, live."""

import math
import queue
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..audio import Signal
from ..errors import AudioError, ConfigError
from ..files import refuse_overwrite, write_text
from ..formats.timelines import UNRECORDED
from ..formats.writers import choose, clock
from ..inference.classifier import Classifier
from ..inference.speaker import MAX_DUR, MIN_DUR, Speaker
from ..timeline.recording import Timeline, finish
from ..timeline.segmenter import Segment
from ..timeline.stream import TimelineStream
from .options import Force, Model, SpeakerFile, opened_model, say

BLOCK_DUR = 0.1  # s that the device delivers at a time
BAR = 20  # characters
CLEAR = "\r\x1b[K"  # the current line of a terminal


@dataclass
class Microphone:
    """Blocks from a sound device, and how far behind their processing is."""

    sampling_rate: int
    blocks: queue.Queue[Signal]
    lost: int = 0  # times that the device had to drop samples

    @property
    def late(self) -> float:
        """Seconds captured but not yet processed."""
        return self.blocks.qsize() * BLOCK_DUR


def listen(
    model: Model = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the timeline at the end; the suffix is its format.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Part of the device's name.")] = None,
    speaker: SpeakerFile = None,
    enroll: Annotated[
        float,
        typer.Option(
            help=f"Begin with {MIN_DUR:g} to {MAX_DUR:g} s of your normal voice; 0: do not.",
            min=0,
            max=MAX_DUR,
        ),
    ] = 0,
    force: Force = False,
) -> None:
    """Predict emotions from the microphone until Ctrl-C; needs the extra live.

    With --enroll you speak normally first, and predictions are adjusted to your voice; nothing of
    that is kept.

    Examples:

      audio-emotion listen

      audio-emotion listen --save talk.srt

      audio-emotion listen --enroll 10
    """
    if enroll and speaker:
        raise ConfigError("--enroll and --speaker exclude each other; choose one")
    if 0 < enroll < MIN_DUR:
        raise ConfigError(f"--enroll is {enroll:g} s; an enrolment needs {MIN_DUR:g} s of speech")
    writer = choose(None, save, UNRECORDED)
    refuse_overwrite(save, force)
    classifier, microphone = opened_model(model, speaker), open_microphone(device)
    if enroll:
        classifier = classifier.for_speaker(enrolled(classifier, microphone, enroll))
    found = follow(TimelineStream(classifier), microphone, _show)
    if save:
        write_text(save, writer(found, b""))
        typer.echo(save)


def enrolled(
    classifier: Classifier, microphone: Iterator[tuple[Microphone, Signal]], seconds: float
) -> Speaker:
    """Count down while somebody speaks normally; return the speaker.

    Raises:
        AudioError: as `Classifier.enroll`.
        ModelError: as `Classifier.enrolment`.
    """
    _ = classifier.enrolment  # whose error comes before the speech
    typer.echo(f"speak normally for {seconds:g} seconds")
    blocks: list[Signal] = []
    left = seconds
    for source, block in microphone:
        blocks.append(np.nan_to_num(block, posinf=0, neginf=0))
        left -= len(block) / source.sampling_rate
        typer.echo(f"{CLEAR}{max(0, math.ceil(left))} s", nl=False)
        if left <= 0:
            break
    typer.echo(CLEAR, nl=False)
    speaker = classifier.enroll([(np.concatenate(blocks), source.sampling_rate)])
    for notice in speaker.warnings:
        say(notice.message)
    return speaker


def follow(
    stream: TimelineStream,
    microphone: Iterator[tuple[Microphone, Signal]],
    show: Callable[[TimelineStream, Microphone, list[Segment]], None],
) -> Timeline:
    """Return the timeline of blocks until they or Ctrl-C end; `show` gets each block's segments."""
    segments: list[Segment] = []
    with suppress(KeyboardInterrupt):
        for source, block in microphone:
            sound = np.nan_to_num(block, posinf=0, neginf=0)  # of a device that fails for a moment
            new = stream.push(sound, source.sampling_rate)
            segments += new
            show(stream, source, new)
    return finish(stream, segments)


def open_microphone(device: str | None) -> Iterator[tuple[Microphone, Signal]]:
    """Yield blocks of a sound device as they arrive.

    Raises:
        AudioError: sounddevice or a sound device is missing, or the device does not open.
    """
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise AudioError(
            "listening needs sounddevice; install it with pip install "
            "'audio-emotion-classifier[live]'"
        ) from error
    except OSError as error:  # the package is there, PortAudio is not
        raise AudioError(
            f"sounddevice does not load ({error}); install PortAudio, libportaudio2 on Debian"
        ) from error
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


def _show(stream: TimelineStream, source: Microphone, new: list[Segment]) -> None:
    """Print finished segments, a line each, above a line about now that is overwritten."""
    for segment in new:
        times = f"{clock(segment.start)}  {clock(segment.end)}"
        typer.echo(f"{CLEAR}{times}  {segment.label}  {segment.confidence:.0%}")
    text = f"{clock(stream.duration)}  {source.late:.1f} s late, {source.lost} blocks lost  "
    row = stream.axis.latest()
    if row is not None:
        best = int(row.argmax())
        text += f"{stream.classifier.labels[best]:<10} {'█' * round(BAR * float(row[best]))}"
    typer.echo(CLEAR + text, nl=False)
