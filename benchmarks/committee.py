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

from audio_emotion.evaluation.analysis import Row, restrict
from audio_emotion.evaluation.metrics import confusion_matrix, unweighted_average_recall


def answers(folder: Path) -> dict[tuple[str, str], Row]:
    """Rows by fold and clip."""
    paths = sorted(folder.glob("fold-*/answers.json"))
    rows = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    return {(fold, row["clip"]): row for fold, those in rows.items() for row in those}


def uar(probabilities: np.ndarray, truth: list[int]) -> float:
    """Of answers `(clips, labels)`, in percent."""
    matrix = confusion_matrix(truth, probabilities.argmax(1), probabilities.shape[1])
    return 100 * unweighted_average_recall(matrix)


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
        truths = [found[0][key]["truth"] for key in keys]
        labels = [name for name in found[0][keys[0]]["probabilities"] if name in truths]
        answered = [restrict([rows[key] for key in keys], labels) for rows in found]
        each = [np.array([list(row["probabilities"].values()) for row in r]) for r in answered]
        truth = [labels.index(name) for name in truths]
        figures = [uar(p, truth) for p in (*each, np.mean(each, 0))]
        print(f"| {corpus} | {len(keys)} | {' | '.join(f'{f:.1f}' for f in figures)} |")


if __name__ == "__main__":
    main()
