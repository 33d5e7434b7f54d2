"""The model file and the classifier that runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch

from audio_emotion import EMOTIONS, Classifier, resample
from audio_emotion.config import load_config
from audio_emotion.corpora import load_corpus
from audio_emotion.errors import AudioError, ModelError, TrainingError
from audio_emotion.lab.attribution import attribute
from audio_emotion.lab.export import (
    export,
    export_weights,
    fuse_batch_norms,
    load_model,
    round_weights,
)
from audio_emotion.lab.module import EmotionModule
from audio_emotion.lab.plots import draw_explanation
from audio_emotion.lab.run import best_of, load_weights, stored_config
from audio_emotion.lab.seen import seen
from audio_emotion.lab.train import train
from conftest import RATE, voice
from test_train import pytestmark as pytestmark
from test_train import tiny

AGREEMENT = 1e-4  # of probabilities between PyTorch and ONNX Runtime


@pytest.fixture(scope="module")
def run(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "run"
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    train(load_corpus(ravdess), tiny("train.epochs=1"), folder, trainer_options=options)
    return folder


@pytest.fixture(scope="module")
def model(run: Path) -> Path:
    path = run.parent / "model.onnx"
    export(run, path)
    return path


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_onnx_and_pytorch_agree(
    run: Path, tmp_path: Path, recording: tuple[np.ndarray, int], precision: str
) -> None:
    path = tmp_path / "model.onnx"
    export(run, path, precision)  # type: ignore[arg-type]
    reference = load_model(run)
    fuse_batch_norms(reference.network)
    if precision == "fp16":
        round_weights(reference.network)
    classifier = Classifier(path)
    signal = resample(*recording, classifier.sampling_rate)
    for batch in (signal[None], np.stack([signal, signal[::-1]]), signal[None, :1000]):
        with torch.inference_mode():
            expected = reference(torch.from_numpy(batch.copy()))
        found = classifier._run(np.ascontiguousarray(batch))
        np.testing.assert_allclose(found[0], expected[0], atol=AGREEMENT)
        np.testing.assert_array_equal(found[1], expected[1])


def test_batch_norms_fold_without_a_trace(run: Path) -> None:
    pictures, counted = torch.randn(2, 2, 64, 64), torch.ones(2, 64, dtype=torch.bool)
    plain, fused = load_model(run).network, load_model(run).network
    fuse_batch_norms(fused)
    torch.testing.assert_close(
        plain(pictures, counted), fused(pictures, counted), atol=1e-4, rtol=1e-4
    )


def test_metadata_tell_the_whole_story(model: Path, ravdess: Path) -> None:
    metadata = Classifier(model).metadata
    assert json.loads(metadata["labels"]) == list(EMOTIONS)
    assert float(metadata["win_dur"]) == 3.5
    assert "CC BY-NC-SA 4.0" in metadata["licence"]
    data = json.loads(metadata["training_data"])
    assert sum(data["clips"].values()) == 49
    assert len(data["fingerprint"]["test"]) == 64
    assert json.loads(metadata["scores"])["epoch"] == 1
    assert json.loads(metadata["config"])["network"]["width"] == 0.05


def test_no_path_of_this_machine_travels_with_the_model(model: Path) -> None:
    content = model.read_bytes()
    assert b".py" not in content
    assert str(Path.home()).encode() not in content


@pytest.fixture(scope="module")
def voice_run(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small network, one epoch."""
    folder = tmp_path_factory.mktemp("voice") / "run"
    config = load_config("voice", ["train.epochs=1", "network.width=0.25", "train.batch_size=8"])
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    train(load_corpus(ravdess), config, folder, trainer_options=options)
    return folder


def test_the_small_network_is_the_same_in_onnx_whatever_the_batch(
    voice_run: Path, tmp_path: Path, recording: tuple[np.ndarray, int]
) -> None:
    export(voice_run, tmp_path / "model.onnx", "fp32")
    classifier = Classifier(tmp_path / "model.onnx")
    reference = load_model(voice_run)
    signal = resample(*recording, classifier.sampling_rate)
    for batch in (signal[None], np.stack([signal] * 3), signal[None, :5000]):
        with torch.inference_mode():
            expected = reference(torch.from_numpy(batch.copy()))[0]
        np.testing.assert_allclose(classifier._run(batch)[0], expected, atol=AGREEMENT)


def test_short_signals_are_answered_as_in_the_whole_window(voice_run: Path, tmp_path: Path) -> None:
    """The file looks no further than a short signal goes; training looks at the whole window."""
    export(voice_run, tmp_path / "model.onnx", "fp32")
    module = EmotionModule(stored_config(voice_run)).eval()
    load_weights(best_of(voice_run), module)
    classifier, rng = Classifier(tmp_path / "model.onnx"), np.random.default_rng(0)
    for dur in (0.01, 0.3, 1.0, 2.0, 2.1, 3.3, 4.0):
        size = (2, round(dur * classifier.sampling_rate))
        noise = rng.standard_normal(size).astype(np.float32)
        with torch.inference_mode():
            logits = module.logits(torch.from_numpy(noise))
        expected = (logits / classifier.calibration["temperature"]).softmax(1)
        np.testing.assert_allclose(classifier.windows(noise), expected, atol=AGREEMENT)


def test_a_voice_is_seen_and_explained_at_its_pitch(voice_run: Path, tmp_path: Path) -> None:
    export(voice_run, tmp_path / "model.onnx", "fp32")
    classifier = Classifier(tmp_path / "model.onnx")
    rate = classifier.sampling_rate
    time = np.arange(rate) / rate
    waves = [np.sin(2 * np.pi * 180 * n * time + n * n) for n in range(1, 15)]
    signal = np.sum(waves, 0, dtype=np.float32) / 15
    found = seen(signal, 0, classifier)
    frontend = load_model(voice_run).frontend
    normal = torch.from_numpy(found.pictures[found.names.index("pitch")])
    row = (normal * frontend.deviation[2] + frontend.mean[2]).mean(1).argmax()
    assert found.pitches[row] < 180 < found.pitches[row + 1]
    explanation = attribute(signal, rate, classifier, voice_run, steps=2)
    told = dict(zip(classifier.labels, classifier.windows(signal[None])[0], strict=True))
    assert explanation.probabilities == pytest.approx(told, abs=1e-3)
    draw_explanation(signal, rate, explanation, classifier, tmp_path / "why.png")
    assert (tmp_path / "why.png").exists()


def test_temperature_and_threshold_travel_with_the_model(voice_run: Path, tmp_path: Path) -> None:
    path = voice_run / "calibration.json"
    stored = json.loads(path.read_text())
    sharper = stored | {"temperature": stored["temperature"] / 2, "threshold": 0.01}
    predictions = []
    for values in (stored, sharper):
        path.write_text(json.dumps(values))
        export(voice_run, tmp_path / "model.onnx", "fp32")
        predictions.append(Classifier(tmp_path / "model.onnx")(voice(), RATE))
    path.write_text(json.dumps(stored))
    before, after = (np.array(list(p.probabilities.values())) for p in predictions)
    np.testing.assert_allclose(after, before**2 / (before**2).sum(), atol=1e-4)
    assert predictions[1].confident
    assert predictions[1].threshold == 0.01


def test_integers_need_training_clips_and_give_nearly_the_same(
    voice_run: Path, ravdess: Path, tmp_path: Path, recording: tuple[np.ndarray, int]
) -> None:
    with pytest.raises(TrainingError, match="name their corpus with --data"):
        export(voice_run, tmp_path / "small.onnx", "int8")
    export(voice_run, tmp_path / "small.onnx", "int8", load_corpus(ravdess))
    export(voice_run, tmp_path / "plain.onnx", "fp32")
    small, plain = (Classifier(tmp_path / f"{n}.onnx") for n in ("small", "plain"))
    weights = [t for t in onnx.load(tmp_path / "small.onnx").graph.initializer if t.data_type == 3]
    assert sum(onnx.numpy_helper.to_array(t).size for t in weights) > 50_000
    for label, chance in plain(*recording).probabilities.items():
        assert small(*recording).probabilities[label] == pytest.approx(chance, abs=0.05)
    assert "/" not in (small.metadata["training_data"]).replace("RAVDESS/", "")


def test_a_checkpoint_alone_starts_another_run(
    voice_run: Path, ravdess: Path, tmp_path: Path
) -> None:
    export_weights(voice_run, tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").stat().st_size < 1e6
    module = EmotionModule(stored_config(voice_run))
    load_weights(tmp_path / "weights.safetensors", module)
    expected = load_model(voice_run)
    for name, value in expected.network.state_dict().items():
        torch.testing.assert_close(
            module.judged.state_dict()[name], value, atol=1e-3, rtol=1e-3, check_dtype=False
        )
    torch.testing.assert_close(module.frontend.mean, expected.frontend.mean)


def test_halves_halve_the_weights(run: Path, tmp_path: Path) -> None:
    sizes = {}
    for precision in ("fp16", "fp32"):
        path = tmp_path / f"{precision}.onnx"
        export(run, path, precision)  # type: ignore[arg-type]
        sizes[precision] = sum(
            onnx.numpy_helper.to_array(t).nbytes
            for t in onnx.load(path).graph.initializer
            if t.name.startswith("network.")
        )
    assert sizes["fp16"] < 0.52 * sizes["fp32"]


def test_shipped_model_gives_probabilities() -> None:
    prediction = Classifier()(voice(), RATE)
    assert tuple(prediction.probabilities) == EMOTIONS
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.duration == pytest.approx(len(voice()) / RATE)
    assert prediction.confidence == max(prediction.probabilities.values())


def test_file_bytes_and_signal_are_the_same(wav: Path) -> None:
    classifier = Classifier()
    signal, rate = soundfile.read(wav, dtype="float32")
    predictions = [
        classifier.file(wav),
        classifier.file(wav.read_bytes()),
        classifier(signal, rate),
    ]
    assert predictions[0] == predictions[1] == predictions[2]


def test_level_and_integer_samples_change_nothing() -> None:
    classifier = Classifier()
    expected = classifier(voice(), RATE).probabilities
    integers = np.round(voice() * 32_767).astype(np.int16)
    for signal in (voice() / 10, voice().astype(np.float64), integers):
        found = classifier(signal, RATE).probabilities
        assert found == pytest.approx(expected, abs=0.02)


def test_a_long_voice_is_the_mean_of_its_windows() -> None:
    classifier = Classifier()
    rate = classifier.sampling_rate
    tone = np.concatenate([voice(5, 120)[10_000:-10_000], voice(5, 300)[10_000:-10_000]])
    window, hop = round(3.5 * rate), round(1.75 * rate)
    starts = [*range(0, len(tone) - window, hop), len(tone) - window]
    assert len(starts) > 3
    tone[:2048] = tone[-2048:] = 0.2  # voiced to its very ends
    parts = [classifier(tone[start : start + window], rate).probabilities for start in starts]
    found = classifier(tone, rate).probabilities
    for label in EMOTIONS:
        assert found[label] == pytest.approx(np.mean([part[label] for part in parts]), abs=1e-5)


def test_silent_ends_change_nothing() -> None:
    classifier = Classifier()
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
        (np.zeros(10), 0, "must be positive"),
    ],
)
def test_bad_signals_are_refused(signal: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        Classifier()(signal, rate)


def test_silence_and_a_click_get_an_answer() -> None:
    classifier = Classifier()
    for signal in (np.zeros(RATE), np.ones(1)):
        total = sum(classifier(signal, RATE).probabilities.values())
        assert total == pytest.approx(1)


def test_bad_model_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file"):
        Classifier(tmp_path / "none.onnx")
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="not a readable ONNX model"):
        Classifier(path)
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    value = [onnx.helper.make_tensor_value_info(n, 1, [1]) for n in "xy"]
    foreign = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", value[:1], value[1:]),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.save(foreign, path)
    with pytest.raises(ModelError, match="not one of format"):
        Classifier(path)
