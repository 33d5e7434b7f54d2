"""Timelines for people and programs: one function for each format, from a timeline to a text.

table      columns for a terminal
json       everything, in the schema `audio-emotion-timeline` version 2
csv        a line for each segment
srt, vtt   subtitles of the segments with speech
textgrid   Praat, an interval tier
audacity   label track: start, end and label between tabs
html       a page with the sound in it
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..audio import Source
from ..timeline.recording import Timeline
from ..timeline.segmenter import NO_SPEECH, Segment
from .timeline_html import page
from .writers import Formats, choose, clock, csv_line, one_line

SCHEMA, VERSION = "audio-emotion-timeline", 2
MILLISECONDS = 3  # decimals of seconds
BAR = 24  # characters of the longest bar in a table

TimelineWriter = Callable[[Timeline, Source], str]  # the source is the recording


def as_table(timeline: Timeline, source: Source) -> str:
    """Segments with a bar for the confidence, then the seconds of each label."""
    lines = [f"{'start':>10}  {'end':>10}  {'label':<10}  confidence"]
    for segment in timeline.segments:
        line = f"{clock(segment.start)}  {clock(segment.end)}  {one_line(segment.label):<10}"
        if segment.label != NO_SPEECH:
            bar = "█" * round(BAR * segment.confidence)
            line += f"  {segment.confidence:>4.0%} {bar}"
        lines.append(line.rstrip())
    lines.append("")
    for label, seconds in timeline.durations().items():
        share = seconds / timeline.duration
        lines.append(f"{one_line(label):<10} {seconds:8.1f} s  {share:4.0%}")
    if timeline.broken:
        lines.append(f"broke off after {timeline.duration:.1f} s: {one_line(timeline.broken)}")
    return "\n".join(lines) + "\n"


def as_json(timeline: Timeline, source: Source) -> str:
    """Segments, seconds of each label, and the probabilities.

    Keys: `schema`, `version`, `duration` (s), `labels`, `segments` (a list of `start`, `end`,
    `label`, `confidence`), `durations` (s by label), `step_dur` (s), `broken` (why the recording
    ended early, or null), `clipped` (share of the samples at full scale), `probabilities` (a row
    for each step, in the order of `labels`; null where there is no speech).

    The rows are encoded one by one: as Python numbers, those of ten hours need more memory than
    the model.
    """
    facts = json.dumps(_facts(timeline), ensure_ascii=False, allow_nan=False)
    rows = ", ".join(map(_row, timeline.probabilities))
    return f'{facts[:-1]}, "probabilities": [{rows}]}}\n'


def as_csv(timeline: Timeline, source: Source) -> str:
    """The columns `start,end,label,confidence`, in seconds."""
    lines = [csv_line(["start", "end", "label", "confidence"])]
    lines += [
        csv_line([f"{s.start:.3f}", f"{s.end:.3f}", s.label, f"{s.confidence:.4f}"])
        for s in timeline.segments
    ]
    return "".join(lines)


def as_srt(timeline: Timeline, source: Source) -> str:
    """SubRip subtitles."""
    cues = [
        f"{number}\n{clock(s.start, ',')} --> {clock(s.end, ',')}\n{_srt_caption(s)}\n"
        for number, s in enumerate(_speech(timeline), 1)
    ]
    return "\n".join(cues) or "\n"


def as_vtt(timeline: Timeline, source: Source) -> str:
    """WebVTT subtitles."""
    cues = [
        f"{clock(s.start)} --> {clock(s.end)}\n{html.escape(_caption(s), quote=False)}\n"
        for s in _speech(timeline)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def as_textgrid(timeline: Timeline, source: Source) -> str:
    """Praat's long text format, with one interval tier that covers the recording."""
    end = f"{timeline.duration:.6f}"
    header = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        '        name = "emotion"',
        "        xmin = 0",
        f"        xmax = {end}",
        f"        intervals: size = {len(timeline.segments)}",
    ]
    intervals = [_interval(*numbered) for numbered in enumerate(timeline.segments, 1)]
    return "\n".join([*header, *intervals]) + "\n"


def as_audacity(timeline: Timeline, source: Source) -> str:
    """A label track, as Audacity imports it."""
    return "".join(f"{s.start:.6f}\t{s.end:.6f}\t{one_line(s.label)}\n" for s in timeline.segments)


FORMATS: Formats[TimelineWriter] = {
    "table": (as_table, ()),
    "json": (as_json, (".json",)),
    "csv": (as_csv, (".csv",)),
    "srt": (as_srt, (".srt",)),
    "vtt": (as_vtt, (".vtt",)),
    "textgrid": (as_textgrid, (".textgrid",)),
    "audacity": (as_audacity, (".txt",)),
    "html": (page, (".html", ".htm")),
}
SILENT = {name: found for name, found in FORMATS.items() if name != "html"}


def get_writer(name: str | None, out: Path | None, *, recorded: bool = True) -> TimelineWriter:
    """Return the writer of a format, or else of the suffix of `out`, or else of the table.

    Args:
        name: one of `FORMATS`, or None.
        out: path of the output, or None.
        recorded: whether there is a recording, without which `html` is not offered.

    Raises:
        OutputError: as `choose`.
    """
    return choose(name, out, FORMATS if recorded else SILENT)


def _facts(timeline: Timeline) -> dict[str, Any]:
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
        "durations": {k: round(v, MILLISECONDS) for k, v in timeline.durations().items()},
        "step_dur": timeline.step_dur,
        "broken": timeline.broken,
        "clipped": round(timeline.clipped, 5),
    }


def _row(row: npt.NDArray[np.float32]) -> str:
    return "null" if np.isnan(row[0]) else json.dumps([round(float(v), 4) for v in row])


def _interval(number: int, segment: Segment) -> str:
    text = one_line(segment.label).replace('"', '""')
    return (
        f"        intervals [{number}]:\n"
        f"            xmin = {segment.start:.6f}\n"
        f"            xmax = {segment.end:.6f}\n"
        f'            text = "{text}"'
    )


def _speech(timeline: Timeline) -> list[Segment]:
    return [segment for segment in timeline.segments if segment.label != NO_SPEECH]


def _caption(segment: Segment) -> str:
    return f"{one_line(segment.label)} {segment.confidence:.0%}"


def _srt_caption(segment: Segment) -> str:
    """SubRip has no escapes, so characters of markup become ones that look alike."""
    return _caption(segment).translate(str.maketrans("<>{}\\", "‹›()/"))
