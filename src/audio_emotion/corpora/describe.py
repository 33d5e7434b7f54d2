"""What is in a corpus, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..errors import AudioError
from ..labels import EMOTIONS
from .clip import Clip
from .corpus import Corpus, duplicates


def describe(corpus: Corpus) -> dict[str, Any]:
    """Counts, durations, duplicates and unreadable files; every recording is decoded once."""
    with ThreadPoolExecutor() as pool:
        read = list(pool.map(_read, corpus.clips))
    durations = [seconds for seconds, _, _ in read if seconds is not None]
    return {
        "corpus": corpus.name,
        "licence": corpus.licence,
        "citation": corpus.citation,
        "clips": len(corpus.clips),
        "emotions": _count(clip.label.label for clip in corpus.clips),
        "speakers": _count(clip.speaker for clip in corpus.clips),
        "genders": _count(clip.gender for clip in corpus.clips),
        "channels": _count(clip.channel for clip in corpus.clips),
        "intensities": _count(clip.intensity for clip in corpus.clips),
        "emotions_by_channel": _by_channel(corpus.clips),
        "sampling_rates": _count(rate for _, rate, _ in read),
        "seconds": _durations(durations),
        "duplicates": duplicates(corpus.clips, corpus.digests()),
        "unreadable": [error for _, _, error in read if error],
        "skipped": list(corpus.skipped),
    }


def as_text(facts: dict[str, Any]) -> str:
    """`facts` as lines for a terminal."""
    lines = [f"{facts['corpus']}: {facts['clips']} clips, licence {facts['licence']}"]
    for name in ("emotions", "channels", "genders", "intensities", "sampling_rates"):
        if facts[name]:
            counts = ", ".join(f"{key} {count}" for key, count in facts[name].items())
            lines.append(f"{name.replace('_', ' '):15} {counts}")
    for channel, emotions in facts["emotions_by_channel"].items():
        lines.append(f"  in {channel:10}  " + ", ".join(f"{k} {v}" for k, v in emotions.items()))
    if facts["speakers"]:
        clips = list(facts["speakers"].values())
        lines.append(f"{'speakers':15} {len(clips)}, {min(clips)} to {max(clips)} clips each")
    if facts["seconds"]:
        lines.append(
            "{:15} {total:.0f} in all; shortest {shortest:.2f}, median {median:.2f}, "
            "longest {longest:.2f}".format("seconds", **facts["seconds"])
        )
    for name in ("duplicates", "unreadable", "skipped"):
        lines.append(f"{name:15} {len(facts[name]) or 'none'}")
        for entry in facts[name]:
            lines.append("  " + (entry if isinstance(entry, str) else " = ".join(entry)))
    return "\n".join(lines)


def _read(clip: Clip) -> tuple[float | None, int | None, str | None]:
    try:
        signal, sampling_rate = clip.read()
    except AudioError as error:
        return None, None, str(error)
    return len(signal) / sampling_rate, sampling_rate, None


def _count(values: Iterable[object]) -> dict[str, int]:
    """Counts in the order of the emotions, or else of the names; unknown values are left out."""
    counts = Counter(str(value) for value in values if value is not None)
    order = {name: index for index, name in enumerate(EMOTIONS)}
    return dict(sorted(counts.items(), key=lambda item: (order.get(item[0], 0), item[0])))


def _by_channel(clips: Iterable[Clip]) -> dict[str, dict[str, int]]:
    channels = sorted({clip.channel for clip in clips if clip.channel})
    return {
        channel: _count(clip.label.label for clip in clips if clip.channel == channel)
        for channel in channels
    }


def _durations(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {
        "total": float(np.sum(seconds)),
        "shortest": float(np.min(seconds)),
        "median": float(np.median(seconds)),
        "longest": float(np.max(seconds)),
    }
