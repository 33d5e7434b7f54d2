"""Recordings for the tests: synthesised here, and real ones where a corpus is at hand."""

from __future__ import annotations

import io
import os
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

RATE = 24_000
REAL = Path(
    os.environ.get("AUDIO_EMOTION_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
)


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
    """A mono recording in a container that libsndfile does not write."""
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
def real_ravdess() -> Path:
    """Real clips, where they are at hand."""
    root = REAL / "ravdess"
    if not root.is_dir():
        pytest.skip("no RAVDESS at hand; set AUDIO_EMOTION_TEST_DATA to the folder that holds it")
    return root


@pytest.fixture(params=["synthesised", "real"])
def recording(request: pytest.FixtureRequest) -> tuple[np.ndarray, int]:
    """A signal and its rate: once synthesised, once a real clip where there is one."""
    if request.param == "synthesised":
        return voice(), RATE
    root: Path = request.getfixturevalue("real_ravdess")
    path = root / "Audio_Speech_Actors_01-24" / "Actor_03" / "03-01-05-01-01-01-03.flac"
    return soundfile.read(path, dtype="float32")
