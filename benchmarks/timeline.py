"""Timelines against truth that is known: held-out clips joined with silences.

    python benchmarks/timeline.py RAVDESS CREMA-D

Clips of the speakers held back from the shipped model's training are joined by twelves, in an order
and with silences drawn by a seed.  These speakers helped to choose the model's epoch, temperature
and share of neutral, so the figures are a little optimistic, but equally so in every row.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_emotion.audio import Signal, resample
from audio_emotion.datasets import Clip, load_corpora
from audio_emotion.evaluation.evaluate import select
from audio_emotion.inference.classifier import Classifier
from audio_emotion.timeline import NO_SPEECH, Segment, Timeline, TimelineSettings, timeline

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
    """Where a clip lies in a joined recording, in seconds."""

    start: float
    end: float
    label: str


def trimmed(signal: Signal) -> Signal:
    """Return a clip without its silent ends, however noisy its room is."""
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.square(frames).mean(1)
    silence = power.max() * 10 ** (-TRIM_DB / 10)
    room = np.quantile(power, QUIETEST) * 10 ** (ABOVE_DB / 10)
    loud = np.flatnonzero(power >= min(max(silence, room), power.max()))
    return signal[loud[0] * FRAME : (loud[-1] + 1) * FRAME]


def joined(
    clips: Sequence[Clip], silence: tuple[float, float], rng: np.random.Generator
) -> tuple[Signal, list[Truth]]:
    """Join the trimmed clips, brought to one level."""
    parts, truth, at = [], [], 0
    for clip in clips:
        gap = np.zeros(round(rng.uniform(*silence) * RATE), np.float32)
        speech = trimmed(resample(*clip.read(), RATE))
        at += len(gap)
        truth.append(Truth(at / RATE, (at + len(speech)) / RATE, clip.label.label))
        at += len(speech)
        parts += [gap, 0.1 * speech / max(float(np.sqrt(np.square(speech).mean())), 1e-6)]
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
    predicted = np.array([_at(found.segments, t) for t in middles])
    real = np.array([_at(truth, t) for t in middles])
    spoken = real != NO_SPEECH
    segments = [s for s in found.segments if s.label != NO_SPEECH]
    hits = sum(any(_matches(s, t) for t in truth) for s in segments)
    found_edges = np.array([edge for s in segments for edge in (s.start, s.end)] or [0.0])
    edges = [np.abs(found_edges - edge).min() for t in truth for edge in (t.start, t.end)]
    durations = found.durations()
    wanted: dict[str, float] = {}
    for t in truth:
        wanted[t.label] = wanted.get(t.label, 0.0) + t.end - t.start
    names = (set(durations) | set(wanted)) - {NO_SPEECH}
    return {
        "frames": float((predicted[spoken] == real[spoken]).sum()),
        "of_frames": float(spoken.sum()),
        "activity": float(((predicted != NO_SPEECH) == spoken).sum()),
        "of_activity": float(len(real)),
        "hits": 2.0 * hits,
        "of_hits": float(len(segments) + len(truth)),
        "edges": float(np.sum(edges)),
        "of_edges": float(len(edges)),
        "duration_error": sum(abs(durations.get(n, 0) - wanted.get(n, 0)) for n in names),
        "of_duration_error": sum(wanted.values()),
    }


def _at(segments: Sequence[Segment] | Sequence[Truth], time: float) -> str:
    return next((s.label for s in segments if s.start <= time < s.end), NO_SPEECH)


def _matches(found: Segment, truth: Truth) -> bool:
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
            activity, edges, error = (
                share(found, k) for k in ("activity", "edges", "duration_error")
            )
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
        print(f"\n{corpus}: {len(clips)} clips of {len({c.speaker_id for c in clips})} speakers\n")
        print(
            "| silence between | windows | clips alone, accuracy | frames of speech, accuracy "
            "| segments found, F1 | speech or not, accuracy of frames | boundary off by, mean "
            "| seconds of each label, error |"
        )
        print("|---|--:|--:|--:|--:|--:|--:|--:|")
        for row in study(model, clips):
            print(row, flush=True)


if __name__ == "__main__":
    main()
