"""A trial of enrolment: candidates that speakers are enrolled from, and clips that are scored.

A fixed random half of each speaker's neutral clips are candidates, at least as many as are ever
drawn.  No condition scores a candidate, so all conditions score the same clips, none of which
anybody was enrolled from.

Everything is computed from predictions, since an adjustment only multiplies probabilities.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import CorpusError
from ..inference.speaker import NEUTRAL, adjust, factors, log_mean, strength_for
from .analysis import Row
from .corruptions import generator

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """Predictions of some speakers, divided into candidates for enrolment and scored clips.

    Args:
        rows: as `analysis` describes them, with `speech_dur`; those without a speaker are left out.
        reference: of the model, by label.
        most: the most clips that are drawn.
        source: the label of the candidates; any but neutral is a wrong enrolment.
        also: labels whose candidates are left out, too, so that several trials score the same.
        seed: of the division and of the draws.

    Raises:
        CorpusError: no speaker has more than `most` clips of `source`, or the rows are of a version
            that did not record the seconds of speech.
    """

    rows: Sequence[Row]
    reference: Mapping[str, float]
    most: int
    source: str = NEUTRAL
    also: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not all("speech_dur" in row for row in self.rows):
            raise CorpusError(
                "the predictions do not say how many seconds of speech they rest on; predict again "
                "with this version"
            )
        if not self.speakers:
            raise CorpusError(
                f"no speaker has more than {self.most} {self.source} clips; enrol from fewer, or "
                "evaluate a corpus that states its speakers"
            )

    @property
    def labels(self) -> list[str]:
        """Labels that are predicted, in order."""
        return list(self.rows[0]["probabilities"])

    @cached_property
    def candidates(self) -> dict[str, list[Row]]:
        """Rows that each speaker may be enrolled from; speakers with too few are left out."""
        others = [self._divided(label) for label in self.also]
        return {
            speaker: rows
            for speaker, rows in self._divided(self.source).items()
            if all(speaker in other for other in others)
        }

    @cached_property
    def speakers(self) -> list[str]:
        """Speakers with enough clips, in order."""
        return sorted(self.candidates)

    @cached_property
    def scored(self) -> list[Row]:
        """Rows of these speakers that are no candidates, in the order of the speakers."""
        kept = set(self.speakers)
        excluded = {
            row["clip"]
            for label in (self.source, *self.also)
            for speaker, rows in self._divided(label).items()
            if speaker in kept
            for row in rows
        }
        rows = (row for row in self.rows if row["speaker"] in kept and row["clip"] not in excluded)
        return sorted(rows, key=lambda row: row["speaker"])

    def drawn(self, count: int, draw: int) -> dict[str, list[Row]]:
        """Return `count` candidates of each speaker."""
        found = {}
        for speaker, rows in self.candidates.items():
            rng = generator(f"{self.seed} {draw} {speaker}")
            found[speaker] = [rows[n] for n in rng.choice(len(rows), count, replace=False)]
        return found

    def probabilities(self, strength: float, count: int, draw: int) -> npt.NDArray[np.float32]:
        """Return those of the scored clips, `(clips, labels)`, after an enrolment.

        Args:
            strength: as in a model's `Enrolment`.
            count: of clips that each speaker is enrolled from; 0: without enrolment.
            draw: number of the draw.
        """
        rows = self._plain
        if not count:
            return rows
        wanted = {
            speaker: self._factors(found, strength)
            for speaker, found in self.drawn(count, draw).items()
        }
        return adjust(rows, np.array([wanted[row["speaker"]] for row in self.scored]))

    @cached_property
    def _plain(self) -> npt.NDArray[np.float32]:
        return _probabilities(self.scored, self.labels)

    def _factors(self, rows: Sequence[Row], strength: float) -> Vector:
        seconds = [row["speech_dur"] for row in rows]
        each = [log_mean(_probabilities([row], self.labels)) for row in rows]
        mean = dict(zip(self.labels, np.average(each, 0, seconds).tolist(), strict=True))
        return factors(mean, self.reference, strength_for(sum(seconds), strength))

    def _divided(self, label: str) -> dict[str, list[Row]]:
        """Return the candidates of a label, of each speaker with clips of it beside them."""
        by_speaker: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(self.rows, key=lambda row: row["clip"]):
            if row["speaker"] and row["label"] == label:
                by_speaker[row["speaker"]].append(row)
        found = {}
        for speaker, rows in by_speaker.items():
            size = max(self.most, -(-len(rows) // 2))
            if size < len(rows):
                order = generator(f"{self.seed} {speaker}").permutation(len(rows))
                found[speaker] = [rows[n] for n in order[:size]]
        return found


def _probabilities(rows: Sequence[Row], labels: Sequence[str]) -> npt.NDArray[np.float32]:
    return np.array([[row["probabilities"][label] for label in labels] for row in rows], np.float32)
