"""Timelines for people and programs: one class a format.

table      columns for a terminal
json       everything, by the schema `audio-emotion-timeline` version 1
csv        a line a segment
srt, vtt   subtitles; what nobody says is left out
textgrid   Praat, an interval tier
audacity   label track: start, end and label between tabs
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import OutputError
from .segmenter import NO_SPEECH, EmotionSegment
from .timeline import Timeline

SCHEMA = "audio-emotion-timeline"
VERSION = 1
MILLISECONDS = 3  # decimals of seconds
BAR = 24  # characters of the longest bar in a table


class TimelineWriter(Protocol):
    """Turns a timeline into one text."""

    def text(self, timeline: Timeline) -> str:
        """The whole output, ending in a line break."""
        ...


class TableWriter:
    """Segments with a bar for the confidence, then seconds of each label."""

    def text(self, timeline: Timeline) -> str:
        lines = [f"{'start':>10}  {'end':>10}  {'emotion':<10}  confidence"]
        for segment in timeline.segments:
            line = f"{clock(segment.start)}  {clock(segment.end)}  {segment.label:<10}"
            if segment.label != NO_SPEECH:
                bar = "█" * round(BAR * segment.confidence)
                line += f"  {segment.confidence:>4.0%} {bar}"
            lines.append(line.rstrip())
        lines.append("")
        for label, seconds in timeline.shares().items():
            lines.append(f"{label:<10} {seconds:8.1f} s  {seconds / timeline.duration:4.0%}")
        if timeline.broken:
            lines.append(f"broke off after {timeline.duration:.1f} s: {timeline.broken}")
        return "\n".join(lines) + "\n"


class JsonWriter:
    """Segments, seconds of each label, and the probabilities; null where nobody is heard.

    Keys: `schema`, `version`, `duration` (s), `labels`, `segments` (a list of `start`, `end`,
    `label`, `confidence`), `shares` (s by label), `step_dur` (s), `probabilities` (a row a step, in
    the order of `labels`), `broken` (why the recording ended early, or null), `clipped` (share
    of the samples at full scale).
    """

    def text(self, timeline: Timeline) -> str:
        """A row at a time: ten hours of them as Python's numbers would take more than the model."""
        facts = json.dumps(self.facts(timeline), ensure_ascii=False)
        rows = ", ".join(self._row(row) for row in timeline.probabilities)
        return f'{facts[:-1]}, "probabilities": [{rows}]}}\n'

    def _row(self, row: npt.NDArray[np.float32]) -> str:
        return "null" if np.isnan(row[0]) else json.dumps([round(float(v), 4) for v in row])

    def facts(self, timeline: Timeline) -> dict[str, Any]:
        """All but the probabilities, as plain values."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "duration": timeline.duration,
            "labels": list(timeline.labels),
            "segments": [
                {
                    "start": round(segment.start, MILLISECONDS),
                    "end": round(segment.end, MILLISECONDS),
                    "label": segment.label,
                    "confidence": segment.confidence,
                }
                for segment in timeline.segments
            ],
            "shares": {k: round(v, MILLISECONDS) for k, v in timeline.shares().items()},
            "step_dur": timeline.step_dur,
            "broken": timeline.broken,
            "clipped": round(timeline.clipped, 5),
        }


class CsvWriter:
    """`start,end,label,confidence`, seconds."""

    def text(self, timeline: Timeline) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["start", "end", "label", "confidence"])
        for segment in timeline.segments:
            times = (f"{segment.start:.3f}", f"{segment.end:.3f}")
            writer.writerow([*times, segment.label, f"{segment.confidence:.4f}"])
        return stream.getvalue()


class SrtWriter:
    """SubRip subtitles."""

    def text(self, timeline: Timeline) -> str:
        cues = [
            f"{number}\n{clock(s.start, ',')} --> {clock(s.end, ',')}\n{_caption(s)}\n"
            for number, s in enumerate(_spoken(timeline), 1)
        ]
        return "\n".join(cues) or "\n"


class VttWriter:
    """WebVTT subtitles."""

    def text(self, timeline: Timeline) -> str:
        cues = [f"{clock(s.start)} --> {clock(s.end)}\n{_caption(s)}\n" for s in _spoken(timeline)]
        return "\n".join(["WEBVTT\n", *cues])


class TextGridWriter:
    """Praat's long text format, one interval tier that covers the recording."""

    def text(self, timeline: Timeline) -> str:
        end = timeline.duration
        lines = [
            'File type = "ooTextFile"',
            'Object class = "TextGrid"',
            "",
            "xmin = 0",
            f"xmax = {end:.6f}",
            "tiers? <exists>",
            "size = 1",
            "item []:",
            "    item [1]:",
            '        class = "IntervalTier"',
            '        name = "emotion"',
            "        xmin = 0",
            f"        xmax = {end:.6f}",
            f"        intervals: size = {len(timeline.segments)}",
        ]
        for number, segment in enumerate(timeline.segments, 1):
            lines += [
                f"        intervals [{number}]:",
                f"            xmin = {segment.start:.6f}",
                f"            xmax = {segment.end:.6f}",
                f'            text = "{segment.label}"',
            ]
        return "\n".join(lines) + "\n"


class AudacityWriter:
    """A label track, as Audacity imports it."""

    def text(self, timeline: Timeline) -> str:
        return "".join(f"{s.start:.6f}\t{s.end:.6f}\t{s.label}\n" for s in timeline.segments)


WRITERS: dict[str, type[TimelineWriter]] = {
    "table": TableWriter,
    "json": JsonWriter,
    "csv": CsvWriter,
    "srt": SrtWriter,
    "vtt": VttWriter,
    "textgrid": TextGridWriter,
    "audacity": AudacityWriter,
}
ENDINGS = {
    ".json": "json",
    ".csv": "csv",
    ".srt": "srt",
    ".vtt": "vtt",
    ".textgrid": "textgrid",
    ".txt": "audacity",
}


def get_writer(name: str | None, out: Path | None) -> TimelineWriter:
    """The writer of that name, or else of the output's ending, or else the table.

    Raises:
        OutputError: there is no such format, or the ending tells none.
    """
    if name is None:
        if out is None:
            return TableWriter()
        name = ENDINGS.get(out.suffix.lower())
        if name is None:
            raise OutputError(
                f"the ending of {out} tells no format: end it in {', '.join(ENDINGS)}, .html "
                "or name a --format"
            )
    if name not in WRITERS:
        raise OutputError(f"there is no format {name!r}: choose one of {', '.join(WRITERS)}")
    return WRITERS[name]()


def clock(seconds: float, point: str = ".") -> str:
    """Hours, minutes, seconds and milliseconds.

    >>> clock(3723.5)
    '01:02:03.500'
    """
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    whole, part = divmod(rest, 1000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{whole:02}{point}{part:03}"


def _spoken(timeline: Timeline) -> list[EmotionSegment]:
    return [segment for segment in timeline.segments if segment.label != NO_SPEECH]


def _caption(segment: EmotionSegment) -> str:
    return f"{segment.label} {segment.confidence:.0%}"
