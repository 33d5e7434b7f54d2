"""A CSV file with the columns `path,label` and, where known, `speaker,split`."""

import csv
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import CorpusError, translated
from ..labels import EMOTIONS, parse_label
from .clip import SPLITS, Clip
from .corpus import Corpus

REQUIRED = ("path", "label")
OPTIONAL = ("speaker", "split")
DELIMITERS = (",", ";", "\t")
SPLIT_ALIASES = {"dev": "val", "valid": "val", "validation": "val"}


def load(manifest: Path, labels: Sequence[str] = EMOTIONS) -> Corpus:
    """Return the clips that a manifest lists; relative paths start at its folder.

    Columns lie between commas, semicolons or tabs, in any order; others are named in a warning.

    Raises:
        CorpusError: the file cannot be read, a column is missing, a path is listed twice, or a
            label or split is unknown; the message names the line.
    """
    with (
        translated(CorpusError, manifest),
        manifest.open(newline="", encoding="utf-8-sig") as file,
    ):
        first = file.readline()
        file.seek(0)
        reader = csv.DictReader(file, delimiter=max(DELIMITERS, key=first.count))
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        _check_columns(manifest, reader.fieldnames)
        clips = [_clip(manifest, reader.line_num, row, labels) for row in reader]
    for name, count in Counter(clip.name for clip in clips).items():
        if count > 1:
            raise CorpusError(f"{manifest} lists {name} more than once")
    return Corpus(manifest.stem, tuple(clips))


def _check_columns(manifest: Path, columns: Sequence[str]) -> None:
    wrong = [f"{name!r} is missing" for name in REQUIRED if name not in columns]
    wrong += [f"{name!r} is there twice" for name in columns if columns.count(name) > 1]
    if wrong:
        raise CorpusError(
            f"{manifest}: column {wrong[0]}; the first line must be "
            f"{','.join(REQUIRED)}[,{','.join(OPTIONAL)}]"
        )
    others = [name for name in columns if name not in {*REQUIRED, *OPTIONAL}]
    if others:
        warnings.warn(f"{manifest}: columns without use: {', '.join(others)}", stacklevel=4)


def _clip(manifest: Path, line: int, row: dict[str, str], labels: Sequence[str]) -> Clip:
    where = f"{manifest}, line {line}"
    if None in row or None in row.values() or not row["path"]:
        raise CorpusError(f"{where}: the number of values differs from the number of columns")
    path, text, split = (row.get(name, "").strip() for name in ("path", "label", "split"))
    label = parse_label(text, labels)
    if label is None:
        raise CorpusError(f"{where}: label {text!r} is not one of {', '.join(labels)}")
    split = SPLIT_ALIASES.get(split.lower(), split.lower())
    if split and split not in SPLITS:
        raise CorpusError(f"{where}: split {split!r} is not one of {', '.join(SPLITS)}")
    if "\\" in path and not (manifest.parent / path).exists():  # written on Windows
        path = path.replace("\\", "/")
    speaker = row.get("speaker", "").strip() or None
    return Clip(path, label, manifest.parent / path, speaker=speaker, split=split or None)
