"""One labelled recording of a corpus."""

import hashlib
import lzma
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..audio import Signal, read_audio
from ..errors import AudioError, translated
from ..labels import Emotion, Label

MAX_MEMBER = 1 << 28  # bytes that a clip in an archive unpacks to
DAMAGED = (zlib.error, lzma.LZMAError, struct.error, ValueError)  # what `zipfile` raises, too
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Clip:
    """The location of a recording and what is known about it; `read` decodes it."""

    name: str  # unique in its corpus, the same whether files or archives are read
    label: Emotion | Label
    path: Path  # of the file, or of the zip archive that holds it
    member: str | None = None  # name in the archive
    speaker: str | None = None
    gender: str | None = None
    channel: str | None = None  # speech or song
    intensity: str | None = None
    statement: str | None = None
    repetition: int | None = None
    split: str | None = None  # one of SPLITS where the corpus states it
    corpus: str = ""  # set by the corpus

    @property
    def speaker_id(self) -> str | None:
        """The speaker, unique among corpora, such as `RAVDESS/01`; None if not stated."""
        return f"{self.corpus}/{self.speaker}" if self.speaker else None

    @property
    def key(self) -> str:
        """The name without the prefix that joining corpora adds."""
        return self.name.removeprefix(f"{self.corpus}/")

    def content(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            AudioError: the file or the member of the archive cannot be read.
        """
        if self.member is None:
            with translated(AudioError, self.path):
                return self.path.read_bytes()
        with translated(AudioError, f"{self.path}/{self.member}"):
            archive = _archive(self.path, os.getpid())
            try:  # a member never unpacks to more than its header states
                if archive.getinfo(self.member).file_size > MAX_MEMBER:
                    raise zipfile.BadZipFile(f"unpacks to more than {MAX_MEMBER >> 20} MiB")
                return archive.read(self.member)
            except (KeyError, RuntimeError, *DAMAGED) as error:  # missing, encrypted, damaged
                raise zipfile.BadZipFile(str(error)) from error

    def read(self) -> tuple[Signal, int]:
        """Return the signal `(samples,)` and its sampling rate in Hz.

        Raises:
            AudioError: as `read_audio`.
        """
        if self.member is None:
            return read_audio(self.path)
        try:
            return read_audio(self.content())
        except AudioError as error:
            raise AudioError(f"{self.path}/{self.member}: {error}") from error

    def digest(self) -> str:
        """Return the SHA-256 of the file in hexadecimal, equal for byte-identical clips."""
        if self.member:
            return hashlib.sha256(self.content()).hexdigest()
        with translated(AudioError, self.path), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4)
def _archive(path: Path, process: int) -> zipfile.ZipFile:
    """Open an archive once in a process: forked ones would share the position in the file."""
    return zipfile.ZipFile(path)
