"""How fast long recordings are predicted, part by part.

    python benchmarks/timeline_speed.py

The recording is the speech in samples/ joined with pauses, again and again.  Parts are timed in
turn, several times over; the median of each is a multiple of real time.  The rival has the shape of
wav2vec 2.0 base (Baevski et al., 2020, arXiv:2006.11477) with random weights, and takes the same
windows.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from audio_emotion import Classifier, read_audio, resample, timeline
from audio_emotion.audio import Signal
from audio_emotion.inference.model_file import default_model
from audio_emotion.inference.vad import CHUNK, RATE, SpeechDetector
from audio_emotion.timeline import NO_SPEECH, TimelineSettings

SAMPLES = Path(__file__).parents[1] / "samples"
PAUSES = {"a pause of 1 s after each sentence": 1.0, "no pauses": 0.0}
TIMED_DUR = 300.0  # s, of which parts are timed
REPEATS = 5
RIVAL_WINDOWS = 8  # enough to time it by


def speech(pause_dur: float, duration: float) -> Signal:
    """The samples joined with pauses, `(samples,)` at RATE."""
    parts = []
    for path in sorted(p for p in SAMPLES.iterdir() if p.suffix in {".flac", ".ogg"}):
        parts += [resample(*read_audio(path), RATE), np.zeros(round(pause_dur * RATE), np.float32)]
    return np.resize(np.concatenate(parts), round(duration * RATE))


class Wav2Vec2Base(nn.Module):
    """Its seven strided convolutions, twelve transformer layers, mean and eight logits."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n, (kernel, stride) in enumerate([(10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2]):
            layers += [nn.Conv1d(512 if n else 1, 512, kernel, stride, bias=False)]
            layers += [nn.GroupNorm(512, 512)] if n == 0 else []
            layers += [nn.GELU()]
        self.encoder = nn.Sequential(*layers)
        self.projection = nn.Sequential(nn.LayerNorm(512), nn.Linear(512, 768))
        self.position = nn.Conv1d(768, 768, 128, padding=64, groups=16)
        layer = nn.TransformerEncoderLayer(768, 12, 3072, activation="gelu", batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 12)
        self.head = nn.Linear(768, 8)

    def forward(self, waveform: Tensor) -> Tensor:
        """`(batch, samples)` to logits `(batch, 8)`."""
        frames = self.projection(self.encoder(waveform[:, None]).mT)
        placed = frames + nn.functional.gelu(self.position(frames.mT)[..., :-1].mT)
        logits: Tensor = self.head(self.transformer(placed).mean(1))
        return logits


def front_end(folder: Path) -> Callable[[Signal], object]:
    """The shipped model's graph up to its first convolution."""
    graph = onnx.load(default_model()).graph
    first = next(node for node in graph.node if node.op_type == "Conv")
    path = folder / "front_end.onnx"
    onnx.utils.extract_model(default_model(), path, ["waveform"], [first.input[0]])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda window: session.run(None, {"waveform": window[None]})


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def speed(pause_dur: float, folder: Path) -> list[list[str]]:
    """Rows of what was timed, the share of time it takes, and its multiple of real time."""
    signal, settings = speech(pause_dur, TIMED_DUR), TimelineSettings()
    model = Classifier(threads=1)
    found = timeline(signal, RATE, model)
    spoken = found.duration - found.durations().get(NO_SPEECH, 0.0)
    windows: list[Signal] = []
    plain = model.windows

    def recording(signals: np.ndarray) -> np.ndarray:
        windows.extend(signals)
        return plain(signals)

    model.windows = recording  # type: ignore[method-assign]
    timeline(signal, RATE, model)
    model.windows = plain  # type: ignore[method-assign]
    first, rival = front_end(folder), Wav2Vec2Base().eval()
    same = [np.resize(window, round(settings.win_dur * RATE)) for window in windows[:RIVAL_WINDOWS]]
    batch = torch.from_numpy(np.stack(same))

    def detection() -> None:
        detector = SpeechDetector(settings.speech_threshold, settings.gap_dur, settings.pad_dur)
        detector.push(signal[: len(signal) // CHUNK * CHUNK].reshape(-1, CHUNK), 0)

    parts: dict[str, tuple[Callable[[], object], float]] = {
        "timeline, detector and model side by side": (lambda: timeline(signal, RATE, model), 1),
        "– speech detection, one thread": (detection, 1),
        "– front end and network, one thread": (lambda: [plain(w[None]) for w in windows], 1),
        "– of it the front end": (lambda: [first(w) for w in windows], 1),
        "wav2vec 2.0 base, random weights, PyTorch, two threads, the same windows":
            (lambda: rival(batch), sum(map(len, windows)) / batch.numel()),
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in parts}
    with torch.inference_mode():
        for _ in range(REPEATS):
            for name, (call, scale) in parts.items():
                times[name].append(scale * seconds(call))
    print(f"\n{spoken / TIMED_DUR:.0%} speech, {len(windows)} windows in {TIMED_DUR:.0f} s\n")
    return [
        [name, f"{1000 * median(t) / TIMED_DUR:.1f}", f"{TIMED_DUR / median(t):.0f}×"]
        for name, t in times.items()
    ]


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as name:
        for pause, duration in PAUSES.items():
            rows = speed(duration, Path(name))
            _table([pause, "ms a second of recording", "times real time"], rows)


def _table(head: list[str], rows: list[list[str]]) -> None:
    for cells in (head, ["---", *["--:"] * (len(head) - 1)], *rows):
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
