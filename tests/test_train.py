"""Training: learns, repeats itself, survives a kill to the same weights, refuses in words."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from audio_emotion import Classifier
from audio_emotion.config import Config, load_config
from audio_emotion.corpora import load_corpus
from audio_emotion.errors import CorpusError, StoppedError, TrainingError
from audio_emotion.evaluation.evaluate import evaluate
from audio_emotion.lab import checkpoints
from audio_emotion.lab.cache import SignalCache
from audio_emotion.lab.data import Batch, EpochSampler, Item
from audio_emotion.lab.export import export, export_weights, load_model
from audio_emotion.lab.history import COLUMNS
from audio_emotion.lab.module import EmotionModule
from audio_emotion.lab.run import (
    begin_from,
    best_of,
    load_weights,
    save_weights,
    stored_config,
)
from audio_emotion.lab.train import class_weights, computes_bf16, train
from audio_emotion.lab.tune import best_score
from conftest import RATE, voice

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*litlogger.*"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec.*"),
]
TINY = [
    *("network.width=0.05", "train.workers=0", "train.batch_size=8", "split.val=0.2"),
    *("frontend.n_mels=64", "frontend.hop_length=1024", "train.coarse_epochs=0"),
    *("augment.renditions=1", "train.patience=99", "train.precision=32-true", "train.average=0"),
]


def tiny(*overrides: str) -> Config:
    return load_config("source", [*TINY, *overrides])


def weights(run: Path, name: str = "last") -> dict[str, torch.Tensor]:
    checkpoint = checkpoints.load(run / "checkpoints" / f"{name}.safetensors")
    state: dict[str, torch.Tensor] = checkpoint["state_dict"]
    return state


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of weights are equal to the last bit."""
    return first.keys() == second.keys() and all(
        torch.equal(first[key], second[key]) for key in first
    )


def command(data: Path, run: Path, *more: str) -> list[str]:
    sets = [part for override in TINY for part in ("--set", override)]
    program = "from audio_emotion.cli.app import main; main()"
    train_ = [sys.executable, "-c", program, "train", "--data", str(data), "--out", str(run)]
    return [*train_, *sets, "--set", "train.epochs=4", "--accelerator", "cpu", *more]


@pytest.fixture(scope="module")
def finished(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four epochs, never interrupted, in a process of its own."""
    run = tmp_path_factory.mktemp("finished") / "run"
    env = {**os.environ, "AUDIO_EMOTION_CACHE": str(tmp_path_factory.getbasetemp() / "cache")}
    subprocess.run(command(ravdess, run), check=True, env=env, capture_output=True)
    return run


def test_a_run_folder_holds_what_it_promises(finished: Path) -> None:
    for name in ("config.yaml", "data.json", "split.csv", "history.csv", "curves.png"):
        assert (finished / name).stat().st_size > 0
    assert sorted(p.name for p in (finished / "checkpoints").iterdir()) == [
        "best.safetensors",
        "last.safetensors",
    ]
    assert list((finished / "tensorboard").glob("events*"))
    rows = list(csv.DictReader((finished / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert tuple(rows[0]) == COLUMNS
    assert stored_config(finished) == tiny("train.epochs=4")


def test_a_killed_run_resumes_to_the_same_weights(
    ravdess: Path, tmp_path: Path, finished: Path
) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(command(ravdess, run), stdout=subprocess.DEVNULL)
    last = run / "checkpoints" / "last.safetensors"
    deadline = time.monotonic() + 120
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    subprocess.run(command(ravdess, run, "--resume"), check=True, capture_output=True)
    for name in ("last", "best"):
        assert same(weights(run, name), weights(finished, name))
    mine, theirs = (
        [row.split(",")[3:] for row in (r / "history.csv").read_text().splitlines()]
        for r in (run, finished)
    )
    assert mine == theirs


def test_interrupt_ends_cleanly_with_a_checkpoint(ravdess: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        command(ravdess, run, "--set", "train.epochs=200"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "epoch 1/" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume goes on" in err
    assert "Traceback" not in err
    assert weights(run)
    assert not [p for p in run.rglob(".*") if p.is_file()]


def test_an_existing_run_is_not_overwritten(ravdess: Path, finished: Path) -> None:
    with pytest.raises(TrainingError, match="pass --resume"):
        train(load_corpus(ravdess), tiny(), finished)


def test_resume_needs_a_run_on_the_same_clips(
    ravdess: Path, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="not the folder of a training"):
        train(load_corpus(ravdess), tiny(), tmp_path, resume=True)
    songs = load_corpus(ravdess / "Audio_Speech_Actors_01-24")
    with pytest.raises(TrainingError, match="other clips"):
        train(songs, tiny(), finished, resume=True)


def test_a_run_can_start_from_the_weights_of_another(
    ravdess: Path, finished: Path, tmp_path: Path
) -> None:
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    config = tiny("train.epochs=1", "train.lr=1e-12")
    train(load_corpus(ravdess), config, tmp_path / "run", init=[finished], trainer_options=options)
    before, after = weights(finished, "best"), weights(tmp_path / "run")
    for name in before:
        if "running" not in name and "tracked" not in name:
            torch.testing.assert_close(before[name], after[name], atol=1e-6, rtol=0)
    wider = tiny("network.width=0.1")
    with pytest.raises(TrainingError, match="of another network"):
        train(load_corpus(ravdess), wider, tmp_path / "other", init=[finished])
    assert not (tmp_path / "other").exists()


def test_a_run_can_start_from_the_mean_of_several(finished: Path) -> None:
    best, last = (finished / "checkpoints" / f"{name}.safetensors" for name in ("best", "last"))
    module = EmotionModule(tiny())
    begin_from([best, last, last], module)
    found = module.network.state_dict()
    for name, value in found.items():
        one, other = (weights(finished, w)[f"network.{name}"].double() for w in ("best", "last"))
        expected = ((one + 2 * other) / 3).to(value.dtype)
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)


def test_no_epochs_make_the_mean_a_run_of_its_own(
    ravdess: Path, finished: Path, tmp_path: Path
) -> None:
    """Calibrated and exported as any other, and the same after a kill."""
    best, last = (finished / "checkpoints" / f"{name}.safetensors" for name in ("best", "last"))
    config, corpus = tiny("train.epochs=0"), load_corpus(ravdess)
    run = tmp_path / "mean"
    train(corpus, config, run, init=[best, last])
    expected = EmotionModule(config)
    begin_from([best, last], expected)
    for name, value in expected.network.state_dict().items():
        assert torch.equal(weights(run, "best")[f"network.{name}"], value)
    calibration = (run / "calibration.json").read_text()
    (run / "calibration.json").unlink()
    train(corpus, config, run, resume=True)
    assert (run / "calibration.json").read_text() == calibration
    export(run, tmp_path / "mean.onnx")
    assert len(Classifier(tmp_path / "mean.onnx")(np.zeros(RATE), RATE).probabilities) == 8
    with pytest.raises(TrainingError, match="of which there are none"):
        train(corpus, config, tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_weights_go_on_with_a_picture_of_the_pitch(tmp_path: Path) -> None:
    """At first they answer as if it were not there."""
    torch.manual_seed(0)
    before, after = (
        EmotionModule(load_config("voice", [f"frontend.features={features}", "network.width=0.25"]))
        for features in ("contrast", "pitch")
    )
    before.frontend.deviation.uniform_(1, 9)
    after.frontend.deviation.fill_(5)  # of the pitch, which nobody has told yet
    save_weights(before, tmp_path / "before.safetensors")
    begin_from([tmp_path / "before.safetensors"], after)
    clip = torch.from_numpy(voice())[None]
    torch.testing.assert_close(before.eval().logits(clip), after.eval().logits(clip))
    assert after.frontend.deviation[2].eq(5).all()


def test_weights_go_on_with_labels_of_ones_own(
    ravdess: Path, finished: Path, tmp_path: Path
) -> None:
    """Rows of the last layer go by their names; what is new begins anew."""
    labels = ("happy", "bored", "sad")
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    config = tiny("labels=happy,bored,sad", "train.class_weights=root", "train.epochs=1")
    corpus = load_corpus(ravdess, labels)
    with pytest.warns(UserWarning, match="figures on them flatter"):  # dealt anew
        train(corpus, config, tmp_path / "run", init=[finished], trainer_options=options)
    begun = checkpoints.load(tmp_path / "run" / "init.safetensors")["state_dict"]
    before = weights(finished, "best")
    for name in ("classifier.3.weight", "classifier.3.bias"):
        old, new = before[f"network.{name}"], begun[f"network.{name}"]
        assert len(new) == 3
        torch.testing.assert_close(new[[0, 2]], old[[2, 3]])
    for name in before:
        if "classifier.3" not in name and name in begun:
            torch.testing.assert_close(begun[name], before[name])
    export(tmp_path / "run", tmp_path / "mine.onnx")
    classifier = Classifier(tmp_path / "mine.onnx")
    assert classifier.labels == labels
    result = evaluate(classifier, corpus, "test")
    assert result["labels"] == list(labels)
    assert set(classifier(np.zeros(RATE), RATE).probabilities) == set(labels)
    export_weights(tmp_path / "run", tmp_path / "mine.safetensors")
    mine = checkpoints.load(tmp_path / "mine.safetensors")["state_dict"]
    for init in (tmp_path / "mine.safetensors", best_of(tmp_path / "run")):
        again = EmotionModule(tiny())
        begin_from([init], again)  # and back to the eight
        torch.testing.assert_close(
            again.network.state_dict()["classifier.3.bias"][[2, 3]],
            mine["network.classifier.3.bias"][[0, 2]].float(),
            atol=1e-3,
            rtol=0,
        )


def test_too_few_clips_are_refused(tmp_path: Path, wav: Path) -> None:
    (tmp_path / "c" / "sad").mkdir(parents=True)
    (tmp_path / "c" / "sad" / "a.wav").write_bytes(wav.read_bytes())
    with pytest.raises(CorpusError, match="too few"):
        train(load_corpus(tmp_path / "c"), tiny(), tmp_path / "run")


def test_loss_is_pytorchs_for_whole_targets() -> None:
    config = tiny("train.label_smoothing=0.1")
    factors = torch.tensor([1.3, 1.0, 2.0, 3.5, 1.0, 1.5, 2.0, 1.0])
    module = EmotionModule(config, factors[None])
    logits, labels = torch.randn(16, 8), torch.arange(16) % 8
    smoothed = torch.nn.functional.one_hot(labels, 8).float()
    per_clip = torch.nn.functional.cross_entropy(
        logits, labels, label_smoothing=0.1, reduction="none"
    )
    expected = (per_clip * factors[labels]).sum() / factors[labels].sum()
    everything = torch.ones(16, 8, dtype=torch.bool)
    torch.testing.assert_close(
        module._loss(logits, smoothed, factors[labels], everything), expected
    )


def test_labels_that_a_corpus_lacks_are_out_of_its_loss() -> None:
    factors = torch.ones(2, 8)
    factors[1, [1, 7]] = 0
    module = EmotionModule(tiny("train.label_smoothing=0.1"), factors)
    labels = torch.tensor([0, 3, 6])
    batch = Batch(torch.zeros(3, 9), labels, torch.ones(3, dtype=torch.long))
    logits = torch.randn(3, 8)
    kept = [0, 2, 3, 4, 5, 6]
    expected = torch.nn.functional.cross_entropy(
        logits[:, kept], torch.tensor([kept.index(int(n)) for n in labels]), label_smoothing=0.1
    )
    torch.testing.assert_close(module._loss(logits, *module._targets(batch)), expected)


def test_class_weights_as_scikit_learn(ravdess: Path) -> None:
    clips = load_corpus(ravdess).clips[5:]
    items = [Item(clip, "0" * 64, "train") for clip in clips]
    labels = np.array([int(clip.label) for clip in clips])
    expected = compute_class_weight("balanced", classes=np.arange(8), y=labels)
    found = class_weights(tiny("train.class_weights=balanced"), items)
    np.testing.assert_allclose(found, expected[None], rtol=1e-6)
    root = class_weights(tiny("train.class_weights=root"), items)
    np.testing.assert_allclose(root, np.sqrt(expected)[None], rtol=1e-6)
    (source,) = class_weights(tiny(), items).tolist()
    assert source == pytest.approx([1.3, 1, 2, 3.5, 1, 1.5, 2, 1])
    assert class_weights(tiny("train.class_weights=none"), items).tolist() == [[1.0] * 8]


def test_a_label_that_only_another_corpus_has_weighs_nothing(ravdess: Path) -> None:
    clips = load_corpus(ravdess).clips
    calm = [clip for clip in clips if clip.label.label == "calm"]
    others = [clip for clip in clips if clip.label.label != "calm"]
    items = [Item(c, "0" * 64, "train", 0) for c in clips] + [
        Item(c, "0" * 64, "train", 1) for c in others
    ]
    weights = class_weights(tiny("train.class_weights=none"), items)
    assert weights.tolist() == [[1.0] * 8, [1.0, 0.0, *[1.0] * 6]]
    tested = Item(others[0], "0" * 64, "test", 2)  # a corpus that is not trained on
    assert class_weights(tiny("train.class_weights=root"), [*items, tested]).isfinite().all()
    nobody = [item for item in items if item.clip not in calm]
    assert class_weights(tiny("train.class_weights=none"), nobody).all()


def test_sampler_deals_every_clip_once_over_the_ranks() -> None:
    dealt = [list(EpochSampler([0] * 10, seed=1, rank=rank, ranks=2)) for rank in range(2)]
    assert sorted(item for rank in dealt for _, item in rank) == list(range(10))
    sampler = EpochSampler([0] * 10, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert [item for _, item in sampler] != [item for _, item in first]
    assert {epoch for epoch, _ in sampler} == {1}


def test_sampler_draws_some_of_further_corpora_anew_in_each_epoch() -> None:
    sampler = EpochSampler([0] * 10 + [1] * 90, seed=1, further=0.5)
    epochs = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        items = [item for _, item in sampler]
        assert len(items) == len(sampler) == 15
        assert sorted(items)[:10] == list(range(10))
        epochs.append({item for item in items if item >= 10})
    assert len(epochs[0]) == len(epochs[1]) == 5
    assert epochs[0] != epochs[1]
    assert len(EpochSampler([0] * 10 + [1] * 90, seed=1)) == 100


def test_the_running_mean_is_kept_judged_and_resumed(ravdess: Path, tmp_path: Path) -> None:
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    train(load_corpus(ravdess), tiny("train.epochs=1", "train.average=0.9"), tmp_path / "run",
          trainer_options=options)  # fmt: skip
    state = weights(tmp_path / "run")
    name = "classifier.3.weight"
    assert not torch.equal(state[f"average.{name}"], state[f"network.{name}"])
    judged = load_model(tmp_path / "run").network.state_dict()[name]
    assert torch.equal(judged, state[f"average.{name}"])
    plain = EmotionModule(tiny())  # a run without a mean can start from one with it
    load_weights(best_of(tmp_path / "run"), plain)
    assert torch.equal(plain.network.state_dict()[name], judged)


def test_the_best_epoch_is_of_the_highest_f1_or_where_asked_of_the_least_loss(
    ravdess: Path, tmp_path: Path, finished: Path
) -> None:
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    config = tiny("train.epochs=3", "train.best_by=loss", "train.coarse_epochs=1")
    run = train(load_corpus(ravdess), config, tmp_path / "run", trainer_options=options).parents[1]
    losses = history(run, "val_loss")[1:]  # the first was coarse
    assert best_score(run) == pytest.approx(math.exp(-min(losses)), abs=2e-5)
    assert best_score(finished) == pytest.approx(max(history(finished, "val_f1")), abs=2e-5)


def history(run: Path, column: str) -> list[float]:
    with (run / "history.csv").open() as file:
        return [float(row[column]) for row in csv.DictReader(file)]


class _Swallowing(L.Callback):
    """Presses Ctrl-C where what it raises is lost, as in a destructor."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)


def test_an_interrupt_that_is_swallowed_ends_the_training_all_the_same(
    ravdess: Path, tmp_path: Path
) -> None:
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(StoppedError, match="--resume goes on"):
        train(load_corpus(ravdess), tiny("train.epochs=3"), tmp_path / "run",
              watch=_Swallowing(), trainer_options=options)  # fmt: skip
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 2
    assert signal.getsignal(signal.SIGINT) is before


class _Killed(L.Callback):
    """Ends a training before the epoch of this number, from 0."""

    def __init__(self, before: int) -> None:
        self.before = before

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch == self.before:
            raise RuntimeError("killed")


@pytest.mark.parametrize("before", [2, 3])
def test_fine_epochs_have_a_cycle_of_their_own_that_resumes(
    before: int, ravdess: Path, tmp_path: Path
) -> None:
    """Stopped where the second cycle is to begin, and within it."""
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    config = tiny("train.epochs=4", "train.coarse_epochs=2", "train.lr=1e-3", "train.fine_lr=1e-4")
    corpus = load_corpus(ravdess)
    train(corpus, config, tmp_path / "whole", trainer_options=options)
    with pytest.raises(RuntimeError, match="killed"):
        train(corpus, config, tmp_path / "run", trainer_options=options, watch=_Killed(before))
    train(corpus, config, tmp_path / "run", trainer_options=options, resume=True)
    assert same(weights(tmp_path / "run"), weights(tmp_path / "whole"))
    rows = list(csv.DictReader((tmp_path / "whole" / "history.csv").read_text().splitlines()))
    rates = [float(row["lr"]) for row in rows]
    assert rates[0] > rates[1]
    assert rates[:2] == pytest.approx([10 * rate for rate in rates[2:]])


def test_a_run_keeps_the_precision_of_the_machine_that_began_it(
    ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audio_emotion.lab.train.computes_bf16", lambda: False)
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    config = tiny("train.epochs=1", "train.precision=auto")
    train(load_corpus(ravdess), config, tmp_path / "run", trainer_options=options)
    assert stored_config(tmp_path / "run").train.precision == "32-true"


@pytest.mark.parametrize(
    ("found", "expected"),
    [({"avx2": True}, False), ({"avx512_bf16": True}, True), ({"avx512_bf16": False}, False)],
)
def test_a_processor_without_its_instructions_does_not_compute_in_bf16(
    found: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert computes_bf16() is expected


def test_voices_that_were_calibrated_are_in_the_run(finished: Path) -> None:
    found = json.loads((finished / "calibration.json").read_text())
    assert found["temperature"] > 0
    assert found["clips"] == json.loads((finished / "data.json").read_text())["clips"]["val"]


def test_checkpoint_round_trip_keeps_types(tmp_path: Path) -> None:
    tree = {"a": torch.arange(3), 1: [None, True, 2.5, ("x", torch.zeros(()))], "e": {}}
    checkpoints.save(tree, tmp_path / "c.safetensors")
    loaded = checkpoints.load(tmp_path / "c.safetensors")
    assert torch.equal(loaded["a"], tree["a"])
    assert loaded[1][:3] == [None, True, 2.5]
    assert isinstance(loaded[1][3], tuple)
    assert loaded["e"] == {}


def test_checkpoint_refuses_what_it_cannot_restore(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot hold a set"):
        checkpoints.save({"a": {1, 2}}, tmp_path / "c.safetensors")
    (tmp_path / "c.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        checkpoints.load(tmp_path / "c.safetensors")


def test_cache_key_knows_content_and_settings(tmp_path: Path) -> None:
    cache = SignalCache(tmp_path)
    one, other = np.full(9, 0.25, np.float32), np.full(9, 0.5, np.float32)
    assert cache.get("digest", {"sampling_rate": 1}, lambda: one)[0] == pytest.approx(
        0.25, abs=1e-4
    )
    for digest, rate, expected in [("digest", 1, 0.25), ("digest", 2, 0.5), ("changed", 1, 0.5)]:
        found = cache.get(digest, {"sampling_rate": rate}, lambda: other)
        assert found[0] == pytest.approx(expected, abs=1e-4)


def test_a_damaged_cache_file_is_made_again(tmp_path: Path) -> None:
    cache = SignalCache(tmp_path)
    signal_ = np.full(9, 0.25, np.float32)
    cache.get("d", {}, lambda: signal_)
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(b"half")
    np.testing.assert_allclose(cache.get("d", {}, lambda: signal_), signal_, atol=1e-4)
