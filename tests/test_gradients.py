"""Attributions by gradients add up, agree with the model file, and depend on the model."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from benchmarks.explain import deletion
from typer.testing import CliRunner

from audio_emotion import Classifier
from audio_emotion.cli.app import app
from audio_emotion.errors import ModelError
from audio_emotion.inference.explain import first_window
from audio_emotion.inference.model_file import default_model
from audio_emotion.training.explanation import gradients
from audio_emotion.training.explanation.gradients import attribute, quiet
from audio_emotion.training.explanation.inputs import network_input
from audio_emotion.training.features.mel import hz_to_mel
from audio_emotion.training.model import TrainedModel, find_model
from conftest import SAMPLES as FOLDER

SAMPLES = sorted(FOLDER.glob("*.flac"))
SHIPPED = Path("default")
Recording = tuple[np.ndarray, int]


@pytest.fixture(scope="module")
def sample() -> Recording:
    signal, rate = soundfile.read(SAMPLES[0], dtype="float32")
    return signal, rate


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def test_evidence_adds_up_to_what_the_recording_has_over_a_quiet_one(
    sample: Recording, classifier: Classifier
) -> None:
    found = attribute(*sample, classifier, steps=48)
    trained = find_model(SHIPPED)
    frontend, (_, window) = trained.model.frontend, first_window(*sample, classifier)
    with torch.no_grad():
        waveform = torch.from_numpy(window)[None]
        extent = frontend.extent(waveform)
        power = frontend.mel_power(frontend.place(waveform, *extent))
        mask = frontend.frame_mask(power, extent[1])
        lower = quiet(frontend.decibel(power, mask))
        logits = trained.model.network(frontend.normalise(lower, mask), mask)
        before = (logits / trained.calibration.temperature).softmax(1)[0]
    for label in found.labels:
        gained = found.probabilities[label] - before[classifier.labels.index(label)].item()
        assert found.of(label).sum() == pytest.approx(gained, abs=0.03)


def test_it_explains_the_prediction_of_the_model_file(
    sample: Recording, classifier: Classifier
) -> None:
    found = attribute(*sample, classifier, steps=2)
    _, window = first_window(*sample, classifier)
    predicted = dict(zip(classifier.labels, classifier.windows(window[None])[0], strict=True))
    assert found.probabilities == pytest.approx(predicted, abs=2e-3)  # weights are stored as fp16
    assert list(found.labels) == sorted(predicted, key=predicted.__getitem__, reverse=True)[:2]


def test_what_the_gradients_point_at_matters_more_than_chance(classifier: Classifier) -> None:
    lost = []
    for path in SAMPLES[:3]:
        recording = soundfile.read(path, dtype="float32")
        lost.append(deletion(*recording, classifier, attribute(*recording, classifier, steps=8)))
    top, chance = np.mean(lost, 0)
    assert top > 2 * max(chance, 0.01)


def test_other_weights_have_another_map(
    sample: Recording, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map that ignored the weights would stay (Adebayo et al., 2018)."""

    def shuffled(source: Path) -> TrainedModel:
        other = find_model(source)
        torch.manual_seed(0)
        with torch.no_grad():
            for weights in other.model.network.parameters():
                if weights.ndim > 1:
                    order = torch.randperm(weights.numel())
                    weights.copy_(weights.flatten()[order].view_as(weights))
        return other

    found = attribute(*sample, classifier, steps=8)
    monkeypatch.setattr(gradients, "find_model", shuffled)
    other = attribute(*sample, classifier, steps=8)
    alike = np.corrcoef(found.evidence[0].ravel(), other.evidence[0].ravel())[0, 1]
    assert abs(alike) < 0.5


def test_a_tone_is_drawn_at_its_hertz_and_its_second(classifier: Classifier) -> None:
    rate = classifier.sampling_rate
    time = np.arange(2 * rate) / rate
    tone = np.sin(2 * np.pi * 1500 * time) * (np.abs(time - 1.2) < 0.1)
    tone += 0.1 * np.sin(2 * np.pi * 300 * time)  # from the start to the end
    found = network_input(tone.astype(np.float32), 3 * rate, classifier)
    mel = found.features[1]  # less each band's mean
    band = int(np.searchsorted(found.hertz, 1500)) - 1
    loud = found.times[:-1][mel[band] > mel[band].max() / 2]
    assert loud.min() == pytest.approx(4.1, abs=0.05)
    assert loud.max() == pytest.approx(4.3, abs=0.05)
    widths = np.diff(hz_to_mel(found.hertz))
    np.testing.assert_allclose(widths, widths[0])


def test_a_model_without_its_weights_has_no_gradients(tmp_path: Path, sample: Recording) -> None:
    copy = shutil.copy(default_model(), tmp_path / "mine.onnx")
    with pytest.raises(ModelError, match=r"mine\.onnx holds no gradients.*--run"):
        attribute(*sample, Classifier(copy))
    found = attribute(*sample, Classifier(copy), SHIPPED, steps=2)
    assert found.ranking


def test_the_command_draws_it(tmp_path: Path) -> None:
    plot = tmp_path / "why.png"
    command = ["explain", str(SAMPLES[0]), "--method", "gradients", "--plot", str(plot)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    assert "mostly" in result.stdout
    assert plot.exists()


def test_a_run_is_refused_for_occlusion(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["explain", str(SAMPLES[0]), "--run", str(tmp_path)])
    assert "occlusion needs the model file only" in str(result.exception)


def test_gradients_are_of_a_speakers_probabilities() -> None:
    signal, rate = soundfile.read(SAMPLES[0], dtype="float32")
    plain, adjusted = Classifier(), Classifier()
    adjusted.factors = np.array([4.0, *[1.0] * 7])
    found = [attribute(signal, rate, model, steps=2).probabilities for model in (plain, adjusted)]
    total = 1 + 3 * found[0]["neutral"]
    assert found[1]["neutral"] == pytest.approx(4 * found[0]["neutral"] / total, abs=1e-5)
    assert found[1]["sad"] == pytest.approx(found[0]["sad"] / total, abs=1e-5)
