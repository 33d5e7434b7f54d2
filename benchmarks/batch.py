"""Speed, memory and planning of batches; writes benchmarks/batch.md.

    python benchmarks/batch.py                                    # 20 minutes on a quiet machine
    python benchmarks/batch.py --files 40 80 --compared 80 --entries 100000       # a look at it

The recordings are 200 variants of the samples, linked many times.  Each batch is the command as
people type it, in a process of its own, with its start; the loop is one `Classifier(threads=1)`
that predicts the same files in turn with the batches.  Memory is that of the command and of all of
its workers, sampled five times a second.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from audio_emotion import Classifier
from audio_emotion.batch.job import Job
from audio_emotion.batch.plan import PLAN, make_plan
from audio_emotion.batch.storage import Folder

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.flac"))
RESULTS = Path(__file__).parent / "batch.md"
COMMAND = [sys.executable, "-m", "audio_emotion", "batch"]
VARIANTS = 200
ROUNDS = 2  # of the comparison of speeds
REPEATS = 3  # of batches of less than MANY recordings, of which the start is a larger part
MANY = 10_000
LONG, LONG_DUR = 200, 30.0  # recordings, and s of each, as in docs/scaling.md
ENTRY_BYTES = 960_000  # of a simulated recording: 30 s at 16 kHz in 16 bits
MIB = 1 << 20


@dataclass
class Run:
    """What a batch took."""

    seconds: float
    driver: float  # MiB, at most
    workers: float  # MiB of all of them, at most


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[500, 2_000, 5_000, 10_000, 20_000])
    parser.add_argument("--compared", type=int, default=8_000, help="recordings, with a loop")
    parser.add_argument("--entries", type=int, default=10_000_000, help="of the simulated list")
    parser.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.plan:
        plan_list(arguments.plan)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        variants = make_variants(folder / "variants")
        parts = [
            f"# Batches\n\n`python benchmarks/batch.py`, {platform.machine()}, "
            f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start.",
            speeds(folder, variants, arguments.compared),
            slope(folder, variants, arguments.files),
            minutes(folder),
            planning(folder, arguments.entries),
        ]
    arguments.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(arguments.out.read_text(encoding="utf-8"))


def make_variants(folder: Path) -> list[Path]:
    """Write variants of the samples: another rate, and so another pitch and length, and gain."""
    folder.mkdir()
    dice, paths = np.random.default_rng(0), []
    for number in range(VARIANTS):
        signal, rate = soundfile.read(SAMPLES[number % len(SAMPLES)], dtype="float32")
        paths.append(folder / f"{number:03}.flac")
        changed = np.clip(signal * dice.uniform(0.3, 1.0), -1, 1)
        soundfile.write(paths[-1], changed, round(rate * dice.uniform(0.85, 1.2)))
    return paths


def linked(folder: Path, variants: list[Path], count: int) -> Path:
    """Return a folder with so many recordings."""
    source = folder / f"in-{count}"
    if not source.exists():
        source.mkdir()
        for number in range(count):
            os.link(variants[number % len(variants)], source / f"{number:06}.flac")
    return source


def run(source: Path, *options: str) -> Run:
    """Work off a batch into a new folder."""
    with tempfile.TemporaryDirectory() as out:
        began = time.monotonic()
        process = psutil.Popen(
            [*COMMAND, source, "--out", out, *options], stderr=subprocess.PIPE, text=True
        )
        driver = workers = 0.0
        while process.poll() is None:
            try:
                driver = max(driver, process.memory_info().rss / MIB)
                workers = max(workers, sum(map(_rss, process.children(recursive=True))))
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.2)
        seconds = time.monotonic() - began
        said = process.stderr.read()
        assert process.returncode == 0, said
        assert Path(out, "_SUCCESS").exists()
    return Run(seconds, driver, workers)


def loop(source: Path) -> float:
    """Return the seconds in which one classifier predicts all recordings, its start included."""
    began = time.monotonic()
    classifier = Classifier(threads=1)
    for path in sorted(source.iterdir()):
        classifier.file(path)
    return time.monotonic() - began


def speeds(folder: Path, variants: list[Path], count: int) -> str:
    """Compare loop, one and two processes, and Ray, in turn."""
    source = linked(folder, variants, count)
    kinds = {
        "a loop with `Classifier(threads=1)`": lambda: loop(source),
        "`--jobs 1`": lambda: run(source, "--jobs", "1").seconds,
        "`--jobs 2`": lambda: run(source, "--jobs", "2").seconds,
        "`--cluster local`": lambda: run(source, "--cluster", "local").seconds,
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, measure in kinds.items():
            seconds[name].append(measure())
    first = next(iter(seconds))
    lines = [f"## Speed\n\n{count:,} recordings, {ROUNDS} rounds in turn; medians.\n"]
    lines += ["| | s | files/s | × the loop |", "|---|--:|--:|--:|"]
    for name, found in seconds.items():
        ratio = median(a / b for a, b in zip(seconds[first], found, strict=True))
        spent = median(found)
        lines.append(f"| {name} | {spent:.1f} | {count / spent:.1f} | {ratio:.2f} |")
    return "\n".join(lines)


def slope(folder: Path, variants: list[Path], counts: list[int]) -> str:
    """Measure time and memory over the number of recordings."""
    lines = [
        f"## Over the number of recordings\n\n`--jobs 2`; medians of {REPEATS} below {MANY:,}.\n"
    ]
    lines += ["| files | s | ms a file | driver, MiB | workers, MiB |", "|--:|--:|--:|--:|--:|"]
    times = []
    for count in counts:
        source = linked(folder, variants, count)
        runs = [run(source, "--jobs", "2") for _ in range(REPEATS if count < MANY else 1)]
        found = sorted(runs, key=lambda one: one.seconds)[len(runs) // 2]
        times.append(found.seconds)
        each = 1000 * found.seconds / count
        memory = f"{found.driver:.0f} | {found.workers:.0f}"
        lines.append(f"| {count:,} | {found.seconds:.1f} | {each:.2f} | {memory} |")
    rate, start = np.polyfit(counts, times, 1, w=1 / np.array(times))  # noise is a share of time
    worst = max(abs(t - start - rate * n) / t for n, t in zip(counts, times, strict=True))
    lines.append(
        f"\nThe line {start:.1f} s + {1000 * rate:.2f} ms a file is off by {100 * worst:.1f} % "
        "at most."
    )
    return "\n".join(lines)


def minutes(folder: Path) -> str:
    """Measure recordings of half a minute, in which somebody speaks throughout."""
    source = folder / "long"
    source.mkdir()
    spoken = [soundfile.read(path, dtype="float32") for path in SAMPLES]
    rate = spoken[0][1]
    joined = np.concatenate([signal for signal, _ in spoken])
    for number in range(LONG):
        part = np.resize(np.roll(joined, -number * rate // 7), round(LONG_DUR * rate))
        soundfile.write(source / f"{number:04}.flac", part, rate)
    lines = [
        f"## Long recordings\n\n{LONG} recordings of {LONG_DUR:.0f} s of speech, `--jobs 2`.\n"
    ]
    lines += ["| task | s | ms a recording | × real time |", "|---|--:|--:|--:|"]
    for task in ("emotions", "timeline"):
        seconds = run(source, "--jobs", "2", "--task", task).seconds
        lines.append(
            f"| `{task}` | {seconds:.1f} | {1000 * seconds / LONG:.0f} | "
            f"{LONG * LONG_DUR / seconds:.0f} |"
        )
    return "\n".join(lines)


def planning(folder: Path, entries: int) -> str:
    """Plan a simulated list in a process of its own."""
    path = folder / "entries.parquet"
    layout, at = pa.schema([("uri", pa.string()), ("size", pa.int64())]), 0
    with pq.ParquetWriter(path, layout) as writer:
        while at < entries:
            numbers = range(at, min(entries, at + 100_000))
            names = [f"s3://archive/{n // 10_000:05}/{n:08}.wav" for n in numbers]
            writer.write_table(pa.table([names, [ENTRY_BYTES] * len(names)], schema=layout))
            at += len(names)
    line = [sys.executable, __file__, "--plan", path]
    found = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
    return (
        "## Planning\n\nA simulated list of recordings of 30 s, as Parquet with `uri` and `size`.\n"
        "\n| entries | s | s of processor | memory, MiB | plan, MB | shards | s to read a shard |\n"
        "|--:|--:|--:|--:|--:|--:|--:|\n"
        f"| {entries:,} | {found['seconds']:.0f} | {found['processor']:.0f} | "
        f"{found['memory']:.0f} | "
        f"{found['bytes'] / 1e6:.0f} | {found['shards']:,} | {found['read']:.3f} |"
    )


def plan_list(path: Path) -> None:
    """Plan a list, and print what it took as JSON."""
    with tempfile.TemporaryDirectory() as out:
        folder, began = Folder(out), time.monotonic()
        plan = make_plan(Job(), Classifier().labels, [str(path)], folder)
        seconds, processor = time.monotonic() - began, time.process_time()
        began = time.monotonic()
        plan.items(folder, plan.shards // 2)
        facts = {
            "seconds": seconds,
            "processor": processor,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "bytes": Path(out, PLAN).stat().st_size,
            "shards": plan.shards,
            "read": time.monotonic() - began,
        }
    print(json.dumps(facts))


def _rss(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss / MIB)
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    main()
