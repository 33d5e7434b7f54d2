"""Timelines against truth that is known: held-out clips joined with silences.

    python benchmarks/timeline.py RAVDESS CREMA-D

The shipped model hears the speakers that were held back from its training, their clips joined to
recordings of twelve in an order and with silences drawn by a seed.  These speakers chose the
model's epoch and temperature, so the figures flatter a little; what they compare, they compare
alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from audio_emotion.classifier import Classifier
from audio_emotion.segmenter import NO_SPEECH, EmotionSegment, TimelineSettings

from audio_emotion.audio import Signal, resample
from audio_emotion.corpora import Clip, load_corpora
from audio_emotion.evaluation.evaluate import select
from audio_emotion.timeline import Timeline, timeline

RATE = 16_000
CLIPS = 12  # a recording
DENSITIES = {"1–3 s": (1.0, 3.0), "0.5–1 s": (0.5, 1.0), "none": (0.0, 0.0)}  # silences between
WINDOWS = ((3.5, 0.5), (2.0, 0.25), (2.0, 0.5), (2.0, 1.0))  # s, of and between windows
SEED, DRAWS = 0, 1000
TRIM_DB = 35.0  # under the loudest frame, what counts as silence at a clip's ends
QUIETEST, ABOVE_DB = 0.1, 3.0  # or so little above a clip's quietest frames, its room
FRAME = 512  # samples
OVERLAP = 0.5  # intersection over union from which a segment is found


@dataclass(frozen=True)
class Truth:
    """Where a clip's voice lies in a joined recording, in seconds."""

    start: float
    end: float
    label: str


def voiced(signal: Signal) -> Signal:
    """A clip without its silent ends, however noisy its room is."""
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.square(frames).mean(1)
    silence = power.max() * 10 ** (-TRIM_DB / 10)
    room = np.quantile(power, QUIETEST) * 10 ** (ABOVE_DB / 10)
    loud = np.flatnonzero(power >= min(max(silence, room), power.max()))
    return signal[loud[0] * FRAME : (loud[-1] + 1) * FRAME]


def joined(
    clips: Sequence[Clip], silence: tuple[float, float], rng: np.random.Generator
) -> tuple[Signal, list[Truth]]:
    """The clips' voices, brought to one level, one after the other."""
    parts, truth, at = [], [], 0
    for clip in clips:
        gap = np.zeros(round(rng.uniform(*silence) * RATE), np.float32)
        voice = voiced(resample(*clip.read(), RATE))
        at += len(gap)
        truth.append(Truth(at / RATE, (at + len(voice)) / RATE, clip.label.label))
        at += len(voice)
        parts += [gap, 0.1 * voice / max(float(np.sqrt(np.square(voice).mean())), 1e-6)]
    return np.concatenate(parts).astype(np.float32), truth


def recordings(
    clips: Sequence[Clip], silence: tuple[float, float], seed: int
) -> Iterator[tuple[Signal, list[Truth]]]:
    """Every clip once, twelve a recording."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(clips))
    for first in range(0, len(order) - CLIPS + 1, CLIPS):
        yield joined([clips[n] for n in order[first : first + CLIPS]], silence, rng)


def scores(found: Timeline, truth: Sequence[Truth]) -> dict[str, float]:
    """Sums over one recording, to be divided by their counts."""
    step = found.step_dur
    middles = (np.arange(round(found.duration / step)) + 0.5) * step
    told = np.array([_at(found.segments, t) for t in middles])
    real = np.array([_at(truth, t) for t in middles])
    spoken = real != NO_SPEECH
    segments = [s for s in found.segments if s.label != NO_SPEECH]
    hits = sum(any(_matches(s, t) for t in truth) for s in segments)
    told_edges = np.array([edge for s in segments for edge in (s.start, s.end)] or [0.0])
    edges = [np.abs(told_edges - edge).min() for t in truth for edge in (t.start, t.end)]
    shares = found.shares()
    wanted: dict[str, float] = {}
    for t in truth:
        wanted[t.label] = wanted.get(t.label, 0.0) + t.end - t.start
    names = (set(shares) | set(wanted)) - {NO_SPEECH}
    return {
        "frames": float((told[spoken] == real[spoken]).sum()),
        "of_frames": float(spoken.sum()),
        "activity": float(((told != NO_SPEECH) == spoken).sum()),
        "of_activity": float(len(real)),
        "hits": 2.0 * hits,
        "of_hits": float(len(segments) + len(truth)),
        "edges": float(np.sum(edges)),
        "of_edges": float(len(edges)),
        "share_error": sum(abs(shares.get(n, 0) - wanted.get(n, 0)) for n in names),
        "of_share_error": sum(wanted.values()),
    }


def _at(segments: Sequence[EmotionSegment] | Sequence[Truth], time: float) -> str:
    return next((s.label for s in segments if s.start <= time < s.end), NO_SPEECH)


def _matches(found: EmotionSegment, truth: Truth) -> bool:
    shared = min(found.end, truth.end) - max(found.start, truth.start)
    union = max(found.end, truth.end) - min(found.start, truth.start)
    return found.label == truth.label and shared >= OVERLAP * union


def study(model: Classifier, clips: Sequence[Clip]) -> Iterator[str]:
    """Rows of the table, one a density and choice of windows."""
    for name, silence in DENSITIES.items():
        joins = list(recordings(clips, silence, SEED))
        alone = np.mean(
            [
                model(signal[round(t.start * RATE) : round(t.end * RATE)], RATE).label == t.label
                for signal, truth in joins
                for t in truth
            ]
        )
        for win_dur, hop_dur in WINDOWS:
            settings = TimelineSettings(win_dur=win_dur, hop_dur=hop_dur)
            found = [scores(timeline(signal, RATE, model, settings), t) for signal, t in joins]
            cells = [name, f"{win_dur:g} s every {hop_dur:g} s", f"{100 * alone:.1f} %"]
            for key in ("frames", "hits"):
                mean, low, high = (100 * value for value in interval(found, key))
                cells.append(f"{mean:.1f} ({low:.0f}–{high:.0f})")
            activity, edges, error = (share(found, k) for k in ("activity", "edges", "share_error"))
            cells += [f"{100 * activity:.1f} %", f"{edges:.2f} s", f"{100 * error:.0f} %"]
            yield "| " + " | ".join(cells) + " |"


def share(found: Sequence[dict[str, float]], key: str) -> float:
    """A sum over recordings, of what it is counted in."""
    return sum(s[key] for s in found) / sum(s[f"of_{key}"] for s in found)


def interval(found: Sequence[dict[str, float]], key: str) -> tuple[float, float, float]:
    """A share, and the 95 % interval of a bootstrap over recordings."""
    rng = np.random.default_rng(SEED)
    draws = [
        share([found[n] for n in rng.integers(0, len(found), len(found))], key)
        for _ in range(DRAWS)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return share(found, key), float(low), float(high)


def main() -> None:
    """Print a table for each corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, help="model file; the shipped one if left out")
    arguments = parser.parse_args()
    model = Classifier(arguments.model)
    held_back, _ = select(model, load_corpora(arguments.data), "val")
    for corpus in sorted({clip.corpus for clip in held_back}):
        clips = [clip for clip in held_back if clip.corpus == corpus]
        print(f"\n{corpus}: {len(clips)} clips of {len({c.voice for c in clips})} speakers\n")
        print(
            "| silence between | windows | clips right, alone | frames right, of the voiced "
            "| segments found, F1 | voice or not, frames right | boundary off by, mean "
            "| seconds an emotion, error |"
        )
        print("|---|--:|--:|--:|--:|--:|--:|--:|")
        for row in study(model, clips):
            print(row, flush=True)


if __name__ == "__main__":
    main()
