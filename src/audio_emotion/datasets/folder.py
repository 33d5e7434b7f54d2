"""A folder for each label: `angry/one.wav`, `happy/two.wav`, …"""

from collections.abc import Sequence
from pathlib import Path

from ..labels import EMOTIONS, parse_label
from .clip import Clip
from .corpus import Corpus
from .layouts import Recording, collect


def count(root: Path, recordings: Sequence[Recording], labels: Sequence[str] = EMOTIONS) -> int:
    """Return how many recordings lie in a folder directly below `root` that names a label."""
    return sum(isinstance(_clip(root, recording, labels), Clip) for recording in recordings)


def load(root: Path, recordings: Sequence[Recording], labels: Sequence[str] = EMOTIONS) -> Corpus:
    """Return the recordings in such folders as clips.

    Raises:
        CorpusError: there is none.
    """
    clips, skipped = collect(recordings, lambda recording: _clip(root, recording, labels))
    return Corpus(root.resolve().name, clips, skipped=skipped)


def _clip(root: Path, recording: Recording, labels: Sequence[str]) -> Clip | str:
    path = recording.path.relative_to(root)
    label = parse_label(path.parts[0], labels) if len(path.parts) > 1 else None
    if label is None:
        return "not in a folder named after a label"
    return Clip(path.as_posix(), label, recording.path)
