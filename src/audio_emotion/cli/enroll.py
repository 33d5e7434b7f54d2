"""`audio-emotion enroll`: recordings of somebody who speaks normally in, a speaker's file out."""

from pathlib import Path
from typing import Annotated

import typer

from ..files import refuse_overwrite
from ..inference.classifier import Classifier
from .options import Force, Model, opened_source, say


def enroll(
    sources: Annotated[
        list[Path], typer.Argument(help="Recordings of one person; - is standard input.")
    ],
    out: Annotated[Path, typer.Option(help="File to write, for --speaker.")] = Path("speaker.json"),
    model: Model = None,
    force: Force = False,
) -> None:
    """Tell the model what neutral sounds like in one voice, on one microphone.

    Give 3 to 60 s of normal speech, then --speaker FILE to predict, timeline, listen or explain.
    The file holds no audio, only eight means, but it is personal data, and serves the model that
    wrote it alone.

    Examples:

      audio-emotion enroll hello.wav number.wav --out me.json

      arecord -d 10 -f S16_LE -r 16000 - | audio-emotion enroll - --out me.json
    """
    refuse_overwrite(out, force)
    speaker = Classifier(model).enroll(list(map(opened_source, sources)))
    speaker.save(out, force=force)
    for notice in speaker.warnings:
        say(notice.message)
    typer.echo(f"{out}: {speaker.speech_dur:.1f} s of speech in {speaker.clips} recordings")
