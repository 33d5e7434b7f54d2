"""What the mean of several cross-validations' answers would be worth.

    python benchmarks/committee.py runs/actors runs/emobox

Each clip is answered by the models of its fold in every folder, so the folders must be of the same
folds.  UAR of each folder and of the mean of their probabilities, on the clips that all of them
answer, corpus by corpus, as a Markdown table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from audio_emotion.evaluation.analysis import Row


def answers(folder: Path) -> dict[tuple[str, str], Row]:
    """Rows by fold and clip."""
    paths = sorted(folder.glob("fold-*/answers.json"))
    rows = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    return {(fold, row["clip"]): row for fold, those in rows.items() for row in those}


def chances(rows: list[Row]) -> np.ndarray:
    """`(clips, classes)`, zero for emotions that no clip of the corpus is labelled with."""
    known = {row["truth"] for row in rows}
    return np.array(
        [[p * (name in known) for name, p in row["probabilities"].items()] for row in rows]
    )


def uar(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean of the recalls, in percent."""
    right = probabilities.argmax(1) == truth
    return 100 * float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="of cross-validations")
    folders = parser.parse_args().folders
    found = [answers(folder) for folder in folders]
    common = sorted(set.intersection(*(set(rows) for rows in found)))
    print(f"| UAR % | clips | {' | '.join(map(str, folders))} | mean of their answers |")
    print("|---|--:|" + "--:|" * (len(folders) + 1))
    for corpus in sorted({found[0][key]["corpus"] for key in common}):
        keys = [key for key in common if found[0][key]["corpus"] == corpus]
        labels = list(found[0][keys[0]]["probabilities"])
        truth = np.array([labels.index(found[0][key]["truth"]) for key in keys])
        each = [chances([rows[key] for key in keys]) for rows in found]
        figures = [uar(p, truth) for p in (*each, np.mean(each, 0))]
        print(f"| {corpus} | {len(keys)} | {' | '.join(f'{f:.1f}' for f in figures)} |")


if __name__ == "__main__":
    main()
