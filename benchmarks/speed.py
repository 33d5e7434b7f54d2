"""Speed and memory of this checkout beside another commit, in one run, as Markdown tables.

    python benchmarks/speed.py --against 8b79b0e

Both are run in turn, several times over, in processes of their own; the tables hold medians and the
median of the ratios.  Clips and recordings are the speech in samples/ joined.  Without `--against`
only this checkout is measured.  `--scaling` adds the time over files, seconds and processors.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from audio_emotion import read_audio, resample

ROOT = Path(__file__).parents[1]
CLIPS, CLIP_DUR, CLIP_RATE = 500, 3.7, 48_000  # of the folder that `predict` gets
LONG_DUR = 600.0  # s of the recording that `timeline` gets
REPEATS = 5
FILES, SECONDS = (1, 10, 100, 500), (60, 600, 3600)  # of the scaling

# Each prints milliseconds, measured inside, so that the start of Python does not count.
MODEL = """
import sys, time, numpy as np
from audio_emotion import Classifier, read_audio, resample
classifier = Classifier(threads=1)
signal = resample(*read_audio(sys.argv[1]), classifier.sampling_rate)
signal = (signal / np.abs(signal).max())[None, : round(3.5 * classifier.sampling_rate)]
times = []
for _ in range(60):
    began = time.perf_counter()
    classifier.windows(signal)
    times.append(time.perf_counter() - began)
print(1000 * min(times))
"""
TIMELINE = """
import sys, time
from audio_emotion.timeline import timelines_of_file
list(timelines_of_file(sys.argv[2]))
began = time.perf_counter()
list(timelines_of_file(sys.argv[1]))
print(1000 * (time.perf_counter() - began))
"""
FRONT_END = """
import sys, time, librosa, torch
from audio_emotion.config import load_config
from audio_emotion.training.features.frontend import AT_ONCE, Frontend
torch.set_num_threads(1)
config = load_config("reference").frontend
frontend = Frontend(config)
clip = 0.1 * torch.randn(1, config.window)
few, lengths = clip.repeat(AT_ONCE, 1), torch.full((AT_ONCE, 1), config.window)
ours, theirs = [], []
with torch.inference_mode():
    for _ in range(20):
        began = time.perf_counter()
        power = frontend.mel_power(few)
        mask = frontend.frame_mask(power, lengths)
        frontend.stack(frontend.decibel(power, mask), mask)
        middle = time.perf_counter()
        for _ in range(AT_ONCE):
            signal = clip[0].numpy()
            found = librosa.feature.melspectrogram(y=signal, sr=config.sampling_rate, n_mels=128)
            librosa.feature.mfcc(y=signal, sr=config.sampling_rate, n_mfcc=128)
        ours.append(middle - began)
        theirs.append(time.perf_counter() - middle)
print(min(theirs) / min(ours))
"""


@dataclass(frozen=True)
class Used:
    """What a process used."""

    wall: float  # s
    processor: float  # s
    memory: float  # MB at most
    output: str


def used(tree: Path, *arguments: object, processors: int | None = None) -> Used:
    """Run Python with the package of a checkout."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-P", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, range(processors))) if processors else None,
    )
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    wall = time.perf_counter() - began
    return Used(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, output)


def speech(duration: float, rate: int) -> np.ndarray:
    """The samples joined with pauses of a second, `(samples,)`."""
    pause = np.zeros(rate, np.float32)
    paths = sorted(p for p in (ROOT / "samples").iterdir() if p.suffix in {".flac", ".ogg"})
    parts = [part for path in paths for part in (resample(*read_audio(path), rate), pause)]
    return np.resize(np.concatenate(parts), round(duration * rate))


def write_clips(folder: Path) -> None:
    signal, samples = speech(CLIPS * 1.0, CLIP_RATE), round(CLIP_DUR * CLIP_RATE)
    for number in range(CLIPS):
        clip = np.roll(signal, -number * CLIP_RATE)[:samples]
        soundfile.write(folder / f"{number:03}.wav", clip, CLIP_RATE, subtype="PCM_16")


@contextmanager
def checkout(ref: str) -> Iterator[Path]:
    """Check out another commit beside this one."""
    with tempfile.TemporaryDirectory() as name:
        tree, git = Path(name) / "tree", ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), ref], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def measurements(folder: Path) -> dict[str, Callable[[Path], float]]:
    """What is measured of a checkout, by name and unit."""
    clips, short, long = folder / "clips", folder / "short.wav", folder / "long.wav"
    clips.mkdir()
    write_clips(clips)
    soundfile.write(short, speech(10, 16_000), 16_000)
    soundfile.write(long, speech(LONG_DUR, 16_000), 16_000)
    clip = clips / "000.wav"
    runs: dict[Path, Used] = {}

    def many(tree: Path) -> float:
        runs[tree] = used(tree, "-m", "audio_emotion", "predict", clips, "--json")
        return 1000 * runs[tree].wall / CLIPS

    def cold(tree: Path) -> float:
        runs[tree] = used(tree, "-m", "audio_emotion", "predict", clip)
        return 1000 * runs[tree].wall

    return {
        f"`predict` of {CLIPS} clips, ms of wall time a clip": many,
        "– ms of processor time a clip": lambda tree: 1000 * runs[tree].processor / CLIPS,
        "– MB at most": lambda tree: runs[tree].memory,
        "`predict clip.wav`, ms": cold,
        "– MB": lambda tree: runs[tree].memory,
        "`import audio_emotion`, ms": lambda t: 1000 * used(t, "-c", "import audio_emotion").wall,
        "a clip of 3.5 s through the model, one thread, ms":
            lambda tree: float(used(tree, "-c", MODEL, clip).output),
        "`timeline`, times real time":
            lambda tree: 1000 * LONG_DUR / float(used(tree, "-c", TIMELINE, long, short).output),
        "front end, times as fast as librosa":
            lambda tree: float(used(tree, "-c", FRONT_END).output),
    }  # fmt: skip


def compare(trees: list[Path], folder: Path) -> None:
    """Print a row for each measurement: of each checkout, and the last over the first."""
    names = measurements(folder)
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    for _ in range(REPEATS):
        rounds = [{name: measure(tree) for name, measure in names.items()} for tree in trees]
        for name in names:
            found[name].append([values[name] for values in rounds])
    table("", *(["before", "after", "ratio"] if len(trees) > 1 else ["now"]))
    for name, rows in found.items():
        cells = [f"{median(column):.3g}" for column in zip(*rows, strict=True)]
        if len(trees) > 1:
            cells.append(f"{median(after / before for before, after in rows):.2f}")
        print("| " + " | ".join([name, *cells]) + " |", flush=True)


def scaling(folder: Path) -> None:
    """Print the time of this checkout over files, seconds of a recording, and processors."""
    many = os.cpu_count() or 1
    table("files of 3.7 s", *(f"s, {n} processors" for n in range(1, many + 1)))
    clips = sorted((folder / "clips").iterdir())
    for count in FILES:
        command = ["-m", "audio_emotion", "predict", "--json", *clips[:count]]
        times = [used(ROOT, *command, processors=n).wall for n in range(1, many + 1)]
        print(f"| {count} | " + " | ".join(f"{t:.2f}" for t in times) + " |", flush=True)
    table("seconds of a recording", *(f"s, {n} processors" for n in range(1, many + 1)), "MB")
    for duration in SECONDS:
        path = folder / f"{duration}.flac"
        soundfile.write(path, speech(duration, 16_000), 16_000)
        command = ["-m", "audio_emotion", "timeline", path, "--format", "json"]
        runs = [used(ROOT, *command, processors=n) for n in range(1, many + 1)]
        cells = [*(f"{run.wall:.2f}" for run in runs), f"{runs[-1].memory:.0f}"]
        print(f"| {duration} | " + " | ".join(cells) + " |", flush=True)


def table(*head: str) -> None:
    print("\n| " + " | ".join(head) + " |\n| --- |" + " --: |" * (len(head) - 1), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", help="a commit")
    parser.add_argument("--scaling", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if chosen.against:
            with checkout(chosen.against) as tree:
                compare([tree, ROOT], Path(name))
        else:
            compare([ROOT], Path(name))
        if chosen.scaling:
            scaling(Path(name))


if __name__ == "__main__":
    main()
