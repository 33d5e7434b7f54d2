"""Timelines against truth that is known: held-out clips joined with silences.

    python benchmarks/timeline.py runs/actors RAVDESS CREMA-D

Takes a finished `audio-emotion crossval --protocol actors`; each fold's own model hears the clips
that it was not trained on, joined to recordings of twelve in an order and with silences drawn by a
seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_emotion.audio import Signal, resample
from audio_emotion.classifier import Classifier
from audio_emotion.corpora import Clip, Corpus, load_corpora
from audio_emotion.evaluation.protocols import build
from audio_emotion.segmenter import NO_SPEECH, EmotionSegment
from audio_emotion.timeline import Timeline, timeline

RATE = 16_000
CLIPS = 12  # a recording
DENSITIES = {"0.5–1 s": (0.5, 1.0), "1–3 s": (1.0, 3.0), "none": (0.0, 0.0)}  # silences between
TRIM_DB = 35.0  # under the loudest frame, what counts as silence at a clip's ends
FRAME = 512  # samples
OVERLAP = 0.5  # intersection over union from which a segment is found


@dataclass(frozen=True)
class Truth:
    """Where a clip's voice lies in a joined recording, in seconds."""

    start: float
    end: float
    label: str


def voiced(signal: Signal) -> Signal:
    """A clip without its silent ends."""
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.square(frames).mean(1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-TRIM_DB / 10))
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
    edges = [
        min(abs(edge - other) for s in segments for other in (s.start, s.end))
        for t in truth
        for edge in (t.start, t.end)
    ] if segments else []  # fmt: skip
    shares = found.shares()
    wanted = {label: sum(t.end - t.start for t in truth if t.label == label) for label in
              {t.label for t in truth}}  # fmt: skip
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


def study(out: Path, corpus: Corpus) -> list[str]:
    """Rows of the table, one a density."""
    main = corpus.members[0]
    rows = []
    for name, silence in DENSITIES.items():
        sums: dict[str, float] = {}
        right, heard = 0, 0
        for fold in build("actors", corpus).folds:
            path = out / f"fold-{fold.name}" / "model.onnx"
            if not path.exists():
                continue
            model = Classifier(path)
            clips = [corpus.clips[n] for n in fold.members("test")]
            for signal, truth in recordings(
                [c for c in clips if c.corpus == main], silence, int(fold.name)
            ):
                for key, value in scores(timeline(signal, RATE, model), truth).items():
                    sums[key] = sums.get(key, 0.0) + value
                for t in truth:
                    clip = signal[round(t.start * RATE) : round(t.end * RATE)]
                    right += model(clip, RATE).label == t.label
                    heard += 1
        share = {key: sums[key] / sums[f"of_{key}"] for key in sums if f"of_{key}" in sums}
        rows.append(
            f"| {name} | {100 * right / heard:.1f} % | {100 * share['frames']:.1f} % | "
            f"{100 * share['hits']:.1f} % | {100 * share['activity']:.1f} % | "
            f"{share['edges']:.2f} s | {100 * share['share_error']:.0f} % |"
        )
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    arguments = parser.parse_args()
    print(
        "| silence between | clips right, alone | frames right, of the voiced | "
        "segments found, F1 | voice or not, frames right | boundary off by, mean | "
        "seconds an emotion, error |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for row in study(arguments.out, load_corpora(arguments.data)):
        print(row, flush=True)


if __name__ == "__main__":
    main()
