"""The reference of enrolment, and what a neutral voice is worth: scores with it and without."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..datasets import Clip
from ..inference.model_file import Enrolment
from ..inference.speaker import DECIMALS, NEUTRAL, log_mean
from .analysis import Row
from .calibration import expected_calibration_error
from .trial import Trial

COUNTS = (1, 3, 5)  # clips that speakers are enrolled from
DRAWS = 5  # of clips
RESAMPLES = 2000  # of the speakers
STRENGTHS = tuple(round(0.05 * n, 2) for n in range(21))  # of which one is chosen
AFFORDED = 0.01  # of UAR, that a strength may cost speakers of corpora that a model knows

Counts = npt.NDArray[np.int64]  # (…, classes, classes), rows are true classes
Vector = npt.NDArray[np.float64]


def neutral_clips(clips: Iterable[Clip]) -> list[Clip]:
    """Return the neutral clips of acted corpora: those that have other labels, too."""
    labels: dict[str, set[str]] = defaultdict(set)
    clips = list(clips)
    for clip in clips:
        labels[clip.corpus].add(clip.label.label)
    acted = {corpus for corpus, found in labels.items() if len(found) > 1}
    return [clip for clip in clips if clip.corpus in acted and clip.label.label == NEUTRAL]


def reference(
    clips: Sequence[Clip], probabilities: npt.NDArray[np.floating], labels: Sequence[str]
) -> Enrolment | None:
    """Return the mean over speakers of the mean log-probabilities of each one's neutral clips.

    The clips should be of validation speakers: with those that it was trained on a model is surer
    than with anybody new.  Clips without a speaker count as one speaker for each corpus.

    Args:
        clips: as `neutral_clips`.
        probabilities: of the clips, `(clips, labels)`.
        labels: of the model.

    Returns:
        The reference, with the default strength; None without a clip.
    """
    rows: dict[str, list[Vector]] = defaultdict(list)
    for clip, row in zip(clips, probabilities, strict=True):
        rows[clip.speaker_id or clip.corpus].append(row)
    if not rows:
        return None
    mean = np.mean([log_mean(np.array(found)) for found in rows.values()], 0)
    by_label = dict(zip(labels, mean.round(DECIMALS).tolist(), strict=True))
    return Enrolment(reference=by_label, speakers=len(rows))


def at_temperature(enrolment: Enrolment, before: float, after: float) -> Enrolment:
    """Return what the enrolment is once logits are divided by `after` instead of `before`.

    It holds up to a constant, as a difference of log-probabilities does that only ratios matter in.
    """
    found = {
        label: round(value * before / after, DECIMALS)
        for label, value in enrolment.reference.items()
    }
    return enrolment.model_copy(update={"reference": found})


def compare(
    rows: Sequence[Row],
    enrolment: Enrolment,
    counts: Sequence[int],
    *,
    draws: int = DRAWS,
    source: str = NEUTRAL,
    also: tuple[str, ...] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Return scores of the same clips without enrolment, and with it from each number of clips.

    Args:
        rows: as `Trial`.
        enrolment: of the model.
        counts: of clips.
        draws: of clips, over which scores are means.
        source: as `Trial`.
        also: as `Trial`.
        seed: as `Trial`.

    Returns:
        Plain values: how many `speakers` and `clips` are scored, how many are `left_out`, and a row
        of `conditions` for 0 and each of `counts`: `uar`, its `interval` over speakers, `accuracy`,
        `neutral` (its recall), `ece`, and what is gained in UAR, `gain` with `gain_interval`.

    Raises:
        CorpusError: as `Trial`.
    """
    trial = Trial(rows, enrolment.reference, max(counts), source, also, seed)
    truth, member = _truth(trial)
    conditions, without = [], _Measured.of(trial, [trial.probabilities(0, 0, 0)], truth, member)
    for count in (0, *counts):
        found = [
            trial.probabilities(enrolment.strength, count, draw)
            for draw in range(draws if count else 1)
        ]
        measured = _Measured.of(trial, found, truth, member) if count else without
        durations = [
            sum(row["speech_dur"] for row in drawn)
            for draw in range(draws if count else 0)
            for drawn in trial.drawn(count, draw).values()
        ]
        conditions.append(
            {
                "clips": count,
                "speech_dur": float(np.mean(durations)) if count else 0.0,
                **measured.scores(),
                "gain": measured.uar - without.uar,
                "gain_interval": _interval(measured.resampled - without.resampled),
            }
        )
    stated = {row["speaker"] for row in rows if row["speaker"]}
    return {
        "source": source,
        "strength": enrolment.strength,
        "draws": draws,
        "seed": seed,
        "speakers": len(trial.speakers),
        "left_out": len(stated) - len(trial.speakers),
        "clips": len(trial.scored),
        "conditions": conditions,
    }


@dataclass(frozen=True)
class LeftOut:
    """What a model that was trained without one corpus predicts, as rows that `Trial` takes."""

    rows: Sequence[Row]  # of that corpus, among the labels it shares with training
    known: Sequence[Row]  # of held-back speakers of the corpora of training
    reference: Mapping[str, float]  # of the model


def choose_strength(
    folds: Iterable[LeftOut], counts: Sequence[int] = COUNTS, draws: int = DRAWS
) -> float:
    """Return the strength that suits corpora left out best and costs known corpora little.

    It is the one of `STRENGTHS` with the greatest UAR on corpora left out, mean over folds, among
    those that in no fold lower the UAR of held-back speakers of known corpora by more than
    `AFFORDED`.  Scores are means over numbers of clips and draws.

    Args:
        folds: one for each corpus left out.
        counts: of clips that speakers are enrolled from.
        draws: of clips.

    Raises:
        CorpusError: as `Trial`.
    """
    unseen, known = [], []
    for fold in folds:
        unseen.append(strength_curve(fold.rows, fold.reference, counts, draws))
        known.append(strength_curve(fold.known, fold.reference, counts, draws))
    costs = np.array(known)[:, :1] - np.array(known)  # the first strength changes nothing
    affordable = costs.max(0) <= AFFORDED
    return STRENGTHS[int(np.where(affordable, np.mean(unseen, 0), -np.inf).argmax())]


def strength_curve(
    rows: Sequence[Row],
    reference: Mapping[str, float],
    counts: Sequence[int] = COUNTS,
    draws: int = DRAWS,
) -> list[float]:
    """Return the mean UAR over numbers of clips and draws at each of `STRENGTHS`."""
    trial = Trial(rows, reference, max(counts))
    truth, _ = _truth(trial)
    curve = []
    for strength in STRENGTHS:
        matrices = [
            _confusion(trial.probabilities(strength, count, draw), truth)
            for count in counts
            for draw in range(draws)
        ]
        curve.append(float(_uar(np.array(matrices)).mean()))
    return curve


@dataclass(frozen=True)
class _Measured:
    """Scores of one condition, means over draws."""

    uar: float
    resampled: Vector  # (resamples,): the UAR of speakers drawn with replacement
    accuracy: float
    neutral: float | None
    ece: float

    @classmethod
    def of(
        cls, trial: Trial, found: Sequence[npt.NDArray[np.float32]], truth: Counts, member: Counts
    ) -> "_Measured":
        classes, units = len(trial.labels), len(trial.speakers)
        counts = np.zeros((len(found), units, classes, classes), np.int64)
        for draw, rows in enumerate(found):
            np.add.at(counts[draw], (member, truth, rows.argmax(1)), 1)
        pooled = counts.sum(1)  # (draws, classes, classes)
        rng = np.random.default_rng(trial.seed)
        drawn = rng.multinomial(units, np.full(units, 1 / units), RESAMPLES)
        resampled = np.einsum("ru,duij->rdij", drawn, counts, optimize=True)
        position = trial.labels.index(NEUTRAL) if NEUTRAL in trial.labels else None
        recalls = _recalls(pooled).mean(0)
        correct = [rows.argmax(1) == truth for rows in found]
        eces = [
            expected_calibration_error(rows.max(1), hit)
            for rows, hit in zip(found, correct, strict=True)
        ]
        return cls(
            float(_uar(pooled).mean()),
            _uar(resampled).mean(1),
            float(np.mean(correct)),
            None if position is None or np.isnan(recalls[position]) else float(recalls[position]),
            float(np.mean(eces)),
        )

    def scores(self) -> dict[str, Any]:
        return {
            "uar": self.uar,
            "interval": _interval(self.resampled),
            "accuracy": self.accuracy,
            "neutral": self.neutral,
            "ece": self.ece,
        }


def _truth(trial: Trial) -> tuple[Counts, Counts]:
    """Return the class and the speaker of each scored clip, `(clips,)` each."""
    truth = [trial.labels.index(row["label"]) for row in trial.scored]
    member = [trial.speakers.index(row["speaker"]) for row in trial.scored]
    return np.array(truth, np.int64), np.array(member, np.int64)


def _confusion(rows: npt.NDArray[np.float32], truth: Counts) -> Counts:
    classes = rows.shape[1]
    flat = np.bincount(truth * classes + rows.argmax(1), minlength=classes**2)
    return flat.reshape(classes, classes).astype(np.int64)


def _recalls(matrices: Counts) -> Vector:
    support = matrices.sum(-1)
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    recalls: Vector = np.divide(hits, support, out=np.full(hits.shape, np.nan), where=support > 0)
    return recalls


def _uar(matrices: Counts) -> Vector:
    """Return the mean recall of the classes that occur, `(…)`."""
    uar: Vector = np.nanmean(_recalls(matrices), -1)
    return uar


def _interval(values: Vector) -> list[float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return [float(low), float(high)]
