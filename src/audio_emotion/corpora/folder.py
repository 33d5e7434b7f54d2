"""A folder for each class: `angry/one.wav`, `happy/two.wav`, …"""

from __future__ import annotations

from pathlib import Path

from ..errors import CorpusError
from ..labels import EMOTIONS, parse_emotion
from .clip import Clip
from .corpus import Corpus, audio_files


def matches(root: Path) -> bool:
    """Whether a folder directly below `root` bears the name of an emotion."""
    return any(parse_emotion(path.name) is not None for path in root.iterdir() if path.is_dir())


def load(root: Path) -> Corpus:
    """Clips labelled by the folder directly below `root` that they lie in.

    Raises:
        CorpusError: no folder bears the name of an emotion.
    """
    clips, skipped = [], []
    for path in audio_files(root):
        relative = path.relative_to(root)
        label = parse_emotion(relative.parts[0]) if len(relative.parts) > 1 else None
        if label is None:
            skipped.append(str(path))
        else:
            clips.append(Clip(relative.as_posix(), label, path))
    if not clips:
        raise CorpusError(f"{root}: no recordings in folders named {', '.join(EMOTIONS)}")
    return Corpus(root.resolve().name, tuple(clips), skipped=tuple(skipped))
