"""The peak memory of `predict` and `timeline` on long recordings.

    python benchmarks/memory.py

The recordings are the speech in samples/ joined with pauses, again and again.  The fastest one,
whose samples would take 75 GB, holds its speech in the first minute and silence after it.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from audio_emotion import read_audio, resample
from audio_emotion.audio import Signal

SAMPLES = Path(__file__).parents[1] / "samples"
RATE = 16_000  # Hz of the speech
PAUSE_DUR = 1.5  # s after each sentence
ROWS = (  # command, minutes, sampling rate, channels, repeated throughout
    ("predict", 60, 16_000, 1, True),
    ("predict", 60, 48_000, 2, True),
    ("predict", 60, 655_350, 8, False),
    ("timeline", 1, 16_000, 1, True),
    ("timeline", 60, 48_000, 2, True),
    ("timeline", 600, 16_000, 1, True),
)
# A process starts with the peak of the one that it was forked from, so a small one stands between.
WATCH = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def minute(sampling_rate: int) -> Signal:
    """The samples joined with pauses, `(samples,)`."""
    parts = []
    for path in sorted(p for p in SAMPLES.iterdir() if p.suffix in {".flac", ".ogg"}):
        parts += [resample(*read_audio(path), RATE), np.zeros(round(PAUSE_DUR * RATE), np.float32)]
    return resample(np.resize(np.concatenate(parts), 60 * RATE), RATE, sampling_rate)


def blocks(minutes: int, sampling_rate: int, channels: int, repeated: bool) -> Iterator[Signal]:
    """Yield the recording, a second at a time."""
    speech = minute(sampling_rate)
    silence = np.zeros((sampling_rate, channels), np.float32)
    for number in range(60 * minutes):
        at = number % 60 * sampling_rate
        second = np.repeat(speech[at : at + sampling_rate, None], channels, 1)
        yield second if repeated or number < 60 else silence


def peak(command: str, path: Path) -> float:
    """Return the peak memory of a command in MB."""
    program = [sys.executable, "-m", "audio_emotion", command, str(path)]
    watched = [sys.executable, "-c", WATCH, *program, "--force", "--out", str(path) + ".json"]
    done = subprocess.run(watched, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) * 1024 / 1e6


def main() -> None:
    """Print the table."""
    print("| command | minutes | Hz | channels | peak memory, MB |\n|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.flac")
        for command, minutes, rate, channels, repeated in ROWS:
            with soundfile.SoundFile(path, "w", rate, channels, "PCM_16") as file:
                for block in blocks(minutes, rate, channels, repeated):
                    file.write(block)
            print(f"| {command} | {minutes} | {rate} | {channels} |", end=" ", flush=True)
            print(f"{peak(command, path):.0f} |", flush=True)


if __name__ == "__main__":
    main()
