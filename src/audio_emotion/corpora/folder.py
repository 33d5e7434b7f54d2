"""A folder for each class: `angry/one.wav`, `happy/two.wav`, …"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError
from ..labels import EMOTIONS, parse_label
from .clip import Clip
from .corpus import Corpus, audio_files


def matches(root: Path, labels: Sequence[str] = EMOTIONS) -> bool:
    """Whether a folder directly below `root` bears the name of a label."""
    folders = (path.name for path in root.iterdir() if path.is_dir())
    return any(parse_label(name, labels) is not None for name in folders)


def load(root: Path, labels: Sequence[str] = EMOTIONS) -> Corpus:
    """Clips labelled by the folder directly below `root` that they lie in.

    Raises:
        CorpusError: no folder bears the name of a label.
    """
    clips, skipped = [], []
    for path in audio_files(root):
        relative = path.relative_to(root)
        label = parse_label(relative.parts[0], labels) if len(relative.parts) > 1 else None
        if label is None:
            skipped.append(str(path))
        else:
            clips.append(Clip(relative.as_posix(), label, path))
    if not clips:
        raise CorpusError(f"{root}: no recordings in folders named {', '.join(labels)}")
    return Corpus(root.resolve().name, tuple(clips), skipped=tuple(skipped))
