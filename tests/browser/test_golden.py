"""What is done twice, in Python and in JavaScript, against golden vectors of Python."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from audio_emotion import timeline
from audio_emotion.errors import AudioError
from audio_emotion.formats.timelines import FORMATS
from audio_emotion.inference import classifier, speech, vad
from audio_emotion.inference.classifier import Classifier, window_starts
from audio_emotion.inference.speaker import Speaker
from audio_emotion.notices import Code
from audio_emotion.server.metrics import Metrics
from audio_emotion.server.routes.session import Session
from audio_emotion.web.facts import facts

HERE = Path(__file__).parent
RATE = 16_000
MODEL = facts(None, ["browser"])
LABELS = MODEL["labels"]
SPOKEN = {label: -0.7 - 0.4 * n for n, label in enumerate(LABELS)}  # a normal voice


class Scripted:
    """A speech detector that says what it is told, or how loud the first sample is."""

    said: list[float] | None = None

    def __call__(self, chunks: np.ndarray) -> np.ndarray:
        said = chunks[:, 0].tolist() if self.said is None else [self.said.pop(0) for _ in chunks]
        return np.array(said)


class Shares:
    """In place of a session of ONNX Runtime: one probability is the share of samples that are 1."""

    def __init__(self, voicing: float, label: int = 0) -> None:
        self.voicing, self.label = voicing, label

    def run(self, _: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        waveforms = inputs["waveform"]
        shares = waveforms.mean(1)[:, None]
        rows = np.repeat((1 - shares) / (len(LABELS) - 1), len(LABELS), 1)
        rows[:, [self.label]] = shares
        extents = []
        for waveform in waveforms:
            loud = np.flatnonzero(waveform)
            extents.append([loud[0], loud[-1] + 1 - loud[0]] if len(loud) else [0, 0])
        found = np.full((len(waveforms), 1), self.voicing, np.float32)
        return [rows.astype(np.float32), np.array(extents, np.int64), found]


def regions() -> list[dict[str, Any]]:
    random, found = np.random.default_rng(0), []
    for chunks in (1, 20, 40, 120, 400, 1200, 1200):
        turns = np.repeat(random.random(-(-chunks // 48)), 48)[:chunks]  # of 1.5 s each
        said = np.where(random.random(chunks) < 0.01, random.random(chunks), turns**3).tolist()
        length = chunks * vad.CHUNK - int(random.integers(vad.CHUNK))
        Scripted.said = list(said)
        spans = speech.speech_regions(np.zeros(length, np.float32))
        found.append({"probabilities": said, "length": length, "regions": spans})
    Scripted.said = None
    return found


def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    cases = [
        (2, [[0.5, 1.5]], 1.0),  # short and voiced
        (2, [[0.5, 1.5]], 0.0),  # short and not voiced: the detector decides
        (2, [], 1.0),
        (1, [[0.5, 0.75]], 1.0),  # a guess
        (1, [[0.5, 0.55]], 1.0),  # too short
        (6, [[1, 5.5]], 1.0),  # longer than a window
        (12, [[1, 3], [5, 10]], 1.0),  # two regions
        (40, [[1, 38]], 1.0),  # longer than one look
    ]
    found = []
    for seconds, loud, voicing in cases:
        model = Classifier()
        monkeypatch.setattr(model, "_session", Shares(voicing))
        samples = np.zeros(seconds * RATE, np.float32)
        for start, end in loud:
            samples[round(start * RATE) : round(end * RATE)] = 1
        expected = model(samples, RATE).as_dict()
        case = {"seconds": seconds, "loud": loud, "voicing": voicing, "expected": expected}
        speaker = Speaker(model.digest, 8.0, 1, SPOKEN)
        found.append({**case, "adjusted": model(samples, RATE, speaker=speaker).as_dict()})
    return found


def enrolments(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Speakers, and the words of what is refused."""
    found = []
    cases = [
        (6, [[1, 4.4]], 0),
        (2, [[0.5, 1.5]], 0),  # too little
        (12, [[1, 3], [5, 10]], 0),  # two regions
        (80, [[1, 79]], 0),  # more than is used
        (4, [[0.2, 3.9]], 5),  # far from neutral
    ]
    for seconds, loud, label in cases:
        model = Classifier()
        monkeypatch.setattr(model, "_session", Shares(1.0, label))
        samples = np.zeros(seconds * RATE, np.float32)
        for start, end in loud:
            samples[round(start * RATE) : round(end * RATE)] = 1
        case: dict[str, Any] = {"seconds": seconds, "loud": loud, "voicing": 1.0, "label": label}
        try:
            speaker = model.enroll([(samples, RATE)])
            told = [n.as_dict() for n in speaker.warnings if n.code is Code.NOT_NEUTRAL]
            case["speaker"] = {**speaker.as_dict(), "warnings": told}
        except AudioError as error:
            case["problem"] = str(error).partition(":")[0]
        found.append(case)
    return found


def tuned(waveforms: np.ndarray) -> list[np.ndarray]:
    """A model whose label goes by the mean of the samples."""
    wanted = 8 * waveforms.mean(1, dtype=np.float64)[:, None] - np.arange(len(LABELS))
    rows = 1 / (0.1 + wanted**2)
    rows = (rows / rows.sum(1, keepdims=True)).astype(np.float32)
    return [rows, np.zeros((len(rows), 2), np.int64), np.ones((len(rows), 1), np.float32)]


def timelines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Recordings of constant pieces; the detector hears how loud they are."""
    random, found = np.random.default_rng(2), []
    model = Classifier()
    monkeypatch.setattr(model, "_run", tuned)
    for seconds in (0.02, 1.0, 6.0, 30.0):
        pieces: list[tuple[float, int]] = []
        while sum(length for _, length in pieces) < seconds * RATE:
            level = float(random.choice([0, 0.25, 0.45, 0.55, 0.7, 0.95]))
            pieces.append((level, int(random.integers(200, 3 * RATE))))
        samples = np.repeat(np.float32([p[0] for p in pieces]), [p[1] for p in pieces])
        samples = samples[: round(seconds * RATE)]
        made = timeline(samples, RATE, model)
        session = Session(model, RATE, Metrics())
        block = round(0.1 * RATE)
        integers = np.round(32_767 * samples).astype("<i2")
        events = [
            {"type": event.type, **event.fields}
            for start in range(0, len(integers), block)
            for event in session.push(integers[start : start + block].tobytes())
        ]
        events += [{"type": event.type, **event.fields} for event in session.finalize()]
        texts = {name: FORMATS[name][0](made, "") for name in ("csv", "srt", "vtt", "json")}
        found.append(
            {"pieces": pieces, "length": len(samples), "block": block, "texts": texts}
            | {"events": events}
        )
    return found


def resampled() -> list[dict[str, Any]]:
    random, found = np.random.default_rng(1), []
    for rate in (48_000, 44_100, 22_050, 8_000, RATE):
        time = np.arange(round(0.3 * rate)) / rate
        tones = random.uniform(100, 0.4 * min(rate, RATE), 6)
        samples = (sum(np.sin(2 * np.pi * f * time) for f in tones) / 8).astype(np.float32)
        expected = soxr.resample(samples, rate, RATE).tolist()
        case = {"from": rate, "to": RATE, "samples": samples.tolist()}
        found.append({**case, "expected": expected})
    return found


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The golden vectors."""
    monkeypatch.setattr(vad, "SpeechProbabilities", Scripted)
    sizes = [(10, 4, 4), (3, 4, 4), (4, 4, 2), (5, 4, 2), (100, 7, 3), (56_001, 56_000, 28_000)]
    judged = []
    for duration, spoken in ((0.05, 0.0), (1.0, 0.0), (1.0, 0.06), (1.0, 0.31), (2.0, 1.5)):
        notice = classifier._judge(duration, spoken)
        told = notice.as_dict() if notice else None
        judged.append({"duration": duration, "speech": spoken, "notice": told})
    quiet = np.array([0, 0.001, -0.0137, 0.01], np.float32)
    level = quiet * np.float32(1 / np.abs(quiet).max().astype(np.float64))
    values = {
        "facts": MODEL,
        "windows": [
            {"samples": s, "window": w, "hop": h, "starts": window_starts(s, w, h)}
            for s, w, h in sizes
        ],
        "regions": regions(),
        "judged": judged,
        "levels": [{"samples": quiet.tolist(), "level": level.tolist()}],
        "answers": answers(monkeypatch),
        "enrolments": enrolments(monkeypatch),
        "spoken": {"speech_dur": 8.0, "log_probabilities": SPOKEN},
        "timelines": timelines(monkeypatch),
        "resampled": resampled(),
    }
    path = tmp_path / "golden.json"
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize("name", ["rule.test.js", "stream.test.js", "resampler.test.js"])
def test_the_page_follows_the_rule_of_the_package(golden: Path, name: str) -> None:
    command = ["node", "--test", str(HERE / name)]
    done = subprocess.run(
        command, env={**os.environ, "GOLDEN": str(golden)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
