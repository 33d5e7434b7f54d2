"""The timeline of one client's samples, as events."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...inference.classifier import Classifier
from ...inference.vad import RATE
from ...timeline.segmenter import NO_SPEECH, Segment
from ...timeline.stream import TimelineStream
from ..metrics import Metrics

PART_DUR = 0.1  # s of samples that are processed at once
DECIMALS = 3  # of seconds and of probabilities


@dataclass(frozen=True)
class Event:
    """A message to the client."""

    type: str
    fields: dict[str, Any]


class Session:
    """The timeline of one client's samples, as events; utterances are regions of speech.

    Args:
        classifier: the model.
        rate: of the samples, in Hz.
        metrics: that get seconds and labels.
    """

    def __init__(self, classifier: Classifier, rate: int, metrics: Metrics) -> None:
        self.rate = rate
        self.metrics = metrics
        self._classifier = classifier
        self._stream = TimelineStream(classifier)
        self._before = 0.0  # s of the streams that were finalized
        self._utterance: float | None = None  # where the current one began
        self._latest: Any = None  # the row of the latest result

    @property
    def duration(self) -> float:
        """Seconds received so far."""
        return self._before + self._stream.duration

    def parts(self, data: bytes) -> Iterator[bytes]:
        """Yield the samples of a message in short parts."""
        size = 2 * round(PART_DUR * self.rate)
        for start in range(0, len(data), size):
            yield data[start : start + size]

    def push(self, data: bytes) -> list[Event]:
        """Take 16-bit samples, little-endian, and return what is known now."""
        samples = np.frombuffer(data, "<i2")
        self.metrics.audio_seconds.inc(len(samples) / self.rate)
        detected = self._stream.detect(samples, self.rate)
        segments = self._stream.predict(detected)
        events: list[Event] = []
        for region, _ in detected.regions:
            if self._utterance is None:
                self._utterance = self._time(region.start / RATE)
                events.append(Event("utterance.start", {"start": self._utterance}))
            if region.end is not None:
                events += [*self._final(segments), self._end(region.end / RATE)]
                segments = []
        return events + self._final(segments) + self._interim()

    def finalize(self) -> list[Event]:
        """End the utterance, return what is left, and begin another stream."""
        segments = self._stream.close()
        events = self._final(segments)
        if self._utterance is not None:
            events.append(self._end(self._stream.duration))
        self._before += self._stream.duration
        self._stream, self._latest = TimelineStream(self._classifier), None
        return events

    def _end(self, seconds: float) -> Event:
        started, self._utterance = self._utterance, None
        return Event("utterance.end", {"start": started, "end": self._time(seconds)})

    def _final(self, segments: list[Segment]) -> list[Event]:
        spoken = [segment for segment in segments if segment.label != NO_SPEECH]
        return [
            Event(
                "result",
                {
                    "final": True,
                    "start": self._time(segment.start),
                    "end": self._time(segment.end),
                    "label": segment.label,
                    "confidence": round(segment.confidence, DECIMALS),
                },
            )
            for segment in spoken
        ]

    def _interim(self) -> list[Event]:
        """Return the latest probabilities of an utterance, if there are newer ones."""
        row = self._stream.axis.latest()
        if self._utterance is None or row is None or np.array_equal(row, self._latest):
            return []
        self._latest = row
        found = dict(zip(self._classifier.labels, row.round(DECIMALS).tolist(), strict=True))
        label = max(found, key=found.__getitem__)
        fields = {
            "final": False,
            "start": self._utterance,
            "end": round(self.duration, DECIMALS),
            "label": label,
            "confidence": found[label],
            "probabilities": found,
        }
        return [Event("result", fields)]

    def _time(self, seconds: float) -> float:
        return round(self._before + seconds, DECIMALS)
