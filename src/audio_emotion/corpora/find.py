"""Which kind of corpus a path is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from ..errors import CorpusError
from ..labels import EMOTIONS
from . import crema_d, folder, manifest, ravdess
from .corpus import Corpus, audio_files, join, relabel

KINDS = (
    "RAVDESS (its folders or its zip archives), CREMA-D, a folder for each emotion, "
    "or a CSV manifest with the columns path,label[,speaker,split]"
)


def load_corpus(path: str | PathLike[str], labels: Sequence[str] = EMOTIONS) -> Corpus:
    """The corpus at `path`, recognised by its names.

    Args:
        path: a folder, a `.csv` manifest or a RAVDESS `.zip`.
        labels: that clips may have; recordings of others are skipped.

    Raises:
        CorpusError: nothing is there, or nothing that is understood.
    """
    root = Path(path)
    if not root.exists():
        raise CorpusError(f"{root} does not exist; a corpus is {KINDS}")
    if root.is_file():
        return _load_file(root, labels)
    stems = [file.stem for file in audio_files(root)]
    if any(map(ravdess.matches, stems)) or any(root.glob("Audio_*_Actors_01-24.zip")):
        return relabel(ravdess.load(root), labels)
    if any(map(crema_d.matches, stems)):
        return relabel(crema_d.load(root), labels)
    if folder.matches(root, labels):
        return folder.load(root, labels)
    raise CorpusError(
        f"{root} holds {len(stems)} recordings in no known layout, nor folders named "
        f"{', '.join(labels)}: give {KINDS}, or the labels of your own (labels=one,other)"
    )


def load_corpora(paths: Iterable[str | PathLike[str]], labels: Sequence[str] = EMOTIONS) -> Corpus:
    """The corpora at `paths` as one, the main one first.

    Raises:
        CorpusError: as `load_corpus`, or two have one name.
    """
    return join([load_corpus(path, labels) for path in paths])


def _load_file(path: Path, labels: Sequence[str]) -> Corpus:
    if path.suffix.lower() == ".csv":
        return manifest.load(path, labels)
    if path.suffix.lower() == ".zip":
        return relabel(ravdess.load(path), labels)
    raise CorpusError(f"{path} is a file of no known kind: give {KINDS}")
