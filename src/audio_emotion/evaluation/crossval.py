"""What the folds of a protocol say together: mean, deviation and interval, corpus by corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..config import Config
from ..corpora import Clip, Corpus
from .analysis import Row, analyse, restrict, scores
from .metrics import SCORES
from .protocols import Protocol

# Two-sided 95 % quantiles of Student's t by degrees of freedom; 1.96 is the limit.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def summarize(
    folds: Mapping[str, Sequence[Row]], corpus: Corpus, protocol: Protocol, config: Config
) -> dict[str, dict[str, Any]]:
    """A result for each corpus, ready for `write_report`; and for its speech where there is song.

    A corpus that lacks labels is judged among those it has, and the report says so.

    Args:
        folds: rows of the test part of each fold that is done.
        corpus: what the folds were dealt from.
        protocol: how.
        config: of the folds.
    """
    results = {}
    for member in corpus.members:
        own = {
            name: kept
            for name, rows in folds.items()
            if (kept := [row for row in rows if row["corpus"] == member])
        }
        if not own:
            continue
        results[member] = _result(own, member, corpus, protocol, config)
        channels = {row["channel"] for rows in own.values() for row in rows}
        if channels == {"speech", "song"}:
            for channel in ("speech", "song"):
                part = {
                    name: [row for row in rows if row["channel"] == channel]
                    for name, rows in own.items()
                }
                title = f"{member} {channel}"
                results[f"{member}-{channel}"] = _result(part, title, corpus, protocol, config)
    return results


def over_folds(values: Sequence[float]) -> dict[str, float | None]:
    """Mean, standard deviation, and the half width of Student's 95 % interval of the mean.

    One fold has no deviation.
    """
    count = len(values)
    found: dict[str, float | None] = {"mean": float(np.mean(values))}
    if count == 1:
        return found | {"deviation": None, "half_width": None}
    deviation = float(np.std(values, ddof=1))
    quantile = STUDENT[min(count - 2, len(STUDENT) - 1)]
    return found | {"deviation": deviation, "half_width": quantile * deviation / count**0.5}


def as_text(results: Mapping[str, dict[str, Any]]) -> str:
    """A line for each corpus."""
    lines = []
    for name, result in results.items():
        parts = [
            f"{score} {_interval(found['mean'], found['half_width'])}"
            for score, found in result["over_folds"].items()
        ]
        count = len(result["folds"])
        lines.append(f"{name}: {', '.join(parts)} over {count} fold{'s' * (count > 1)}")
        lines.append(f"  {result['protocol']}")
    return "\n".join(lines)


def _interval(mean: float, half_width: float | None) -> str:
    spread = "" if half_width is None else f" ± {100 * half_width:.2f}"
    return f"{100 * mean:.2f}{spread} %"


def _result(
    folds: Mapping[str, Sequence[Row]],
    name: str,
    corpus: Corpus,
    protocol: Protocol,
    config: Config,
) -> dict[str, Any]:
    member = next(row["corpus"] for rows in folds.values() for row in rows)
    labels = shared_labels(member, corpus, protocol, config.labels)
    dropped = [label for label in config.labels if label not in labels]
    folds = {fold: judgeable(rows, labels) for fold, rows in folds.items()}
    pooled = [row for rows in folds.values() for row in rows]
    by_fold = {fold: scores(rows, labels) for fold, rows in folds.items()}
    return {
        "model": f"configuration {config.name}",
        "corpus": name,
        "part": "test",
        "protocol": _in_words(corpus, protocol, len(folds), dropped),
        "protocol_name": protocol.name,
        "over_folds": {
            score: over_folds([fold[score]["value"] for fold in by_fold.values()])
            for score in SCORES
        },
        "folds": {
            fold: {"clips": len(folds[fold])} | {s: found[s]["value"] for s in SCORES}
            for fold, found in by_fold.items()
        },
        **analyse(pooled, labels),
        "errors": [],
        "predictions": pooled,
    }


def shared_labels(
    member: str, corpus: Corpus, protocol: Protocol, labels: Sequence[str]
) -> list[str]:
    """Those of `labels` that clips of a member corpus have, and clips of some training."""
    occurring = {clip.label.label for clip in corpus.clips if clip.corpus == member}
    trained = {clip.label.label for clip in _trained(corpus, protocol)}
    return [label for label in labels if label in occurring & trained]


def judgeable(rows: Sequence[Row], labels: Sequence[str]) -> list[Row]:
    """Rows whose truth is one of `labels`, answered among them."""
    if not rows or list(rows[0]["probabilities"]) == list(labels):
        return list(rows)
    return restrict([row for row in rows if row["truth"] in labels], labels)


def _trained(corpus: Corpus, protocol: Protocol) -> list[Clip]:
    """Clips that some fold trains on."""
    return [corpus.clips[n] for n in {n for fold in protocol.folds for n in fold.members("train")}]


def _in_words(corpus: Corpus, protocol: Protocol, done: int, dropped: Sequence[str]) -> str:
    heard = {clip.corpus for clip in _trained(corpus, protocol)}
    members = " + ".join(member for member in corpus.members if member in heard)
    text = f"protocol {protocol.name} (version {protocol.version}), {protocol.promise}; "
    text += f"{done} of {len(protocol.folds)} folds, test parts pooled; trained on {members}"
    if dropped:
        text += f"; judged among the labels that both sides have, without {' and '.join(dropped)}"
    return text
