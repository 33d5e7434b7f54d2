"""The model file, its metadata, and the classifier that runs it."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
import torch

from audio_emotion import EMOTIONS, Classifier, resample
from audio_emotion.datasets import load_corpus
from audio_emotion.errors import AudioError, ModelError, TrainingError
from audio_emotion.inference.model_file import default_model, parse_info
from audio_emotion.training.explanation.inputs import network_input
from audio_emotion.training.export import (
    ExportedModel,
    export,
    export_weights,
    fuse_batch_norms,
    round_weights,
)
from audio_emotion.training.model import TrainedModel, find_model, load_model
from audio_emotion.training.run import MODEL
from conftest import RATE, TRAINING_WARNINGS, voice

pytestmark = TRAINING_WARNINGS
AGREEMENT = 1e-4  # of probabilities between PyTorch and ONNX Runtime
FUSING = 2e-3  # of probabilities between weights stored as fp16 before and after fusing batch norms


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def probabilities(trained: TrainedModel, batch: np.ndarray) -> np.ndarray:
    """What the saved model predicts, without anything of the export."""
    with torch.inference_mode():
        logits = trained.model(torch.from_numpy(batch.copy())) / trained.calibration.temperature
    found: np.ndarray = logits.softmax(1).numpy()
    return found


def bytes_per_weight(path: Path) -> float:
    tensors = [t for t in onnx.load(path).graph.initializer if t.name.startswith("network.")]
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in tensors]
    return sum(a.nbytes for a in arrays) / sum(a.size for a in arrays)


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_onnx_and_pytorch_agree(
    reference_run: Path, tmp_path: Path, recording: tuple[np.ndarray, int], precision: str
) -> None:
    export(reference_run, tmp_path / "model.onnx", precision)  # type: ignore[arg-type]
    trained = find_model(reference_run)
    if precision == "fp16":
        fuse_batch_norms(trained.model.network)
        round_weights(trained.model.network)
    classifier = Classifier(tmp_path / "model.onnx")
    bytes_each = {"fp16": 2, "fp32": 4}[precision]
    assert bytes_per_weight(classifier.path) == pytest.approx(bytes_each, rel=0.02)
    signal = resample(*recording, classifier.sampling_rate)
    for batch in (signal[None], np.stack([signal, signal[::-1]]), signal[None, :1000]):
        found = classifier._run(np.ascontiguousarray(batch))
        np.testing.assert_allclose(found[0], probabilities(trained, batch), atol=AGREEMENT)
        with torch.inference_mode():
            start, length = trained.model.frontend.extent(torch.from_numpy(batch.copy()))
        first, end = start.clamp(min=0), (start + length).clamp(max=batch.shape[1])
        np.testing.assert_array_equal(found[1], torch.cat([first, end - first], 1))


def test_the_small_network_predicts_the_same_in_onnx_at_any_batch_size(
    default_run: Path, default_onnx: Path, recording: tuple[np.ndarray, int]
) -> None:
    classifier, trained = Classifier(default_onnx), find_model(default_run)
    signal = resample(*recording, classifier.sampling_rate)
    for batch in (signal[None], np.stack([signal] * 3), signal[None, :5000]):
        expected = probabilities(trained, batch)
        np.testing.assert_allclose(classifier.windows(batch), expected, atol=AGREEMENT)


def test_short_signals_are_predicted_as_in_the_whole_window(
    default_run: Path, default_onnx: Path
) -> None:
    """The file looks no further than a short signal can matter; training takes the window."""
    classifier, trained = Classifier(default_onnx), find_model(default_run)
    rng = np.random.default_rng(0)
    for dur in (0.01, 0.3, 1.0, 2.0, 2.1, 3.3, 4.0):
        size = (2, round(dur * classifier.sampling_rate))
        noise = rng.standard_normal(size).astype(np.float32)
        expected = probabilities(trained, noise)
        np.testing.assert_allclose(classifier.windows(noise), expected, atol=AGREEMENT)
    for first in (8000, 12_000, 16_000):  # speech up to both ends, whose extent goes beyond them
        cut = voice(2.0)[None, first : first + 16_000]
        expected = probabilities(trained, cut)
        np.testing.assert_allclose(classifier.windows(cut), expected, atol=AGREEMENT)


def test_the_shipped_weights_agree_with_the_shipped_model_file(
    recording: tuple[np.ndarray, int], classifier: Classifier
) -> None:
    trained = find_model(Path("default"))
    signal = resample(*recording, classifier.sampling_rate)[None]
    expected = probabilities(trained, signal)
    np.testing.assert_allclose(classifier.windows(signal), expected, atol=FUSING)
    assert trained.architecture.labels == classifier.labels
    assert trained.calibration == classifier.info.calibration
    assert trained.data.provenance.compact() == classifier.info.provenance
    assert classifier.info.fitted.count("train") > 7000


def test_batch_norms_fold_without_a_trace(reference_run: Path) -> None:
    features = torch.randn(2, 2, 64, 64)
    plain, fused = (find_model(reference_run).model.network for _ in "ab")
    fuse_batch_norms(fused)
    torch.testing.assert_close(plain(features), fused(features), atol=1e-4, rtol=1e-4)


def test_the_spectrum_by_matrices_is_that_of_the_transform(default_run: Path) -> None:
    model = find_model(default_run).model
    signal = torch.from_numpy(resample(voice(), RATE, 16_000))[None]
    with torch.inference_mode():
        by_matrices, by_transform = (
            ExportedModel(model, matrices=matrices)(signal)[0] for matrices in (True, False)
        )
    torch.testing.assert_close(by_matrices, by_transform, atol=AGREEMENT, rtol=0)


def test_metadata_hold_what_readers_need(model: Path) -> None:
    info = Classifier(model).info
    assert info.labels == EMOTIONS
    assert info.win_dur == 3.5
    assert info.name == "reference"
    assert "CC BY-NC-SA 4.0" in info.licence
    assert info.frontend["n_mels"] == 64
    assert sum(info.fitted.count(split) for split in ("train", "val", "test")) == 49
    assert info.scores["epoch"] >= 1


def test_no_path_of_this_machine_travels_with_the_model(model: Path) -> None:
    content = model.read_bytes()
    assert b".py" not in content
    assert str(Path.home()).encode() not in content


def metadata(**changes: Any) -> dict[str, str]:
    """Metadata of the shipped model with some values changed; None leaves one out."""
    values = Classifier().info.to_metadata() | changes
    return {key: value for key, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "'labels': Field required"),
        ({"labels": '"happy"'}, "'labels'"),
        ({"labels": '["happy", "happy"]'}, "two or more different"),
        ({"labels": '["happy"]'}, "two or more different"),
        *(
            ({"labels": json.dumps([label, "sad"])}, "is not 1 to 40 letters")
            for label in ("<b>", 'a"b', "a\nb", "a --> b", "[red]", "a|b", "", "x" * 41)
        ),
        ({"sampling_rate": "lots"}, "'sampling_rate'"),
        ({"sampling_rate": "5"}, "'sampling_rate'"),
        ({"win_dur": "NaN"}, "'win_dur'"),
        ({"calibration": '{"temperature": 0}'}, "'calibration.temperature'"),
        ({"calibration": '{"threshold": NaN}'}, "'calibration.threshold'"),
        ({"scores": '{"val_f1": Infinity}'}, "'scores.val_f1'"),
        ({"provenance": "{}"}, "train of the provenance is missing"),
        ({"provenance": "[]"}, "'provenance'"),
        ({"format": "audio-emotion-2"}, "of format 'audio-emotion-2', not 'audio-emotion-3'"),
        ({"format": None}, "an ONNX model of another program"),
    ],
)
def test_bad_metadata_are_refused_in_words(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_info(metadata(**changes), "mine.onnx")


def test_outputs_of_another_shape_are_refused(tmp_path: Path) -> None:
    """With seven labels for eight probabilities, every name would be wrong."""
    graph = onnx.load(default_model())
    kept = {e.key: e.value for e in graph.metadata_props if e.key != "enrolment"}
    onnx.helper.set_model_props(graph, kept | {"labels": json.dumps(EMOTIONS[:7])})
    onnx.save(graph, tmp_path / "seven.onnx")
    with pytest.raises(ModelError, match=r"seven\.onnx.*probabilities"):
        Classifier(tmp_path / "seven.onnx")(voice(), RATE)
    graph.graph.output[1].name = "something"
    for node in graph.graph.node:
        node.output[:] = ["something" if name == "extent" else name for name in node.output]
    onnx.save(graph, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="does not map waveform to probabilities, extent, voicing"):
        Classifier(tmp_path / "other.onnx")


def test_bad_model_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model file"):
        Classifier(tmp_path / "none.onnx")
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"bad\.onnx is not a readable ONNX model"):
        Classifier(path)


def test_temperature_and_threshold_travel_with_the_model(
    reference_run: Path, model: Path, tmp_path: Path
) -> None:
    stored = find_model(reference_run)
    halved = {"temperature": stored.calibration.temperature / 2, "threshold": 0.01}
    calibration = stored.calibration.model_copy(update=halved)
    changed = TrainedModel(stored.model, stored.architecture, stored.data, calibration)
    changed.save(tmp_path / "weights.safetensors")
    export(tmp_path / "weights.safetensors", tmp_path / "model.onnx")
    plain, sharper = (Classifier(path)(voice(), RATE) for path in (model, tmp_path / "model.onnx"))
    before, after = (np.array(list(p.probabilities.values())) for p in (plain, sharper))
    np.testing.assert_allclose(after, before**2 / (before**2).sum(), atol=1e-4)
    assert sharper.confident
    assert sharper.threshold == 0.01


def test_integers_need_training_clips_and_give_nearly_the_same(
    default_run: Path,
    default_onnx: Path,
    ravdess: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("audio_emotion.training.export.CLIPS", 8)  # to measure ranges: enough here
    with pytest.raises(TrainingError, match="name their corpus with --data"):
        export(default_run, tmp_path / "small.onnx", "int8")
    export(default_run, tmp_path / "small.onnx", "int8", load_corpus(ravdess))
    found, plain = (Classifier(path) for path in (tmp_path / "small.onnx", default_onnx))
    weights = [t for t in onnx.load(found.path).graph.initializer if t.data_type == 3]
    assert sum(onnx.numpy_helper.to_array(t).size for t in weights) > 50_000
    expected = plain(voice(), RATE).probabilities
    assert found(voice(), RATE).probabilities == pytest.approx(expected, abs=0.05)


def test_a_safetensors_file_holds_the_whole_model(default_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    export_weights(default_run, path)
    assert path.stat().st_size < 1e6
    full, half = load_model(default_run / MODEL), load_model(path)
    assert (half.architecture, half.data, half.calibration, half.scores) == (
        *(full.architecture, full.data, full.calibration, full.scores),
    )
    for name, value in full.model.state_dict().items():
        tolerance = 1e-3 if name.startswith("network.") else 0
        torch.testing.assert_close(
            half.model.state_dict()[name], value, atol=tolerance, rtol=tolerance, check_dtype=False
        )


def test_the_drawn_features_are_those_of_the_model(default_run: Path, default_onnx: Path) -> None:
    classifier = Classifier(default_onnx)
    signal = resample(voice(), RATE, classifier.sampling_rate)
    with torch.inference_mode():
        expected, _ = find_model(default_run).model.frontend(torch.from_numpy(signal)[None])
    found = network_input(signal, 0, classifier)
    np.testing.assert_allclose(found.features, expected[0], atol=1e-5)
    assert found.names == ("mel", "mel less each band's mean")


def test_the_shipped_model_gives_probabilities(classifier: Classifier) -> None:
    prediction = classifier(voice(), RATE)
    assert tuple(prediction.probabilities) == EMOTIONS
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.duration == pytest.approx(len(voice()) / RATE)
    assert prediction.confidence == max(prediction.probabilities.values())


def test_file_bytes_and_signal_give_the_same(wav: Path, classifier: Classifier) -> None:
    signal, rate = soundfile.read(wav, dtype="float32")
    predictions = [
        classifier.file(wav),
        classifier.file(wav.read_bytes()),
        classifier(signal, rate),
    ]
    assert predictions[0] == predictions[1] == predictions[2]


def test_level_and_integer_samples_change_nothing(classifier: Classifier) -> None:
    expected = classifier(voice(), RATE).probabilities
    integers = np.round(voice() * 32_767).astype(np.int16)
    for signal in (voice() / 10, voice().astype(np.float64), integers):
        found = classifier(signal, RATE).probabilities
        assert found == pytest.approx(expected, abs=0.02)


def test_silent_ends_change_nothing(classifier: Classifier) -> None:
    rate = classifier.sampling_rate
    silence = np.zeros(4 * 2048, np.float32)  # whole frames, so that none is cut differently
    expected = classifier(voice(), rate).probabilities
    found = classifier(np.concatenate([silence, voice(), silence]), rate).probabilities
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("signal", "rate", "message"),
    [
        (np.zeros((2, 100)), RATE, r"shape \(2, 100\)"),
        (np.zeros(0), RATE, "no samples"),
        (np.array([np.nan, 0.0]), RATE, "NaN"),
        (np.array(["a"]), RATE, "non-numeric"),
        (np.zeros(10), 0, "the sampling rate is 0"),
    ],
)
def test_bad_signals_are_refused(
    signal: np.ndarray, rate: int, message: str, classifier: Classifier
) -> None:
    with pytest.raises(AudioError, match=message):
        classifier(signal, rate)


@pytest.mark.parametrize("gain", [1e-3, 1e-2, 10.0, 100.0])
def test_gain_changes_nothing(gain: float, classifier: Classifier) -> None:
    expected = classifier(voice(), RATE).probabilities
    found = classifier(voice() * gain, RATE).probabilities
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_copy_of_a_classifier_predicts_the_same(classifier: Classifier) -> None:
    expected = classifier(voice(), RATE)
    for other in (pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)):
        assert other(voice(), RATE) == expected
        assert other.path == classifier.path
