"""Attributions by gradients add up, agree with the model file, and are about the model."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from audio_emotion import Classifier
from audio_emotion.classifier import default_model
from audio_emotion.cli.app import app
from audio_emotion.errors import ModelError
from audio_emotion.explain import deletion, first_window
from audio_emotion.lab import attribution
from audio_emotion.lab.attribution import attribute, shipped
from audio_emotion.lab.mel import hz_to_mel
from audio_emotion.lab.seen import seen

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.flac"))
Recording = tuple[np.ndarray, int]


@pytest.fixture(scope="module")
def sample() -> Recording:
    signal, rate = soundfile.read(SAMPLES[0], dtype="float32")
    return signal, rate


def test_evidence_adds_up_to_what_the_recording_has_over_a_quiet_one(sample: Recording) -> None:
    classifier = Classifier()
    found = attribute(*sample, classifier, steps=48)
    model = shipped(classifier)
    frontend, (_, voice) = model.frontend, first_window(*sample, classifier)
    with torch.no_grad():
        waveform = torch.from_numpy(voice)[None]
        extent = frontend.extent(waveform)
        bands = frontend.bands(frontend.power(frontend.place(waveform, *extent)))
        counted = frontend.counted(bands, extent[1])
        lower = torch.clamp(frontend.decibel(bands, counted) - 40, min=-80)
        logits = model.network(frontend.normal_stack(lower, counted, frontend.lags(bands)), counted)
        before = (logits / model.temperature).softmax(1)[0]
    for label in found.labels:
        gained = found.probabilities[label] - before[classifier.labels.index(label)].item()
        assert found.of(label).sum() == pytest.approx(gained, abs=0.03)


def test_it_explains_what_the_model_file_says(sample: Recording) -> None:
    classifier = Classifier()
    found = attribute(*sample, classifier, steps=2)
    _, voice = first_window(*sample, classifier)
    told = dict(zip(classifier.labels, classifier.windows(voice[None])[0], strict=True))
    assert found.probabilities == pytest.approx(told, abs=2e-3)  # its weights are halves
    assert list(found.labels) == sorted(told, key=told.__getitem__, reverse=True)[:2]


def test_what_the_gradients_point_at_matters_more_than_chance() -> None:
    classifier = Classifier()
    lost = []
    for path in SAMPLES[:3]:
        recording = soundfile.read(path, dtype="float32")
        lost.append(deletion(*recording, classifier, attribute(*recording, classifier, steps=8)))
    top, chance = np.mean(lost, 0)
    assert top > 2 * max(chance, 0.01)


def test_other_weights_have_another_map(sample: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier()
    found = attribute(*sample, classifier, steps=8)
    other = shipped(classifier)
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in other.network.parameters():
            if weights.ndim > 1:
                weights.copy_(weights.flatten()[torch.randperm(weights.numel())].view_as(weights))
    monkeypatch.setattr(attribution, "shipped", lambda _: other)
    shuffled = attribute(*sample, classifier, steps=8)
    alike = np.corrcoef(found.evidence[0].ravel(), shuffled.evidence[0].ravel())[0, 1]
    assert abs(alike) < 0.5


def test_seen_is_what_the_network_is_given(sample: Recording) -> None:
    classifier = Classifier()
    start, voice = first_window(*sample, classifier)
    found = seen(voice, start, classifier)
    with torch.no_grad():
        pictures, _ = shipped(classifier).frontend(torch.from_numpy(voice)[None])
    np.testing.assert_allclose(found.pictures, pictures[0].numpy(), atol=1e-5)
    assert len(found.names) == len(found.pictures)


def test_a_tone_is_seen_at_its_hertz_and_its_second() -> None:
    classifier = Classifier()
    rate = classifier.sampling_rate
    time = np.arange(2 * rate) / rate
    tone = np.sin(2 * np.pi * 1500 * time) * (np.abs(time - 1.2) < 0.1)
    tone += 0.1 * np.sin(2 * np.pi * 300 * time)  # heard from the start to the end
    found = seen(tone.astype(np.float32), 3 * rate, classifier)
    mel = found.pictures[1]  # less each band's mean
    band = int(np.searchsorted(found.hertz, 1500)) - 1
    loud = found.times[:-1][mel[band] > mel[band].max() / 2]
    assert loud.min() == pytest.approx(4.1, abs=0.05)
    assert loud.max() == pytest.approx(4.3, abs=0.05)
    widths = np.diff(hz_to_mel(found.hertz))
    np.testing.assert_allclose(widths, widths[0])


def test_a_model_without_its_training_has_no_gradients(tmp_path: Path, sample: Recording) -> None:
    copy = shutil.copy(default_model(), tmp_path / "mine.onnx")
    with pytest.raises(ModelError, match=r"mine\.onnx holds no gradients.*--run"):
        attribute(*sample, Classifier(copy))


def test_the_command_draws_it(tmp_path: Path) -> None:
    plot = tmp_path / "why.png"
    command = ["explain", str(SAMPLES[0]), "--method", "gradients", "--plot", str(plot)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    assert "mostly" in result.stdout
    assert plot.exists()


def test_a_run_says_nothing_to_occlusion(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["explain", str(SAMPLES[0]), "--run", str(tmp_path)])
    assert "occlusion needs the model file only" in str(result.exception)
