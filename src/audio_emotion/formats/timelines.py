"""Timelines for people and programs: one function for each format, from a timeline to a text.

table      columns for a terminal
json       everything, in the schema `audio-emotion-timeline` version 2
csv        a line for each segment
srt, vtt   subtitles of the segments with speech
textgrid   Praat, an interval tier
audacity   label track: start, end and label between tabs
html       a page with the sound in it
"""

import html
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from ..audio import Source
from ..errors import OutputError, translated
from ..notices import Code, Notice
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
    ended early, or null), `warnings` (a list of `code` and `message`), `clipped` (share of the
    samples at full scale), `probabilities` (a row for each step, in the order of `labels`; null
    where there is no speech).

    The rows are encoded one by one: as Python numbers, those of ten hours need more memory than
    the model.
    """
    facts = {
        "schema": SCHEMA,
        "version": VERSION,
        "duration": timeline.duration,
        "labels": list(timeline.labels),
        "segments": [
            asdict(replace(s, start=round(s.start, MILLISECONDS), end=round(s.end, MILLISECONDS)))
            for s in timeline.segments
        ],
        "durations": {k: round(v, MILLISECONDS) for k, v in timeline.durations().items()},
        "step_dur": timeline.step_dur,
        "broken": timeline.broken,
        "warnings": [notice.as_dict() for notice in timeline.warnings],
        "clipped": round(timeline.clipped, 5),
    }
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    rows = ", ".join(map(_row, timeline.probabilities))
    return f'{text[:-1]}, "probabilities": [{rows}]}}\n'


def parse_json(text: str | bytes) -> Timeline:
    """Return the timeline that `as_json` wrote, to the decimals that it wrote.

    Raises:
        OutputError: it is something else, or of another version.
    """
    with translated(OutputError, "the timeline"):
        facts = json.loads(text)
    if facts.get("schema") != SCHEMA or facts.get("version") != VERSION:
        raise OutputError(f"this is no {SCHEMA} of version {VERSION}; update this package")
    labels = tuple(facts["labels"])
    silent = [np.nan] * len(labels)
    rows = [silent if row is None else row for row in facts["probabilities"]]
    return Timeline(
        facts["duration"],
        labels,
        tuple(Segment(**segment) for segment in facts["segments"]),
        facts["step_dur"],
        np.array(rows, np.float32).reshape(-1, len(labels)),
        facts["broken"],
        facts["clipped"],
        tuple(Notice(Code(n["code"]), n["message"]) for n in facts["warnings"]),
    )


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
    # SubRip has no escapes, so characters of markup become ones that look alike.
    cues = _cues(timeline, ",", lambda text: text.translate(str.maketrans("<>{}\\", "‹›()/")))
    return "\n".join(f"{number}\n{cue}" for number, cue in enumerate(cues, 1)) or "\n"


def as_vtt(timeline: Timeline, source: Source) -> str:
    """WebVTT subtitles."""
    cues = _cues(timeline, ".", lambda text: html.escape(text, quote=False))
    return "\n".join(["WEBVTT\n", *cues])


def as_textgrid(timeline: Timeline, source: Source) -> str:
    """Praat's long text format, with one interval tier that covers the recording."""
    end = f"{timeline.duration:.6f}"
    tier = f"""\
File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = {end}
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "emotion"
        xmin = 0
        xmax = {end}
        intervals: size = {len(timeline.segments)}
"""
    for number, segment in enumerate(timeline.segments, 1):
        text = one_line(segment.label).replace('"', '""')
        tier += f"""\
        intervals [{number}]:
            xmin = {segment.start:.6f}
            xmax = {segment.end:.6f}
            text = "{text}"
"""
    return tier


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

MEDIA_TYPES = {  # of the formats that are sent over a network
    "json": "application/json",
    "csv": "text/csv",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "textgrid": "text/plain",
    "audacity": "text/plain",
    "html": "text/html",
}
UNRECORDED = {name: found for name, found in FORMATS.items() if name != "html"}  # need no sound
get_writer = partial(choose, formats=FORMATS)  # by a name or by the path of the output


def _row(row: npt.NDArray[np.float32]) -> str:
    return "null" if np.isnan(row[0]) else json.dumps([round(float(v), 4) for v in row])


def _cues(timeline: Timeline, point: str, escape: Callable[[str], str]) -> list[str]:
    """Return the times and the text of each segment with speech."""
    return [
        f"{clock(s.start, point)} --> {clock(s.end, point)}\n"
        f"{escape(one_line(s.label))} {s.confidence:.0%}\n"
        for s in timeline.segments
        if s.label != NO_SPEECH
    ]
