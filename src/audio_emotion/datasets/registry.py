"""The layouts that are known, and which of them a path has."""

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from ..errors import CorpusError
from ..labels import EMOTIONS
from . import folder, manifest
from .corpus import Corpus, join
from .layouts import LAYOUTS, find_recordings

KINDS = (
    f"{', '.join(layout.name for layout in LAYOUTS)} (folders or zip archives), a folder for each "
    "label, or a manifest (.csv, .tsv) with the columns path,label[,speaker,split]"
)
MANIFESTS = (".csv", ".tsv")


def load_corpus(path: str | PathLike[str], labels: Sequence[str] = EMOTIONS) -> Corpus:
    """Load the corpus at `path` in the layout that most of its recordings follow.

    Args:
        path: a folder, a manifest (`.csv`, `.tsv`) or a `.zip` archive.
        labels: the labels to keep; recordings with others are skipped.

    Raises:
        CorpusError: the path does not exist, is damaged or has no known layout.
    """
    root = Path(path)
    if not root.exists():
        raise CorpusError(f"{root} does not exist; give {KINDS}")
    if root.is_file() and root.suffix.lower() in MANIFESTS:
        return manifest.load(root, labels)
    if root.is_file() and root.suffix.lower() != ".zip":
        raise CorpusError(f"{root} is neither .csv, .tsv nor .zip; give {KINDS}")
    recordings = find_recordings(root)
    layout = max(LAYOUTS, key=lambda layout: layout.count(recordings))  # the first of equals
    by_name, by_folder = layout.count(recordings), folder.count(root, recordings, labels)
    if not by_name and not by_folder:
        raise CorpusError(
            f"{root} holds {len(recordings)} recordings in no known layout, nor folders named "
            f"{', '.join(labels)}; give {KINDS}, or labels of your own (labels=one,other)"
        )
    if by_name >= by_folder:
        return layout.load(recordings, labels)
    return folder.load(root, recordings, labels)


def load_corpora(paths: Iterable[str | PathLike[str]], labels: Sequence[str] = EMOTIONS) -> Corpus:
    """Load the corpora at `paths`, the main one first, and join them.

    Raises:
        CorpusError: as `load_corpus`, or two have the same name.
    """
    return join([load_corpus(path, labels) for path in paths])


def is_published(corpus: str, clip: str) -> bool:
    """Return whether a clip's name is one that a published corpus gives.

    >>> is_published("nEMO", "EB0_anger_1"), is_published("nEMO", "angry/1.wav")
    (True, False)
    """
    return any(layout.name == corpus and layout.pattern.fullmatch(clip) for layout in LAYOUTS)
