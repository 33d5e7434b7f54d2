"""What a worker does: a recording in, an answer in one of the formats out."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...audio import AudioStream, Signal
from ...errors import AudioError
from ...formats import explanations, predictions, timelines
from ...formats.timeline_html import render_page
from ...inference.classifier import Classifier
from ...inference.explain import explain as explain_by_occlusion
from ...inference.prediction import Prediction
from ...inference.result import FileResult
from ...inference.speaker import Speaker
from ...notices import Notice
from ...timeline.recording import Timeline, collect
from ...timeline.settings import TimelineSettings
from ..metrics import Metrics
from .decoder import Recording
from .pool import Worker

Progress = Callable[[float, float | None], None]  # seconds done, and of how many if that is known


@dataclass(frozen=True)
class Answer:
    """The body of a response, and what qualifies it."""

    body: bytes
    media_type: str
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Task:
    """What was asked about one recording."""

    request_id: str
    recording: Recording
    response_format: str
    metrics: Metrics
    settings: TimelineSettings = field(default_factory=TimelineSettings)
    progress: Progress | None = None
    speaker: Speaker | None = None  # who speaks, if that is known

    def emotions(self, worker: Worker) -> Answer:
        """Predict one emotion for the recording: json or csv."""
        with worker.decoder.open(self.recording) as stream:
            signal = _gathered(stream)
        found = self._classifier(worker)(signal, stream.sampling_rate)
        notices = (*stream.notices, *found.warnings)
        prediction = replace(found, warnings=notices)
        self._count(found.duration, prediction.label, prediction.confident)
        if self.response_format == "csv":
            rows = [FileResult(self.request_id, prediction)]
            text = "".join(predictions.as_csv(rows, worker.classifier.labels, False))
            return Answer(text.encode(), "text/csv", notices)
        values = answer(self.request_id, worker.classifier.info.name, prediction)
        return _json(values, notices)

    def timeline(self, worker: Worker) -> Answer:
        """Predict emotions over time, in any format of timelines.

        Raises:
            AudioError: the recording breaks off; a part of an answer is no answer.
        """
        with worker.decoder.open(self.recording) as stream:
            blocks = (block[:, 0] for block in stream.blocks)
            stated = stream.stated_dur

            def report(done: float) -> None:
                if self.progress:
                    self.progress(done, stated)

            classifier = self._classifier(worker)
            found = collect(blocks, stream.sampling_rate, classifier, self.settings, report)
        if found.broken:
            raise AudioError(found.broken)
        if self.progress:
            self.progress(found.duration, found.duration)  # whatever the header stated
        notices = tuple(stream.notices)
        self._count(found.duration)
        text = self._write(worker, replace(found, warnings=notices))
        return Answer(text.encode(), timelines.MEDIA_TYPES[self.response_format], notices)

    def explain(self, worker: Worker) -> Answer:
        """Find which seconds and frequencies support the prediction: json or svg."""
        with worker.decoder.open(self.recording) as stream:
            signal = _gathered(stream)
        classifier = self._classifier(worker)
        found = explain_by_occlusion(signal, stream.sampling_rate, classifier)
        notices = tuple(stream.notices)
        if self.response_format == "svg":
            return Answer(explanations.as_svg(found).encode(), "image/svg+xml", notices)
        facts = {"id": self.request_id, "model": worker.classifier.info.name}
        values = {
            **facts,
            **explanations.as_dict(found),
            "warnings": [n.as_dict() for n in notices],
        }
        return _json(values, notices)

    def enroll(self, worker: Worker) -> Answer:
        """Learn a speaker's neutral voice: the content of a speaker's file, and its warnings."""
        with worker.decoder.open(self.recording) as stream:
            signal = _gathered(stream)
        speaker = worker.classifier.enroll([(signal, stream.sampling_rate)])
        notices = (*stream.notices, *speaker.warnings)
        warnings = [notice.as_dict() for notice in notices]
        return _json({**speaker.as_dict(), "warnings": warnings}, notices)

    def _classifier(self, worker: Worker) -> Classifier:
        return worker.classifier.for_speaker(self.speaker)

    def _write(self, worker: Worker, found: Timeline) -> str:
        if self.response_format == "html":
            return render_page(found, "recording", *worker.decoder.encode(self.recording))
        writer, _ = timelines.FORMATS[self.response_format]
        return writer(found, b"")

    def _count(self, duration: float, label: str = "", confident: bool = False) -> None:
        self.metrics.audio_seconds.inc(duration)
        if label:
            self.metrics.predictions.labels(label, str(confident).lower()).inc()


def answer(request_id: str, model: str, prediction: Prediction) -> dict[str, Any]:
    """Return the fields of an answer about one recording."""
    values = prediction.as_dict()
    return {
        "id": request_id,
        "model": model,
        "duration": values["duration"],
        "speech_dur": values["speech_dur"],
        "label": values["label"],
        "confidence": values["confidence"],
        "confident": values["confident"],
        "runner_up": prediction.ranking[1] if prediction.probabilities else None,
        "probabilities": values["probabilities"],
        "warnings": values["warnings"],
    }


def _json(values: dict[str, Any], notices: tuple[Notice, ...]) -> Answer:
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return Answer(text.encode(), "application/json", notices)


def _gathered(stream: AudioStream) -> Signal:
    """Return the samples of a recording; the decoder keeps them few enough.

    Raises:
        AudioError: there are none.
    """
    blocks = [block[:, 0] for block in stream.blocks]
    if not blocks:
        raise AudioError("the recording holds no samples")
    return np.concatenate(blocks)
