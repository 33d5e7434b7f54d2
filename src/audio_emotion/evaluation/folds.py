"""Summarise the folds of a protocol, corpus by corpus: mean, deviation and interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..datasets import Clip, Corpus
from .analysis import Row, analyse, rates, restrict
from .metrics import SCORES
from .protocols import Fold, Protocol

# Two-sided 95 % quantiles of Student's t by degrees of freedom, from 1 on.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
Folds = Mapping[str, Sequence[Row]]


def summarize(
    folds: Folds, corpus: Corpus, protocol: Protocol, labels: Sequence[str], name: str
) -> dict[str, dict[str, Any]]:
    """Return a result for each corpus, and for each channel of a corpus with speech and song.

    A corpus that lacks labels is evaluated among those it has, and the result says so.

    Args:
        folds: rows of the test split of each finished fold.
        corpus: the corpora that the protocol was built on.
        protocol: the folds.
        labels: of the models.
        name: of the configuration.
    """
    wanted = []
    for member in corpus.members:
        wanted.append({"corpus": member})
        rows = [row for rows in folds.values() for row in rows if row["corpus"] == member]
        if {row["channel"] for row in rows} == {"speech", "song"}:
            wanted += [{"corpus": member, "channel": channel} for channel in ("speech", "song")]
    results = {}
    for facts in wanted:
        kept = {
            fold: found
            for fold, rows in folds.items()
            if (found := [row for row in rows if facts.items() <= row.items()])
        }
        if result := _result(kept, facts["corpus"], corpus, protocol, labels):
            about = {"model": f"configuration {name}", "corpus": " ".join(facts.values())}
            results["-".join(facts.values())] = about | result
    return results


def over_folds(values: Sequence[float]) -> dict[str, float | None]:
    """Return the mean, the standard deviation and the half width of Student's 95 % interval.

    One fold has neither deviation nor interval.
    """
    count = len(values)
    found: dict[str, float | None] = {"mean": float(np.mean(values))}
    if count == 1:
        return found | {"deviation": None, "half_width": None}
    deviation = float(np.std(values, ddof=1))
    half_width = student_quantile(count - 1) * deviation / count**0.5
    return found | {"deviation": deviation, "half_width": half_width}


def student_quantile(freedom: int) -> float:
    """Return the two-sided 95 % quantile of Student's t, within 1e-3.

    Beyond the table it is the expansion of Abramowitz and Stegun, 26.7.5.
    """
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    z = 1.959964
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2


def as_text(results: Mapping[str, dict[str, Any]]) -> str:
    """Return two lines for each corpus: its scores and what they mean."""
    lines = []
    for name, result in results.items():
        parts = [
            f"{score} {_interval(found['mean'], found['half_width'])}"
            for score, found in result["over_folds"].items()
        ]
        count = len(result["folds"])
        lines.append(f"{name}: {', '.join(parts)} over {count} fold{'s' * (count > 1)}")
        lines.append(f"  {predictions_in_words(result)}")
        lines.append(f"  {result['protocol']}")
    return "\n".join(lines)


def predictions_in_words(result: Mapping[str, Any]) -> str:
    """Return how often each label is predicted, the commonest first, and what confidence means."""
    shares = zip(result["scores"]["predicted"], result["labels"], strict=True)
    called = ", ".join(f"{label} {100 * share:.1f} %" for share, label in sorted(shares)[::-1])
    found = result["calibration"]
    correct = found["confident_accuracy"]
    confident = f"{100 * found['confident_share']:.1f} % confident"
    confident += "" if correct is None else f", of these {100 * correct:.1f} % correct"
    return f"predicted {called}; ECE {100 * found['ece']:.1f} %; {confident}"


def shared_labels(
    member: str, corpus: Corpus, folds: Sequence[Fold], labels: Sequence[str]
) -> list[str]:
    """Return those of `labels` that occur both in a member corpus and in the folds' training.

    Among one label every prediction is correct, so for a corpus with a single label, such as
    ordinary speech, they are all labels of training.
    """
    occurring = {clip.label.label for clip in corpus.clips if clip.corpus == member}
    trained = {clip.label.label for clip in _trained(corpus, folds)}
    wanted = occurring & trained if len(occurring) > 1 else trained
    return [label for label in labels if label in wanted]


def _result(
    folds: Folds, member: str, corpus: Corpus, protocol: Protocol, labels: Sequence[str]
) -> dict[str, Any]:
    done = [fold for fold in protocol.folds if fold.name in folds]
    shared = shared_labels(member, corpus, done, labels)
    dropped = [label for label in labels if label not in shared]
    folds = {fold: found for fold, rows in folds.items() if (found := restrict(rows, shared))}
    if not folds:  # no clip, or none with a label that was trained
        return {}
    pooled = [row for rows in folds.values() for row in rows]
    by_fold = {fold: rates(rows, shared) for fold, rows in folds.items()}
    return {
        "split": "test",
        "protocol": _in_words(corpus, protocol, done, dropped),
        "protocol_name": protocol.name,
        "over_folds": {
            name: over_folds([values[name] for values in by_fold.values()]) for name in SCORES
        },
        "folds": by_fold,
        **analyse(pooled, shared),
        "errors": [],
        "predictions": pooled,
    }


def _interval(mean: float, half_width: float | None) -> str:
    spread = "" if half_width is None else f" ± {100 * half_width:.2f}"
    return f"{100 * mean:.2f}{spread} %"


def _trained(corpus: Corpus, folds: Sequence[Fold]) -> list[Clip]:
    """Return the clips that any of the folds trains on."""
    return [corpus.clips[n] for n in {n for fold in folds for n in fold.members("train")}]


def _in_words(
    corpus: Corpus, protocol: Protocol, folds: Sequence[Fold], dropped: Sequence[str]
) -> str:
    trained = {clip.corpus for clip in _trained(corpus, folds)}
    members = " + ".join(member for member in corpus.members if member in trained)
    text = f"protocol {protocol.name} (version {protocol.version}), {protocol.promise}; "
    text += f"{len(folds)} of {len(protocol.folds)} folds, test splits pooled; trained on {members}"
    if protocol.untested:
        text += f"; never tested, for too few speakers: {', '.join(protocol.untested)}"
    if dropped:
        text += f"; evaluated among the shared labels, without {' and '.join(dropped)}"
    return text
