"""What a corpus holds, in numbers."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..audio.stored import SILENT
from ..errors import AudioError
from ..labels import EMOTIONS
from .clip import Clip
from .corpus import Corpus, duplicates

STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "total": np.sum,
    "shortest": np.min,
    "median": np.median,
    "longest": np.max,
}


def summarize(corpus: Corpus) -> dict[str, Any]:
    """Return counts, durations, duplicates, silent and unreadable files; each is decoded."""
    with ThreadPoolExecutor() as pool:
        read = list(pool.map(_read, corpus.clips))
    clips = corpus.clips
    seconds = [found.seconds for found in read if not isinstance(found, str)]
    return {
        "corpus": corpus.name,
        "licence": corpus.licence,
        "citation": corpus.citation,
        "clips": len(clips),
        "labels": _count(clip.label.label for clip in clips),
        "speakers": _count(clip.speaker for clip in clips),
        "genders": _count(clip.gender for clip in clips),
        "channels": _count(clip.channel for clip in clips),
        "intensities": _count(clip.intensity for clip in clips),
        "labels_by_channel": {
            channel: _count(clip.label.label for clip in clips if clip.channel == channel)
            for channel in sorted({clip.channel for clip in clips if clip.channel})
        },
        "sampling_rates": _count(f.sampling_rate for f in read if not isinstance(f, str)),
        "seconds": {name: float(of(seconds)) for name, of in STATISTICS.items() if seconds},
        "duplicates": duplicates(clips, corpus.digests()),
        "silent": [
            clip.name
            for clip, found in zip(clips, read, strict=True)
            if not isinstance(found, str) and found.silent
        ],
        "unreadable": [found for found in read if isinstance(found, str)],
        "skipped": corpus.skipped_summary(),
    }


def as_text(facts: dict[str, Any]) -> str:
    """Return what `summarize` found as lines for a terminal."""
    lines = [f"{facts['corpus']}: {facts['clips']} clips, licence {facts['licence']}"]
    for name in ("labels", "channels", "genders", "intensities", "sampling_rates"):
        if facts[name]:
            lines.append(f"{name.replace('_', ' '):15} {_listed(facts[name])}")
    for channel, labels in facts["labels_by_channel"].items():
        lines.append(f"  in {channel:10}  {_listed(labels)}")
    if facts["speakers"]:
        clips = list(facts["speakers"].values())
        lines.append(f"{'speakers':15} {len(clips)}, {min(clips)} to {max(clips)} clips each")
    if facts["seconds"]:
        lines.append(
            "{:15} {total:.0f} in total; shortest {shortest:.2f}, median {median:.2f}, "
            "longest {longest:.2f}".format("seconds", **facts["seconds"])
        )
    for name in ("duplicates", "silent", "unreadable"):
        lines.append(f"{name:15} {len(facts[name]) or 'none'}")
        lines += ["  " + (e if isinstance(e, str) else " = ".join(e)) for e in facts[name]]
    return "\n".join([*lines, *facts["skipped"]])


@dataclass(frozen=True)
class _Facts:
    seconds: float
    sampling_rate: int
    silent: bool  # digital silence, or all samples equal


def _read(clip: Clip) -> _Facts | str:
    """Return facts of a clip, or why it is unreadable."""
    try:
        signal, sampling_rate = clip.read()
    except AudioError as error:
        return str(error)
    silent = float(np.ptp(signal)) <= SILENT
    return _Facts(len(signal) / sampling_rate, sampling_rate, silent)


def _count(values: Iterable[object]) -> dict[str, int]:
    """Count known values, in the order of the emotions or else of their names."""
    counts = Counter(str(value) for value in values if value is not None)
    order = {name: index for index, name in enumerate(EMOTIONS)}
    return dict(sorted(counts.items(), key=lambda item: (order.get(item[0], 0), item[0])))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
