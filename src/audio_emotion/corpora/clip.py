"""One labelled recording of a corpus."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..audio import Signal, read_audio
from ..errors import AudioError
from ..labels import Emotion, Label


@dataclass(frozen=True)
class Clip:
    """Where a recording is and what is known of it; the sound is read when asked for."""

    name: str  # unique in its corpus, the same in every layout of the corpus
    label: Emotion | Label
    path: Path  # of the file, or of the zip archive that holds it
    member: str | None = None  # name in the archive
    speaker: str | None = None
    gender: str | None = None
    channel: str | None = None  # speech or song
    intensity: str | None = None
    statement: str | None = None
    repetition: int | None = None
    part: str | None = None  # train, val or test where the corpus says so
    corpus: str = ""  # name of the corpus, set by it

    @property
    def voice(self) -> str | None:
        """The speaker, told apart from speakers of other corpora; None where none is stated."""
        return f"{self.corpus}/{self.speaker}" if self.speaker else None

    def content(self) -> bytes:
        """The bytes of the file.

        Raises:
            AudioError: the file or the archive's member cannot be read.
        """
        try:
            if self.member is None:
                return self.path.read_bytes()
            return _archive(self.path).read(self.member)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise AudioError(f"{self.path} {self.member or ''} cannot be read: {error}") from error

    def read(self) -> tuple[Signal, int]:
        """Signal `(samples,)` and sampling rate; errors as `read_audio`, with the clip's name."""
        if self.member is None:
            return read_audio(self.path)
        try:
            return read_audio(self.content())
        except AudioError as error:
            raise AudioError(f"{self.path} {self.member}: {error}") from error

    def digest(self) -> str:
        """SHA-256 of the file's bytes: equal for byte-identical clips."""
        return hashlib.sha256(self.content()).hexdigest()


@lru_cache(maxsize=4)
def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
