"""RAVDESS: 24 actors speak and sing two statements in eight emotions.

S. R. Livingstone and F. A. Russo, 2018: The Ryerson Audio-Visual Database of Emotional Speech and
Song, PLoS ONE 13(5), doi 10.1371/journal.pone.0196391; Zenodo record 1188976.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from ..errors import CorpusError
from ..labels import Emotion
from .clip import Clip
from .corpus import AUDIO_ENDINGS, Corpus, audio_files

LICENCE = "CC BY-NC-SA 4.0"
CITATION = "Livingstone & Russo 2018, RAVDESS, Zenodo record 1188976"
ARCHIVES = ("Audio_Speech_Actors_01-24.zip", "Audio_Song_Actors_01-24.zip")
NAME = re.compile(r"03-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
STATEMENTS = {
    "01": "Kids are talking by the door",
    "02": "Dogs are sitting by the door",
}


def matches(name: str) -> bool:
    """Whether a file's stem is an audio-only RAVDESS name: modality-channel-…-actor."""
    return NAME.fullmatch(name) is not None


def load(root: Path) -> Corpus:
    """The official folders, or the two zip archives as published, below `root`.

    Where the same clip is found twice (a widely used copy holds the speech set twice, an archive
    may lie beside its own contents), the first by path is kept.

    Raises:
        CorpusError: nothing there bears a RAVDESS name, or an archive is damaged.
    """
    archives = [root] if root.is_file() else sorted(root.glob("Audio_*_Actors_01-24.zip"))
    files = audio_files(root) if root.is_dir() else []
    clips: dict[str, Clip] = {}
    for clip in [*_from_files(files), *_from_archives(archives)]:
        clips.setdefault(clip.name, clip)
    skipped = tuple(str(path) for path in files if not matches(path.stem))
    return Corpus("RAVDESS", tuple(clips.values()), LICENCE, CITATION, skipped)


def parse(path: Path, member: str | None = None) -> Clip:
    """The clip that a file, or a member of an archive, says it is by its name."""
    name = PurePosixPath(member).stem if member else path.stem
    match = NAME.fullmatch(name)
    if not match:
        raise CorpusError(f"{name} is not a RAVDESS name such as 03-01-06-01-02-01-12")
    channel, emotion, intensity, statement, repetition, actor = match.groups()
    return Clip(
        name=name,
        label=Emotion(int(emotion) - 1),
        path=path,
        member=member,
        speaker=actor,
        gender="male" if int(actor) % 2 else "female",
        channel="speech" if channel == "01" else "song",
        intensity="normal" if intensity == "01" else "strong",
        statement=STATEMENTS[statement],
        repetition=int(repetition),
    )


def _from_files(paths: Iterable[Path]) -> Iterator[Clip]:
    return (parse(path) for path in paths if matches(path.stem))


def _from_archives(paths: Iterable[Path]) -> Iterator[Clip]:
    for path in paths:
        try:
            with zipfile.ZipFile(path) as archive:
                members = sorted(archive.namelist())
        except (OSError, zipfile.BadZipFile) as error:
            raise CorpusError(f"{path} is not a readable zip archive: {error}") from error
        for member in members:
            pure = PurePosixPath(member)
            if pure.suffix.lower() in AUDIO_ENDINGS and matches(pure.stem):
                yield parse(path, member)
