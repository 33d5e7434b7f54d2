"""How a published corpus names its files, and the recordings below a path."""

import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...audio import AUDIO_SUFFIXES, audio_files
from ...errors import CorpusError, translated
from ...labels import EMOTIONS, parse_emotion, parse_label
from ..clip import Clip
from ..corpus import Corpus, Skipped


@dataclass(frozen=True)
class Recording:
    """A file, or a member of a zip archive, with the suffix of a recording."""

    path: Path
    member: str | None = None

    @property
    def stem(self) -> str:
        """The file name without its suffix."""
        return PurePosixPath(self.member or self.path.as_posix()).stem

    @property
    def folder(self) -> str:
        """The name of the folder that the file is in, in its archive if it is in one."""
        return PurePosixPath(self.member or self.path.as_posix()).parent.name

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)


@dataclass(frozen=True)
class Layout:
    """A published corpus whose file names state the facts of each clip."""

    name: str
    licence: str
    citation: str
    pattern: re.Pattern[str]  # of a name without suffix; its groups are fields of `Clip`
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of texts, by group
    genders: Mapping[str, str] = field(default_factory=dict)  # of the speakers
    channel: str | None = None  # of all clips, if the names do not state it
    in_folders: bool = False  # whether a folder's name and _ may be missing in front of names

    def count(self, recordings: Sequence[Recording]) -> int:
        """Return how many recordings follow the pattern."""
        return sum(self._match(recording) is not None for recording in recordings)

    def load(self, recordings: Sequence[Recording], labels: Sequence[str] = EMOTIONS) -> Corpus:
        """Return the clips that follow the pattern and have one of `labels`.

        Raises:
            CorpusError: there is none.
        """
        clips, skipped = collect(recordings, lambda recording: self._clip(recording, labels))
        return Corpus(self.name, clips, self.licence, self.citation, skipped)

    def _match(self, recording: Recording) -> re.Match[str] | None:
        found = self.pattern.fullmatch(recording.stem)
        if not found and self.in_folders:
            found = self.pattern.fullmatch(f"{recording.folder}_{recording.stem}")
        return found

    def _clip(self, recording: Recording, labels: Sequence[str]) -> Clip | str:
        match = self._match(recording)
        if not match:
            return f"name does not follow {self.name}'s pattern"
        facts = {k: self.values.get(k, {}).get(v, v) for k, v in match.groupdict().items()}
        facts = {"channel": self.channel, "gender": self.genders.get(facts["speaker"]), **facts}
        text = facts.pop("label")
        label = parse_label(getattr(parse_emotion(text), "label", text), labels)
        if label is None:
            return f"label {text} is not one of {', '.join(labels)}"
        return Clip(match[0], label, recording.path, recording.member, **facts)


def collect(
    recordings: Iterable[Recording], parse: Callable[[Recording], Clip | str]
) -> tuple[tuple[Clip, ...], tuple[Skipped, ...]]:
    """Return the clips, of equal names the first, and what is skipped.

    `parse` returns the clip of a recording, or why it is not one.
    """
    clips: dict[str, Clip] = {}
    skipped = []
    for recording in recordings:
        found = parse(recording)
        if isinstance(found, Clip) and clips.setdefault(found.name, found) is not found:
            found = "found twice"
        if isinstance(found, str):
            skipped.append(Skipped(str(recording), found))
    return tuple(clips.values()), tuple(skipped)


def find_recordings(root: Path) -> list[Recording]:
    """Return the recordings below a folder, then those in its zip archives, sorted by path.

    Args:
        root: a folder, whose subfolders are searched for recordings but not for archives; or one
            zip archive.

    Raises:
        CorpusError: an archive is damaged.
    """
    found = [Recording(path) for path in audio_files(root)] if root.is_dir() else []
    entries = sorted(root.iterdir()) if root.is_dir() else [root]
    archives = [e for e in entries if e.suffix.lower() == ".zip" and not _is_hidden(e.name)]
    for path in filter(Path.is_file, archives):
        with translated(CorpusError, path), zipfile.ZipFile(path) as archive:
            members = sorted(archive.namelist())
        found += [
            Recording(path, member)
            for member in members
            if PurePosixPath(member).suffix.lower() in AUDIO_SUFFIXES and not _is_hidden(member)
        ]
    return found


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)
