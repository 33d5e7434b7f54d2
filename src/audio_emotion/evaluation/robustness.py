"""What each condition costs, on the test clips of a cross-validation's folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..classifier import Classifier
from ..corpora import Corpus
from ..errors import CorpusError
from .analysis import Row, group, scores
from .conditions import CONDITIONS
from .crossval import judgeable, shared_labels
from .evaluate import judge
from .protocols import Protocol

Step = Callable[[str], None]


def compare(
    corpus: Corpus,
    protocol: Protocol,
    out: Path,
    answers: dict[str, list[Row]],
    *,
    conditions: Iterable[str] = tuple(CONDITIONS),
    step: Step = lambda _: None,
) -> list[dict[str, float | str]]:
    """UAR of the first corpus that is tested, clean and under each condition, folds pooled.

    Args:
        corpus: what the protocol was built over.
        protocol: the folds.
        out: folder of the cross-validation, whose fold's models judge.
        answers: rows by fold of the clean clips; folds without are left out.
        conditions: names from `CONDITIONS`.
        step: told what is done next.

    Returns:
        A row for `clean` and each condition: `condition`, `accuracy`, `uar`, `drop` in [0, 1],
        and where there are several channels `uar speech` and the like.

    Raises:
        CorpusError: no fold is done.
    """
    answered = [row for rows in answers.values() for row in rows]
    if not answered:
        raise CorpusError(f"{out} holds no fold that is done")
    tested = {row["corpus"] for row in answered}
    main = next(member for member in corpus.members if member in tested)
    labels = shared_labels(main, corpus, protocol, list(answered[0]["probabilities"]))
    clean = judgeable([row for row in answered if row["corpus"] == main], labels)
    found = [measured("clean", clean, labels, None)]
    for name in conditions:
        rows: list[Row] = []
        for fold in protocol.folds:
            if fold.name not in answers:
                continue
            step(f"{name}, fold {fold.name}")
            clips = [corpus.clips[n] for n in fold.members("test")]
            model = Classifier(out / f"fold-{fold.name}" / "model.onnx")
            judged, _ = judge(model, (c for c in clips if c.corpus == main), name)
            rows += judged
        found.append(measured(name, judgeable(rows, labels), labels, found[0]["uar"]))
    return found


def as_markdown(found: Sequence[dict[str, float | str]]) -> str:
    """The table."""
    titles = {"accuracy": "accuracy %", "uar": "UAR %", "drop": "points of UAR lost"}
    titles |= {name: f"{name.replace('uar', 'UAR of')} %" for name in found[0] if "uar " in name}
    lines = [f"| condition | {' | '.join(titles.values())} |", f"| --- |{' --: |' * len(titles)}"]
    for row in found:
        cells = " | ".join(f"{100 * float(row[name]):.2f}" for name in titles)
        lines.append(f"| {row['condition']} | {cells} |")
    return "\n".join(lines) + "\n"


def measured(
    name: str, rows: Sequence[Row], labels: Sequence[str], clean: float | str | None
) -> dict[str, float | str]:
    """A row of the table; `drop` is from `clean`, the UAR without the condition, where given."""
    judged = scores(rows, labels)
    uar = judged["uar"]["value"]
    drop = 0.0 if clean is None else float(clean) - uar
    accuracy = judged["accuracy"]["value"]
    apart = {f"uar {row['value']}": row["uar"] for row in group(rows, labels, "channel")}
    return {"condition": name, "accuracy": accuracy, "uar": uar, "drop": drop, **apart}
