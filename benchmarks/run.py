"""Speed and distance side by side, in one process on one thread, as a Markdown table.

    make bench

Every row is the median over repeated pairs, timed in turn, so that a machine that changes its mind
slows both sides.  Only the ratios carry over to another machine.
"""

import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import librosa
import numpy as np
import onnx
import torch

from audio_emotion.config import Config, FrontendConfig, load_config
from audio_emotion.datasets.provenance import Provenance
from audio_emotion.inference.classifier import Classifier
from audio_emotion.training.export import (
    ExportedModel,
    fuse_batch_norms,
    model_info,
    set_metadata,
    to_onnx,
)
from audio_emotion.training.features.frontend import AT_ONCE, Frontend
from audio_emotion.training.model import EmotionModel, TrainedModel
from audio_emotion.training.run import TrainingData

REPEATS = 15
CLIPS = 100  # transformed by each front end
RESULTS = Path(__file__).parent / "results.md"


def synthetic_clip(config: FrontendConfig) -> np.ndarray:
    """A window of harmonics and noise, `(samples,)` float32."""
    rng = np.random.default_rng(0)
    seconds = np.arange(config.window) / config.sampling_rate
    tone = sum(np.sin(2 * np.pi * 150 * k * seconds) / k for k in range(1, 20))
    return (0.1 * tone + 0.01 * rng.standard_normal(config.window)).astype(np.float32)


def pair(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float, float]:
    """Median seconds of each, and the median of the ratios `second / first`."""
    first(), second()
    times = [(_seconds(first), _seconds(second)) for _ in range(REPEATS)]
    return (
        median(a for a, _ in times),
        median(b for _, b in times),
        median(b / a for a, b in times),
    )


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def front_end_row() -> list[str]:
    """A few clips at once by ours; librosa's two calls for each, as in the reference system."""
    config = load_config("reference").frontend
    frontend, clip = Frontend(config), synthetic_clip(config)
    few = torch.from_numpy(clip).repeat(AT_ONCE, 1)
    lengths = torch.full((AT_ONCE, 1), len(clip))

    def ours() -> torch.Tensor:
        power = frontend.mel_power(few)
        mask = frontend.frame_mask(power, lengths)
        return frontend.stack(frontend.decibel(power, mask), mask)

    def theirs() -> tuple[np.ndarray, np.ndarray]:
        rate = config.sampling_rate
        power = librosa.feature.melspectrogram(y=clip, sr=rate, n_mels=128)
        mfcc = librosa.feature.mfcc(y=clip, sr=rate, n_mfcc=128)
        return librosa.power_to_db(power, ref=np.max), mfcc

    mine, other, ratio = pair(
        lambda: [ours() for _ in range(CLIPS // AT_ONCE)], lambda: [theirs() for _ in range(CLIPS)]
    )
    distance = np.abs(ours()[0, 0].numpy() - theirs()[0]).max()
    return [
        "front end, mel + MFCC, clips a second",
        f"{CLIPS / mine:.0f}",
        f"librosa {CLIPS / other:.0f}",
        f"{ratio:.1f}×",
        f"{distance:.4f} dB",
    ]


def exported(
    config: Config, folder: Path, *, matrices: bool = True
) -> tuple[ExportedModel, Classifier]:
    """Return a model of random weights, and the same as a file on one thread of ONNX Runtime."""
    torch.manual_seed(0)
    model = EmotionModel.build(config.architecture).eval()
    model.frontend.fit([torch.from_numpy(synthetic_clip(config.frontend))])
    fuse_batch_norms(model.network)
    graph = to_onnx(ExportedModel(model, matrices=matrices).eval())
    data = TrainingData("none", "none", "none", "none", Provenance(()))
    set_metadata(graph, model_info(TrainedModel(model, config.architecture, data), "fp32"))
    path = folder / f"{config.name}-{matrices}.onnx"
    onnx.save(graph, path)
    return ExportedModel(model, matrices=False).eval(), Classifier(path, threads=1)


def small_row(folder: Path, ours: Config, reference: Config) -> list[str]:
    """A configuration against the reference, both in ONNX Runtime, front ends included."""
    configs = [ours, reference]
    sessions = [exported(config, folder)[1] for config in configs]
    clips = [synthetic_clip(config.frontend)[None] for config in configs]
    mine, other, ratio = pair(
        lambda: sessions[0].windows(clips[0]), lambda: sessions[1].windows(clips[1])
    )
    return [
        f"configuration {ours.name}, ms a clip of 3.5 s",
        f"{1e3 * mine:.1f}",
        f"reference {1e3 * other:.1f}",
        f"{ratio:.1f}×",
        "–",
    ]


def spectrum_row(folder: Path) -> list[str]:
    """The spectrum of configuration default by matrices, and by ONNX Runtime's own operator."""
    config = load_config("default")
    clip = synthetic_clip(config.frontend)[None]
    ours, theirs = (exported(config, folder, matrices=by)[1] for by in (True, False))
    mine, other, ratio = pair(lambda: ours.windows(clip), lambda: theirs.windows(clip))
    return [
        "configuration default, spectrum by matrices, ms a clip",
        f"{1e3 * mine:.1f}",
        f"STFT of the runtime {1e3 * other:.1f}",
        f"{ratio:.1f}×",
        f"{np.abs(ours.windows(clip) - theirs.windows(clip)).max():.1e} in probability",
    ]


def network_row(config: Config, folder: Path) -> list[str]:
    """The exported graph in ONNX Runtime against PyTorch eager, one clip, front end included."""
    model, session = exported(config, folder)
    clip = synthetic_clip(config.frontend)[None]
    tensor = torch.from_numpy(clip)
    mine, other, ratio = pair(lambda: session.windows(clip), lambda: model(tensor))
    distance = np.abs(session.windows(clip) - model(tensor)[0].numpy()).max()
    return [
        f"configuration {config.name}, ms a clip",
        f"{1e3 * mine:.1f}",
        f"PyTorch eager {1e3 * other:.1f}",
        f"{ratio:.1f}×",
        f"{distance:.1e} in probability",
    ]


def main() -> None:
    """Measure, print and write `results.md`."""
    torch.set_num_threads(1)
    with torch.inference_mode(), tempfile.TemporaryDirectory() as name:
        configs = [load_config(name) for name in ("reference", "default")]
        networks = [network_row(config, Path(name)) for config in configs]
        small = small_row(Path(name), *reversed(configs))
        rows = [front_end_row(), *networks, small, spectrum_row(Path(name))]
    header = ["one thread", "ours", "against", "times as fast", "distance"]
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * 5, *rows]]
    note = f"`make bench`, {platform.machine()}, PyTorch {torch.__version__}, {REPEATS} pairs."
    text = "\n".join([*lines, "", note]) + "\n"
    _, heading, others = RESULTS.read_text(encoding="utf-8").partition("\n## ")
    RESULTS.write_text(text + heading + others, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
