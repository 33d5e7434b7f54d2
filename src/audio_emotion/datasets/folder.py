"""A folder for each label: `angry/one.wav`, `happy/two.wav`, …"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..labels import EMOTIONS, Emotion, Label, parse_label
from .clip import Clip
from .corpus import Corpus, Skipped
from .layout import Recording


def count(root: Path, recordings: Sequence[Recording], labels: Sequence[str] = EMOTIONS) -> int:
    """Return how many recordings lie in a folder directly below `root` that names a label."""
    return sum(_label(root, recording, labels) is not None for recording in recordings)


def load(root: Path, recordings: Sequence[Recording], labels: Sequence[str] = EMOTIONS) -> Corpus:
    """Return the recordings in such folders as clips.

    Raises:
        CorpusError: there is none.
    """
    clips, skipped = [], []
    for recording in recordings:
        label = _label(root, recording, labels)
        if label is None:
            skipped.append(Skipped(str(recording), "not in a folder named after a label"))
        else:
            name = recording.path.relative_to(root).as_posix()
            clips.append(Clip(name, label, recording.path))
    return Corpus(root.resolve().name, tuple(clips), skipped=tuple(skipped))


def _label(root: Path, recording: Recording, labels: Sequence[str]) -> Emotion | Label | None:
    if recording.member:
        return None
    top, *below = recording.path.relative_to(root).parts
    return parse_label(top, labels) if below else None
