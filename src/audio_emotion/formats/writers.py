"""What formats share: choosing one by name or suffix, times, colours and safe text."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from ..errors import OutputError
from ..timeline.segmenter import NO_SPEECH, UNCERTAIN

DEFAULT = "table"
COLOURS = {
    "neutral": "#9aa0a6",
    "calm": "#7fc4c1",
    "happy": "#f2b705",
    "sad": "#4a7bd0",
    "angry": "#d93025",
    "fearful": "#8e44ad",
    "disgust": "#5f8a3c",
    "surprised": "#f28c38",
    UNCERTAIN: "#bdbdbd",
    NO_SPEECH: "transparent",
}
FORMULA = re.compile(r"[=+\-@\t\r](?![\d.]+$).", re.DOTALL)  # not numbers
OTHER = "#888888"  # a label that is none of the eight emotions

T = TypeVar("T")
Formats = Mapping[str, tuple[T, tuple[str, ...]]]  # by name: what writes it, and its suffixes


def choose(name: str | None, out: Path | None, formats: Formats[T]) -> T:
    """Return what writes the format `name`, or else that of the suffix of `out`, or else `table`.

    Raises:
        OutputError: there is no such format, or the suffix belongs to none.

    >>> choose(None, Path("talk.srt"), {"table": (1, ()), "srt": (2, (".srt",))})
    2
    """
    if name is None and out is None:
        name = DEFAULT
    for known, (writer, suffixes) in formats.items():
        if name == known or (name is None and out and out.suffix.lower() in suffixes):
            return writer
    choices = ", ".join(f"{n} ({' '.join(s)})" if s else n for n, (_, s) in formats.items())
    if name is not None:
        raise OutputError(f"there is no format {name!r}; choose one of {choices}")
    raise OutputError(
        f"the suffix of {out} belongs to no format; change it or pass --format: {choices}"
    )


def clock(seconds: float, point: str = ".") -> str:
    """Return hours, minutes, seconds and milliseconds.

    >>> clock(3723.5)
    '01:02:03.500'
    """
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    whole, part = divmod(rest, 1000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{whole:02}{point}{part:03}"


def colour(label: str) -> str:
    """Return the colour of a label, in CSS; matplotlib knows all but that of `no speech`."""
    return COLOURS.get(label, OTHER)


def one_line(text: str) -> str:
    r"""Escape line breaks, tabs and control characters, which file names may hold.

    >>> print(one_line("a\nb"))
    a\nb
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def csv_line(cells: Iterable[object]) -> str:
    """Return a line of CSV that ends in a line feed.

    Texts that a spreadsheet would run as a formula get an apostrophe in front.
    """
    stream = io.StringIO()
    safe = (f"'{c}" if isinstance(c, str) and FORMULA.match(c) else c for c in cells)
    csv.writer(stream).writerow(safe)  # its own line ends make it quote cells with \r or \n
    return stream.getvalue().removesuffix("\r\n") + "\n"
