"""Fixtures: synthesised recordings, real ones where a corpus is at hand, and small trainings."""

import io
import os
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from audio_emotion.config import Config, load_config

RATE = 24_000
SAMPLES = Path(__file__).parents[1] / "samples"
OPTIONS = {"enable_progress_bar": False, "accelerator": "cpu"}  # of Lightning's trainer
TRAINING_WARNINGS = [  # of libraries that training imports
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*litlogger.*"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec.*"),
]
TINY = [  # a reference network that trains in seconds
    *("network.width=0.05", "frontend.n_mels=64", "frontend.hop_length=1024"),
    *("augment.waveform_p=0", "train.batch_size=8", "split.val=0.2"),
    *("train.precision=32-true", "train.ema_decay=0"),
]


def tiny(*overrides: str) -> Config:
    """The reference configuration, made small."""
    return load_config("reference", [*TINY, *overrides])


def small(*overrides: str) -> Config:
    """The default configuration, made small."""
    sizes = ["network.width=0.25", "train.batch_size=8", "split.val=0.2", "train.epochs=1"]
    sizes += ["train.epoch_clips=0", "split.by=clip", "split.test=0.2"]
    return load_config("default", [*sizes, *overrides])


def voice(seconds: float = 1.5, pitch: float = 150.0, seed: int = 0) -> np.ndarray:
    """Harmonics under a gliding pitch, between stretches of near silence; `(samples,)` float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 3 * time))) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * np.hanning(len(time))
    silence = np.zeros(round(0.4 * RATE))
    signal = np.concatenate([silence, 0.2 * tone, silence])
    return (signal + 1e-4 * rng.standard_normal(len(signal))).astype(np.float32)


def through_ffmpeg(signal: np.ndarray, container: str, codec: str, rate: int) -> bytes:
    """Return a mono recording in a container that libsndfile does not write."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=container) as output:
        track = output.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(signal[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for packet in [*track.encode(frame), *track.encode(None)]:
            output.mux(packet)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIO_EMOTION_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A synthesised recording of 2.3 s."""
    path = tmp_path / "voice.wav"
    soundfile.write(path, voice(), RATE)
    return path


@pytest.fixture(scope="session")
def ravdess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthesised clips with RAVDESS names: eight emotions, six actors, speech and song."""
    root = tmp_path_factory.mktemp("ravdess")
    for actor in range(1, 7):
        for emotion in range(1, 9):
            folder = root / "Audio_Speech_Actors_01-24" / f"Actor_{actor:02}"
            folder.mkdir(parents=True, exist_ok=True)
            signal = voice(0.5, 80 + 30 * emotion, seed=10 * actor + emotion)
            soundfile.write(folder / f"03-01-0{emotion}-01-01-01-0{actor}.wav", signal, RATE)
    song = root / "Audio_Song_Actors_01-24" / "Actor_01"
    song.mkdir(parents=True)
    soundfile.write(song / "03-02-02-01-02-01-01.wav", voice(0.5, 300), RATE)
    return root


@pytest.fixture(scope="session")
def reference_run(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small reference network: two epochs, never interrupted."""
    return _trained(tiny("train.epochs=2"), ravdess, tmp_path_factory.mktemp("reference") / "run")


@pytest.fixture(scope="session")
def default_run(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small default network, one epoch."""
    return _trained(small(), ravdess, tmp_path_factory.mktemp("default") / "run")


@pytest.fixture(scope="session")
def model(reference_run: Path) -> Path:
    """The model file of `reference_run`."""
    from audio_emotion.training.export import export

    path = reference_run.parent / "model.onnx"
    export(reference_run, path)
    return path


@pytest.fixture(scope="session")
def default_onnx(default_run: Path) -> Path:
    """The model file of `default_run`, in fp32."""
    from audio_emotion.training.export import export

    path = default_run.parent / "model.onnx"
    export(default_run, path, "fp32")
    return path


def _trained(config: Config, data: Path, run: Path) -> Path:
    from audio_emotion.datasets import load_corpus
    from audio_emotion.training.train import train

    train(load_corpus(data), config, run, trainer_options=OPTIONS)
    return run


@pytest.fixture(scope="session")
def real_ravdess() -> Path:
    """Real clips, where `AUDIO_EMOTION_TEST_DATA` names a folder that holds `ravdess`."""
    root = Path(os.environ.get("AUDIO_EMOTION_TEST_DATA", "")) / "ravdess"
    if "AUDIO_EMOTION_TEST_DATA" not in os.environ or not root.is_dir():
        pytest.skip("AUDIO_EMOTION_TEST_DATA names no folder that holds ravdess")
    return root


@pytest.fixture(params=["synthesised", "real"])
def recording(request: pytest.FixtureRequest) -> tuple[np.ndarray, int]:
    """A signal and its rate: once synthesised, once a real clip where there is one."""
    if request.param == "synthesised":
        return voice(), RATE
    root: Path = request.getfixturevalue("real_ravdess")
    path = root / "Audio_Speech_Actors_01-24" / "Actor_03" / "03-01-05-01-01-01-03.flac"
    return soundfile.read(path, dtype="float32")
