"""A CSV file with the columns `path,label` and, where known, `speaker,split`."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError, translated
from ..labels import EMOTIONS, parse_label
from .clip import SPLITS, Clip
from .corpus import Corpus

REQUIRED = ("path", "label")
OPTIONAL = ("speaker", "split")


def load(manifest: Path, labels: Sequence[str] = EMOTIONS) -> Corpus:
    """Return the clips that a manifest lists; relative paths start at its folder.

    Raises:
        CorpusError: the file cannot be read, a column is missing or unknown, a path is listed
            twice, or a label or split is unknown; the message names the line.
    """
    with (
        translated(CorpusError, manifest),
        manifest.open(newline="", encoding="utf-8-sig") as file,
    ):
        reader = csv.DictReader(file)
        _check_columns(manifest, reader.fieldnames or [])
        clips = [_clip(manifest, reader.line_num, row, labels) for row in reader]
    for name, count in Counter(clip.name for clip in clips).items():
        if count > 1:
            raise CorpusError(f"{manifest} lists {name} more than once")
    return Corpus(manifest.stem, tuple(clips))


def _check_columns(manifest: Path, columns: Sequence[str]) -> None:
    present = set(columns)
    wrong = sorted(present - {*REQUIRED, *OPTIONAL}) + sorted(set(REQUIRED) - present)
    if wrong:
        raise CorpusError(
            f"{manifest}: column {wrong[0]!r} is unknown or missing; the first line must be "
            f"{','.join(REQUIRED)}[,{','.join(OPTIONAL)}]"
        )


def _clip(manifest: Path, line: int, row: dict[str, str], labels: Sequence[str]) -> Clip:
    where = f"{manifest}, line {line}"
    path, text, split = row["path"], row["label"], row.get("split") or None
    if not path or None in row or None in row.values():
        raise CorpusError(f"{where}: the number of values differs from the number of columns")
    label = parse_label(text, labels)
    if label is None:
        raise CorpusError(f"{where}: label {text!r} is not one of {', '.join(labels)}")
    if split not in {None, *SPLITS}:
        raise CorpusError(f"{where}: split {split!r} is not one of {', '.join(SPLITS)}")
    speaker = row.get("speaker") or None
    return Clip(path, label, manifest.parent / path, speaker=speaker, split=split)
