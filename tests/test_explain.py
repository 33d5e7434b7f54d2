"""Explanations: cells that can be taken out and put back, evidence that depends on the model."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from benchmarks.explain import deletion
from typer.testing import CliRunner

from audio_emotion import Classifier, explain, resample
from audio_emotion.cli.app import app
from audio_emotion.errors import AudioError
from audio_emotion.formats.plot import draw_timeline
from audio_emotion.inference.explain import BANDS, Cells
from audio_emotion.inference.model_file import default_model
from audio_emotion.timeline import timeline
from audio_emotion.training.explanation.plot import draw_explanation
from conftest import RATE, voice
from conftest import SAMPLES as FOLDER

SAMPLES = sorted(FOLDER.glob("*.flac"))
PNG = b"\x89PNG"


def level(signal: np.ndarray) -> float:
    return float(10 * np.log10(np.square(signal).mean()))


def test_nothing_taken_out_is_the_signal() -> None:
    signal = voice()
    cells = Cells(signal, RATE)
    np.testing.assert_allclose(cells.without(np.zeros(cells.shape, bool)), signal, atol=1e-5)


def test_a_cell_takes_out_its_seconds_and_its_frequencies_only() -> None:
    time = np.arange(2 * RATE) / RATE
    low, high = (np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (200, 4000))
    cells = Cells(low + high, RATE)
    row = int(np.searchsorted(cells.hertz, 4000)) - 1
    mask = np.zeros(cells.shape, bool)
    mask[row, : cells.shape[1] // 2] = True
    occluded = cells.without(mask)
    first, second = slice(RATE // 4, 3 * RATE // 4), slice(5 * RATE // 4, 7 * RATE // 4)
    assert level(occluded[first] - low[first]) < level(high) - 30
    np.testing.assert_allclose(occluded[second], (low + high)[second], atol=0.01)


def test_evidence_is_what_the_probability_loses() -> None:
    classifier = Classifier()
    signal, rate = soundfile.read(SAMPLES[0], dtype="float32")
    found = explain(signal, rate, classifier)
    start, end = (round(edge * classifier.sampling_rate) for edge in found.times[[0, -1]])
    window = resample(signal, rate, classifier.sampling_rate)[start:end]
    cells = Cells(window, classifier.sampling_rate)
    assert found.evidence.shape == (8, *cells.shape)
    assert found.evidence.shape[1] == BANDS
    mask = np.zeros(cells.shape, bool)
    mask[3, 2] = True
    without = classifier.windows(cells.without(mask)[None])[0]
    for n, label in enumerate(found.labels):
        assert found.evidence[n, 3, 2] == pytest.approx(
            found.probabilities[label] - without[n], abs=1e-4
        )
    np.testing.assert_allclose(found.evidence.sum(0), 0, atol=1e-4)  # probabilities sum to one
    assert found.sentence().startswith(found.ranking[0])


def test_what_the_map_points_at_matters_more_than_chance() -> None:
    classifier, lost = Classifier(), []
    for path in SAMPLES[:3]:
        recording = soundfile.read(path, dtype="float32")
        lost.append(deletion(*recording, classifier, explain(*recording, classifier)))
    top, chance = np.mean(lost, 0)
    assert top > 2 * max(chance, 0.01)


def test_another_models_map_is_another(tmp_path: Path) -> None:
    """Parameter randomisation: a map that ignored the weights would stay (Adebayo et al., 2018)."""
    graph = onnx.load(default_model())
    rng = np.random.default_rng(0)
    for tensor in graph.graph.initializer:
        if tensor.name.startswith("network.") and len(tensor.dims) > 1:
            values = onnx.numpy_helper.to_array(tensor)
            shuffled = rng.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(onnx.numpy_helper.from_array(shuffled, tensor.name))
    onnx.save(graph, tmp_path / "shuffled.onnx")
    signal, rate = soundfile.read(SAMPLES[0], dtype="float32")
    found = explain(signal, rate)
    other = explain(signal, rate, Classifier(tmp_path / "shuffled.onnx"))
    label = found.ranking[0]
    alike = np.corrcoef(found.of(label).ravel(), other.of(label).ravel())[0, 1]
    assert abs(alike) < 0.5


def test_plots_are_drawn(tmp_path: Path) -> None:
    signal, rate = soundfile.read(SAMPLES[0], dtype="float32")
    draw_explanation(signal, rate, explain(signal, rate), Classifier(), tmp_path / "why.png")
    draw_timeline(timeline(signal, rate), tmp_path / "when.png")
    for name in ("why", "when"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(PNG)


def test_the_command_says_it_in_words(tmp_path: Path) -> None:
    plot = tmp_path / "why.png"
    result = CliRunner().invoke(app, ["explain", str(SAMPLES[0]), "--plot", str(plot)])
    assert result.exit_code == 0
    assert "mostly" in result.stdout
    assert plot.exists()


def test_silence_has_nothing_to_explain() -> None:
    with pytest.raises(AudioError, match="nobody speaks or sings, so there is nothing to explain"):
        explain(np.zeros(RATE), RATE)
