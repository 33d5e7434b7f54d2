"""What other ways to an emotion cost, on the same clips and one thread each, as a Markdown table.

    pip install opensmile
    python benchmarks/peers.py

Each is called as its users do, from the path of a file, in a process of its own, in turn with the
others.  The networks and the classifier of the others have random weights: what they would predict
is not compared, only what a prediction costs.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile

SAMPLES = Path(__file__).parents[1] / "samples"
CLIP_DUR, RATE, CLIPS = 3.5, 48_000, 20
ROUNDS = 3
CLASSES = 8
ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")
}
Predict = Callable[[Path], object]


def ours() -> Predict:
    from audio_emotion import Classifier

    return Classifier(threads=1).file


def librosa_cnn() -> Predict:
    """Means of five features over time, and a convolutional network over them."""
    import librosa
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers: list[nn.Module] = []
    for before, after in ((1, 256), (256, 256), (256, 128), (128, 64)):
        layers += [nn.Conv1d(before, after, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2)]
    network = nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(64 * 10, 32), nn.ReLU(), nn.Linear(32, CLASSES)
    ).eval()

    def predict(path: Path) -> object:
        signal, rate = librosa.load(path)
        stft = np.abs(librosa.stft(signal))
        features = [
            librosa.feature.zero_crossing_rate(y=signal),
            librosa.feature.chroma_stft(S=stft, sr=rate),
            librosa.feature.mfcc(y=signal, sr=rate),
            librosa.feature.rms(y=signal),
            librosa.feature.melspectrogram(y=signal, sr=rate),
        ]
        means = np.concatenate([feature.mean(1) for feature in features])  # 162 of them
        with torch.inference_mode():
            return network(torch.from_numpy(means).float()[None, None]).softmax(1)

    return predict


def opensmile_svm() -> Predict:
    """The 88 functionals of eGeMAPS, and a support vector machine."""
    import opensmile
    from sklearn.svm import SVC

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    dice = np.random.default_rng(0)
    machine = SVC().fit(dice.normal(size=(800, 88)), np.arange(800) % CLASSES)
    return lambda path: machine.predict(smile.process_file(str(path)).to_numpy())


def wav2vec2(runtime: str) -> Predict:
    """A network of the size of wav2vec 2.0 base, 94 million weights, arXiv:2006.11477."""
    import torch
    from torch import nn

    from audio_emotion import read_audio, resample

    class Base(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            for number, (size, stride) in enumerate([(10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2]):
                layers.append(nn.Conv1d(1 if number == 0 else 512, 512, size, stride, bias=False))
                layers += [nn.GroupNorm(512, 512)] if number == 0 else []
                layers.append(nn.GELU())
            self.convolutions = nn.Sequential(*layers)
            self.project = nn.Sequential(nn.LayerNorm(512), nn.Linear(512, 768))
            self.position = nn.Conv1d(768, 768, 128, padding=64, groups=16)
            layer = nn.TransformerEncoderLayer(768, 12, 3072, 0.0, "gelu", batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)
            self.classify = nn.Linear(768, CLASSES)

        def forward(self, signal: torch.Tensor) -> torch.Tensor:
            frames = self.project(self.convolutions(signal[:, None]).transpose(1, 2))
            position = self.position(frames.transpose(1, 2))[..., :-1].transpose(1, 2)
            frames = self.encoder(frames + nn.functional.gelu(position))
            probabilities: torch.Tensor = self.classify(frames.mean(1)).softmax(1)
            return probabilities

    torch.set_num_threads(1)
    network = Base().eval()
    call: Callable[[np.ndarray], Any]
    if runtime == "torch":

        def call(signal: np.ndarray) -> Any:
            with torch.inference_mode():
                return network(torch.from_numpy(signal)[None])

    else:
        import onnxruntime

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "base.onnx")
            example = (torch.zeros(1, round(CLIP_DUR * 16_000)),)
            torch.onnx.export(
                network, example, path, dynamo=True, external_data=False, verbose=False
            )
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            session = onnxruntime.InferenceSession(path, options)

        def call(signal: np.ndarray) -> Any:
            return session.run(None, {"signal": signal[None]})

    return lambda path: call(resample(*read_audio(path), 16_000))


PEERS: dict[str, tuple[str, Callable[[], Predict]]] = {
    "ours": ("`Classifier(threads=1).file`", ours),
    "librosa": ("librosa, five features, a small CNN in PyTorch", librosa_cnn),
    "opensmile": ("openSMILE eGeMAPS, a support vector machine", opensmile_svm),
    "onnx": ("a network of the size of wav2vec 2.0 base, ONNX Runtime", lambda: wav2vec2("onnx")),
    "torch": ("the same, PyTorch", lambda: wav2vec2("torch")),
}


def measured(name: str, folder: Path) -> dict[str, float]:
    """Return what a clip costs, after a first one."""
    predict, paths = PEERS[name][1](), sorted(folder.iterdir())
    predict(paths[0])
    began, processor = time.perf_counter(), time.process_time()
    for path in paths:
        predict(path)
    spent = time.perf_counter() - began, time.process_time() - processor
    wall, cpu = (1000 * seconds / len(paths) for seconds in spent)
    return {
        "wall": wall,
        "processor": cpu,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def write_clips(folder: Path) -> None:
    """Write clips of speech that fill the window."""
    read = [soundfile.read(path, dtype="float32") for path in sorted(SAMPLES.glob("*.flac"))]
    joined = np.concatenate([signal for signal, _ in read])
    rate = read[0][1]  # of all of them; another pitch does no harm here
    for number in range(CLIPS):
        part = np.resize(np.roll(joined, -number * rate // 3), round(CLIP_DUR * RATE))
        soundfile.write(folder / f"{number:02}.wav", part, RATE)


def main() -> None:
    """Measure all in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measured(chosen.one, chosen.folder)))
        return
    names = [name for name in PEERS if name != "opensmile" or find_spec("opensmile")]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as name:
        write_clips(Path(name))
        for _ in range(ROUNDS):
            for peer in names:
                line = [sys.executable, "-W", "ignore", __file__, "--one", peer, "--folder", name]
                done = subprocess.run(
                    line, env={**os.environ, **ONE_THREAD}, check=True, stdout=subprocess.PIPE
                )
                found[peer].append(json.loads(done.stdout.splitlines()[-1]))
    print("| one clip of 3.5 s, one thread | ms of processor | × ours | MB |")
    print("| --- | --: | --: | --: |")
    for peer, rounds in found.items():
        ratio = median(
            a["processor"] / b["processor"] for a, b in zip(rounds, found["ours"], strict=True)
        )
        processor, memory = (median(one[key] for one in rounds) for key in ("processor", "memory"))
        megabytes = "–" if peer == "onnx" else f"{memory:.0f}"  # PyTorch wrote its file
        print(f"| {PEERS[peer][0]} | {processor:.1f} | {ratio:.1f} | {megabytes} |")


if __name__ == "__main__":
    main()
