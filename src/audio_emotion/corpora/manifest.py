"""A CSV file with the columns `path,label` and, where known, `speaker,split`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError
from ..labels import EMOTIONS, parse_label
from .clip import Clip
from .corpus import Corpus

REQUIRED = ("path", "label")
OPTIONAL = ("speaker", "split")
PARTS = ("train", "val", "test")


def load(manifest: Path, labels: Sequence[str] = EMOTIONS) -> Corpus:
    """Clips as listed; relative paths start at the manifest's folder.

    Raises:
        CorpusError: the file cannot be read, a column is missing or unknown, a path is listed
            twice, a label or a split is none of ours.  The line is named.
    """
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_columns(manifest, reader.fieldnames or [])
            clips = [_clip(manifest, reader.line_num, row, labels) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{manifest} cannot be read as CSV: {error}") from error
    for name, count in Counter(clip.name for clip in clips).items():
        if count > 1:
            raise CorpusError(f"{manifest} lists {name} more than once")
    return Corpus(manifest.stem, tuple(clips))


def _check_columns(manifest: Path, columns: object) -> None:
    present = set(columns)  # type: ignore[call-overload]
    wrong = sorted(present - {*REQUIRED, *OPTIONAL}) + sorted(set(REQUIRED) - present)
    if wrong:
        raise CorpusError(
            f"{manifest}: column {wrong[0]!r} is unknown or missing; the first line must be "
            f"{','.join(REQUIRED)}[,{','.join(OPTIONAL)}]"
        )


def _clip(manifest: Path, line: int, row: dict[str, str], labels: Sequence[str]) -> Clip:
    where = f"{manifest}, line {line}"
    path, text, part = row["path"], row["label"], row.get("split") or None
    if not path or None in row or None in row.values():
        raise CorpusError(f"{where}: not as many values as columns")
    label = parse_label(text, labels)
    if label is None:
        raise CorpusError(f"{where}: label {text!r} is none of {', '.join(labels)}")
    if part not in {None, *PARTS}:
        raise CorpusError(f"{where}: split {part!r} is none of {', '.join(PARTS)}")
    return Clip(path, label, manifest.parent / path, speaker=row.get("speaker") or None, part=part)
