"""The tables of results: their schema, and rows from what a worker answers.

docs/batch.md describes each column.  A change of a column raises `job.VERSION`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ..inference.prediction import Prediction
from ..notices import Code, Notice
from ..timeline.recording import Timeline

FIRST = {"item": pa.int64(), "uri": pa.string()}
FILE = {"sha256": pa.string(), "duration": pa.float64()}
EMOTIONS = {
    "speech_dur": pa.float64(),
    "label": pa.string(),
    "confidence": pa.float32(),
    "confident": pa.bool_(),
}
TIMELINE = {
    "segment": pa.int32(),
    "start": pa.float64(),
    "end": pa.float64(),
    "label": pa.string(),
    "confidence": pa.float32(),
}
LAST = {
    "warnings": pa.list_(pa.string()),
    "error": pa.string(),
    "error_message": pa.string(),
    "fingerprint": pa.string(),
}
OURS = {*FIRST, *FILE, *EMOTIONS, *TIMELINE, *LAST}
PREFIX, CARRIED = "p_", "input_"  # of probabilities, and of carried columns named like ours


def carried_name(name: str) -> str:
    """Return what a column of a list is called among the results.

    >>> carried_name("speaker"), carried_name("label")
    ('speaker', 'input_label')
    """
    return f"{CARRIED}{name}" if name in OURS or name.startswith(PREFIX) else name


def schema(task: str, labels: Sequence[str], carried: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return the schema of the rows of a task.

    Args:
        task: one of `job.TASKS`.
        labels: of the model.
        carried: columns of lists, by the names that `carried_name` gives them.
    """
    answer = TIMELINE
    if task == "emotions":
        answer = EMOTIONS | {f"{PREFIX}{label}": pa.float32() for label in labels}
    return pa.schema([*(FIRST | dict(carried) | FILE | answer | LAST).items()])


def of_prediction(
    prediction: Prediction, notices: Iterable[Notice] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the row of a prediction; `notices` came up before it."""
    probabilities = prediction.probabilities or {}
    yield {
        "duration": prediction.duration,
        "speech_dur": prediction.speech_dur,
        "label": prediction.label,
        "confidence": prediction.confidence,
        "confident": prediction.confident,
        **{f"{PREFIX}{label}": value for label, value in probabilities.items()},
        "warnings": [n.code.value for n in (*notices, *prediction.warnings)],
    }


def of_timeline(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Yield a row for each segment, or one without a segment if there is none."""
    warnings = [notice.code.value for notice in timeline.warnings]
    warnings += [Code.CUT_SHORT.value] if timeline.broken else []
    facts = {"duration": timeline.duration, "warnings": warnings}
    if not timeline.segments:
        yield facts
    for number, segment in enumerate(timeline.segments):
        found = {"segment": number, "start": segment.start, "end": segment.end}
        yield {**facts, **found, "label": segment.label, "confidence": segment.confidence}


def of_error(code: Code, message: str) -> dict[str, Any]:
    """Return the row of a recording without an answer."""
    return {"warnings": [], "error": code.value, "error_message": message}
