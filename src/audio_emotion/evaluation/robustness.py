"""Measure what each corruption costs on the test clips of a cross-validation."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ..datasets import Corpus
from ..errors import CorpusError
from ..inference.classifier import Classifier
from .analysis import Row, group, rates, restrict
from .corruptions import CORRUPTIONS
from .evaluate import predict_clips
from .folds import shared_labels
from .protocols import Protocol

Step = Callable[[str], None]
Measured = dict[str, float | str]


def compare(
    corpus: Corpus,
    protocol: Protocol,
    out: Path,
    predictions: Mapping[str, Sequence[Row]],
    *,
    corruptions: Iterable[str] = tuple(CORRUPTIONS),
    step: Step = lambda _: None,
) -> list[Measured]:
    """Return the scores of the first tested corpus, clean and with each corruption, folds pooled.

    Args:
        corpus: the corpora that the protocol was built on.
        protocol: the folds.
        out: folder of the cross-validation, which holds the model of each fold.
        predictions: rows of the clean clips by fold; other folds are left out.
        corruptions: names from `CORRUPTIONS`.
        step: called with what is done next.

    Returns:
        A row for `clean` and for each corruption: `corruption`, `accuracy`, `uar` and `drop` in
        [0, 1], and where there are several channels `uar speech` and the like.

    Raises:
        CorpusError: no fold is finished.
    """
    pooled = [row for rows in predictions.values() for row in rows]
    if not pooled:
        raise CorpusError(f"{out} holds no finished fold")
    tested = {row["corpus"] for row in pooled}
    main = next(member for member in corpus.members if member in tested)
    labels = shared_labels(main, corpus, protocol.folds, list(pooled[0]["probabilities"]))
    clean = restrict([row for row in pooled if row["corpus"] == main], labels)
    found = [measured("clean", clean, labels, None)]
    for name in corruptions:
        rows: list[Row] = []
        for fold in (fold for fold in protocol.folds if fold.name in predictions):
            step(f"{name}, fold {fold.name}")
            clips = (corpus.clips[n] for n in fold.members("test"))
            model = Classifier(out / f"fold-{fold.name}" / "model.onnx")
            rows += predict_clips(model, (clip for clip in clips if clip.corpus == main), name)[0]
        found.append(measured(name, restrict(rows, labels), labels, found[0]["uar"]))
    return found


def as_markdown(found: Sequence[Measured]) -> str:
    """Return what `compare` found as a Markdown table."""
    titles = {"accuracy": "accuracy %", "uar": "UAR %", "drop": "points of UAR lost"}
    titles |= {name: f"{name.replace('uar', 'UAR of')} %" for name in found[0] if "uar " in name}
    lines = [f"| corruption | {' | '.join(titles.values())} |", f"| --- |{' --: |' * len(titles)}"]
    for row in found:
        cells = " | ".join(f"{100 * float(row[name]):.2f}" for name in titles)
        lines.append(f"| {row['corruption']} | {cells} |")
    return "\n".join(lines) + "\n"


def measured(
    name: str, rows: Sequence[Row], labels: Sequence[str], clean: float | str | None
) -> Measured:
    """Return a row of the table; `clean` is the UAR without corruption, None for that row."""
    found = rates(rows, labels)
    drop = 0.0 if clean is None else float(clean) - found["uar"]
    by_channel = {f"uar {row['value']}": row["uar"] for row in group(rows, labels, "channel")}
    scores = {"accuracy": found["accuracy"], "uar": found["uar"], "drop": drop}
    return {"corruption": name, **scores, **by_channel}
