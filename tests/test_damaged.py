"""Damaged files of runs, caches that cannot be written, labels that nothing was trained on."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audio_emotion.datasets import load_corpus
from audio_emotion.datasets.provenance import Provenance
from audio_emotion.errors import CorpusError, TrainingError
from audio_emotion.evaluation.protocols import build
from audio_emotion.training import checkpoints
from audio_emotion.training.cache import SignalCache
from audio_emotion.training.crossval import PROTOCOL, _claim, crossval
from audio_emotion.training.data import Batch
from audio_emotion.training.finish import val_logits
from audio_emotion.training.model import EmotionModel, load_best
from audio_emotion.training.module import TrainingModule
from audio_emotion.training.run import BEST, TrainingData, stored_data
from audio_emotion.training.train import _check_run, train
from conftest import OPTIONS, TRAINING_WARNINGS, tiny, voice

pytestmark = TRAINING_WARNINGS


def test_odd_cache_files_are_made_again(tmp_path: Path) -> None:
    cache, constant = SignalCache(tmp_path), np.full(100, 0.5, np.float32)
    cache.get("d", {}, lambda: constant)
    (path,) = tmp_path.rglob("*.npy")
    lie = path.read_bytes().replace(b"(100,), ", b"(9999999999999,), ")
    for content in (npy(np.zeros((2, 2), np.int16)), npy(np.zeros(9)), npy(np.int16(0)), lie, b""):
        path.write_bytes(content)
        np.testing.assert_allclose(cache.get("d", {}, lambda: constant), constant, atol=1e-4)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_a_cache_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "signals").write_text("a file in the way")
    cache, constant = SignalCache(tmp_path), np.full(100, 0.5, np.float32)
    with pytest.warns(UserWarning, match="decoded recordings are not cached"):
        np.testing.assert_allclose(cache.get("d", {}, lambda: constant), constant, atol=1e-4)
    cache.get("e", {}, lambda: constant)  # says it once


def test_a_batch_of_labels_that_were_not_trained_on_gives_no_nan() -> None:
    """As where a corpus has a label in its validation split alone."""
    config = tiny()
    weights = torch.ones(2, len(config.labels))
    weights[1, 3:] = 0
    weights = torch.cat([weights, torch.zeros(1, len(config.labels))])
    module = TrainingModule(config, EmotionModel.build(config.architecture), weights)
    labels = torch.tensor([5, 6, 1])
    batch = Batch(torch.zeros(3, 9), labels, torch.tensor([1, 1, 2]))
    targets, factors, allowed = module.targets(batch)
    logits = torch.randn(3, len(config.labels), requires_grad=True)
    loss = module.loss(logits, targets, factors, allowed)
    assert loss == 0
    loss.backward()
    assert torch.isfinite(logits.grad).all()  # type: ignore[arg-type]


def test_clips_of_labels_that_were_not_trained_on_calibrate_nothing() -> None:
    config = tiny()
    weights = torch.ones(1, len(config.labels))
    weights[0, 5] = 0
    module = TrainingModule(config, EmotionModel.build(config.architecture), weights)
    waveforms = torch.from_numpy(np.stack([voice(), voice()]))
    batch = Batch(waveforms, torch.tensor([5, 6]), torch.tensor([0, 0]))

    class Loaders:
        def val_dataloader(self) -> list[Batch]:
            return [batch]

    logits, labels, corpora = val_logits(module, Loaders())  # type: ignore[arg-type]
    assert labels.tolist() == [6]
    assert corpora.tolist() == [0]
    assert np.isneginf(logits[0, 5])
    assert np.isfinite(logits[0, 6])


def test_what_a_kill_left_does_not_make_a_folder_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / f".{PROTOCOL}.12345678.json").touch()
    _claim(tmp_path, {"protocol": "random"})
    assert (tmp_path / PROTOCOL).exists()
    (tmp_path / "run").mkdir()
    for name in ("data.json", ".config.12345678.yaml"):
        (tmp_path / "run" / name).touch()
    data = TrainingData("", "", "", "", Provenance(()))
    _check_run(tmp_path / "run", data, resume=False)
    (tmp_path / "run" / "notes.txt").touch()
    with pytest.raises(TrainingError, match="exists already"):
        _check_run(tmp_path / "run", data, resume=False)


def test_damaged_results_of_a_cross_validation_are_said_in_words(tmp_path: Path) -> None:
    for content in ("", "[1]", "{" * 9):
        (tmp_path / PROTOCOL).write_text(content)
        with pytest.raises(TrainingError, match=PROTOCOL if content != "[1]" else "begun with"):
            _claim(tmp_path, {"protocol": "random"})


@pytest.mark.parametrize("content", [{}, {"callbacks": 1, "state_dict": []}, {"state_dict": {}}])
def test_checkpoints_that_lack_something_are_damaged(
    reference_run: Path, tmp_path: Path, content: dict[str, Any]
) -> None:
    shutil.copytree(reference_run, tmp_path / "run")
    checkpoints.save(content, tmp_path / "run" / BEST)
    with pytest.raises(TrainingError, match="damaged"):
        load_best(tmp_path / "run")


def test_clips_that_cannot_be_decoded_are_left_out_of_everything(
    ravdess: Path, tmp_path: Path
) -> None:
    root = tmp_path / "c"
    shutil.copytree(ravdess, root)
    bad = [*sorted(root.rglob("*.wav"))[::16]]
    for path in bad:
        path.write_bytes(b"no audio: " + path.name.encode())
    corpus = load_corpus(root)
    protocol = build("grouped-3", corpus)
    config = tiny("train.epochs=1")
    with pytest.warns(UserWarning, match="clips") as caught:
        rows = crossval(corpus, protocol, config, tmp_path / "out", trainer_options=OPTIONS)
    said = " ".join(str(warning.message) for warning in caught)
    assert f"{len(bad)} unreadable clips are left out" in said
    assert "clips without a prediction are left out" in said
    names = {path.stem for path in bad}
    trained = stored_data(tmp_path / "out" / "fold-1").provenance
    assert not names & {use.clip for use in trained.uses}
    assert len(trained.uses) == len(corpus.clips) - len(bad)
    assert sum(map(len, rows.values())) == len(corpus.clips) - len(bad)


def test_a_corpus_without_a_clip_that_can_be_decoded_makes_no_folder(tmp_path: Path) -> None:
    for number in range(8):
        path = tmp_path / "c" / f"03-01-0{number + 1}-01-01-01-01.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no audio " + bytes([number]))
    with (
        pytest.warns(UserWarning, match="8 unreadable clips"),
        pytest.raises(CorpusError, match=r"split .* is empty"),
    ):
        train(load_corpus(tmp_path / "c"), tiny(), tmp_path / "run")
    assert not (tmp_path / "run").exists()
