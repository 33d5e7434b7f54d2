"""Training: learns, repeats itself, survives a kill to the same weights, refuses in words."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from sklearn.utils.class_weight import compute_class_weight
from torch.utils.data import DataLoader

from audio_emotion import Classifier
from audio_emotion.datasets import Clip, load_corpus
from audio_emotion.errors import ConfigError, CorpusError, StoppedError, TrainingError
from audio_emotion.evaluation.evaluate import evaluate
from audio_emotion.labels import Emotion
from audio_emotion.training import checkpoints
from audio_emotion.training.cache import SignalCache
from audio_emotion.training.callbacks import COLUMNS, move
from audio_emotion.training.data import (
    SINGLE_LABEL_RECALL,
    Batch,
    Clips,
    ClipsModule,
    DeviceLoader,
    DeviceSignals,
    EpochSampler,
    Item,
    class_weights,
)
from audio_emotion.training.export import export, export_weights
from audio_emotion.training.finish import biases
from audio_emotion.training.model import (
    EmotionModel,
    find_model,
    initialise,
    load_best,
    load_model,
)
from audio_emotion.training.module import TrainingModule
from audio_emotion.training.run import BEST, INIT, LAST, MODEL, stored_config
from audio_emotion.training.train import computes_bf16, train
from conftest import OPTIONS, RATE, TINY, TRAINING_WARNINGS, small, tiny, voice

pytestmark = TRAINING_WARNINGS


def state(path: Path) -> dict[str, torch.Tensor]:
    """Weights of a checkpoint, without a moving average those of the last step."""
    weights: dict[str, torch.Tensor] = checkpoints.load(path)["state_dict"]
    return weights


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Return whether two sets of weights are equal to the last bit."""
    return first.keys() == second.keys() and all(
        torch.equal(first[key], second[key]) for key in first
    )


def command(data: Path, run: Path, *settings: str) -> list[str]:
    """A training with settings, or without any one that is resumed."""
    start = [sys.executable, "-m", "audio_emotion", "train", "--data", str(data), "--out", str(run)]
    sets = [part for override in (*TINY, *settings) for part in ("--set", override)]
    how = ["--config", "reference", *sets] if settings else ["--resume"]
    return [*start, "--accelerator", "cpu", *how]


def test_a_run_holds_what_its_description_promises(reference_run: Path) -> None:
    for name in ("config.yaml", "data.json", "history.csv", "curves.png", "model.safetensors"):
        assert (reference_run / name).stat().st_size > 0
    assert sorted(p.name for p in (reference_run / "checkpoints").iterdir()) == [
        "best.safetensors",
        "last.safetensors",
    ]
    assert list((reference_run / "tensorboard").glob("events*"))
    rows = list(csv.DictReader((reference_run / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert tuple(rows[0]) == COLUMNS
    assert stored_config(reference_run) == tiny("train.epochs=2")


def test_a_killed_run_resumes_to_the_same_weights(
    ravdess: Path, tmp_path: Path, reference_run: Path
) -> None:
    """Two processes of their own, since a kill and what MKL does at first are of a process."""
    run = tmp_path / "run"
    process = subprocess.Popen(command(ravdess, run, "train.epochs=2"), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (run / LAST).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    subprocess.run(command(ravdess, run), check=True, capture_output=True)
    for name in (BEST, LAST):
        assert same(state(run / name), state(reference_run / name))
    mine, theirs = (
        [row.split(",")[3:] for row in (r / "history.csv").read_text().splitlines()]
        for r in (run, reference_run)
    )
    assert mine == theirs
    assert load_model(run / MODEL).calibration == load_model(reference_run / MODEL).calibration


def test_ctrl_c_ends_cleanly_and_keeps_a_checkpoint(ravdess: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        command(ravdess, run, "train.epochs=200"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "epoch 1/" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume continues it" in err
    assert "Traceback" not in err
    assert state(run / LAST)
    assert not [p for p in run.rglob(".*") if p.is_file()]
    with pytest.warns(UserWarning, match="has not ended"):
        assert find_model(run).calibration.clips == 0


def test_an_existing_run_is_not_overwritten(ravdess: Path, reference_run: Path) -> None:
    with pytest.raises(TrainingError, match="pass --resume"):
        train(load_corpus(ravdess), tiny(), reference_run)


def test_resume_needs_a_run_on_the_same_clips(
    ravdess: Path, reference_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="not the folder of a training"):
        train(load_corpus(ravdess), tiny(), tmp_path, resume=True)
    speech = load_corpus(ravdess / "Audio_Speech_Actors_01-24")
    with pytest.raises(TrainingError, match="started with other clips"):
        train(speech, tiny(), reference_run, resume=True)


def test_a_run_of_another_version_is_refused_in_words(reference_run: Path, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"corpus": "RAVDESS", "digests": {}}')
    text = (reference_run / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("ema_decay", "average"))
    with pytest.raises(ConfigError, match=r"'train.average'; it is now called 'train.ema_decay'"):
        stored_config(tmp_path)
    (tmp_path / "old.safetensors").write_bytes((reference_run / BEST).read_bytes())
    with pytest.raises(TrainingError, match="holds no model of format 'audio-emotion-3'"):
        find_model(tmp_path / "old.safetensors")


def test_a_run_can_start_from_the_model_of_another(
    ravdess: Path, reference_run: Path, tmp_path: Path
) -> None:
    """At a rate of nearly zero the weights stay; batch norms go on measuring."""
    init = find_model(reference_run)
    config = tiny("train.epochs=1", "train.lr=1e-12")
    run = tmp_path / "run"
    train(load_corpus(ravdess), config, run, init=init, trainer_options=OPTIONS)
    before, after = (find_model(r).model.state_dict() for r in (reference_run, run))
    for name in before:
        if "running" not in name and "tracked" not in name:
            torch.testing.assert_close(before[name], after[name], atol=1e-6, rtol=0)
    assert same(load_model(run / INIT).model.state_dict(), before)
    for override, message in [("network.width=0.1", "another network"),
                              ("frontend.n_mels=128", "n_mels 64, not 128")]:  # fmt: skip
        with pytest.raises(TrainingError, match=message):
            train(load_corpus(ravdess), tiny(override), tmp_path / "other", init=init)
    assert not (tmp_path / "other").exists()


def test_training_continues_with_labels_of_ones_own(
    ravdess: Path, reference_run: Path, tmp_path: Path
) -> None:
    """Rows of the last layer go by their labels; those of new labels are new."""
    labels = ("happy", "bored", "sad")
    config = tiny("labels=happy,bored,sad", "train.class_weights=sqrt", "train.epochs=1")
    corpus, init = load_corpus(ravdess, labels), find_model(reference_run)
    run = tmp_path / "run"
    with pytest.warns(UserWarning, match="scores are optimistic"):  # split differently
        train(corpus, config, run, init=init, trainer_options=OPTIONS)
    before, begun = init.model.state_dict(), load_model(run / INIT).model.state_dict()
    for name in ("network.classifier.3.weight", "network.classifier.3.bias"):
        assert len(begun[name]) == 3
        torch.testing.assert_close(begun[name][[0, 2]], before[name][[2, 3]])
    for name in before:
        if "classifier.3" not in name:
            torch.testing.assert_close(begun[name], before[name])
    export(run, tmp_path / "mine.onnx")
    classifier = Classifier(tmp_path / "mine.onnx")
    assert classifier.labels == labels
    assert evaluate(classifier, corpus, "test")["labels"] == list(labels)
    assert set(classifier(voice(), RATE).probabilities or ()) == set(labels)
    export_weights(run, tmp_path / "mine.safetensors")
    mine = find_model(tmp_path / "mine.safetensors")
    again = EmotionModel.build(tiny().architecture)
    initialise(again, tiny().architecture, mine)  # and back to the eight
    bias = "network.classifier.3.bias"
    torch.testing.assert_close(
        again.state_dict()[bias][[2, 3]], mine.model.state_dict()[bias][[0, 2]]
    )


def test_too_few_clips_are_refused(tmp_path: Path, wav: Path) -> None:
    (tmp_path / "c" / "sad").mkdir(parents=True)
    (tmp_path / "c" / "sad" / "a.wav").write_bytes(wav.read_bytes())
    with pytest.raises(CorpusError, match="too few"):
        train(load_corpus(tmp_path / "c"), tiny(), tmp_path / "run")


def module(factors: torch.Tensor, *overrides: str) -> TrainingModule:
    config = tiny(*overrides)
    return TrainingModule(config, EmotionModel.build(config.architecture), factors)


def test_loss_is_pytorchs_for_whole_targets() -> None:
    factors = torch.tensor([1.3, 1.0, 2.0, 3.5, 1.0, 1.5, 2.0, 1.0])
    logits, labels = torch.randn(16, 8), torch.arange(16) % 8
    targets = torch.nn.functional.one_hot(labels, 8).float()
    per_clip = torch.nn.functional.cross_entropy(
        logits, labels, label_smoothing=0.1, reduction="none"
    )
    expected = (per_clip * factors[labels]).sum() / factors[labels].sum()
    found = module(factors[None], "train.label_smoothing=0.1").loss(
        logits, targets, factors[labels], torch.ones(16, 8, dtype=torch.bool)
    )
    torch.testing.assert_close(found, expected)


def drawn(rank: int, world_size: int, step: int, seed: int = 0) -> torch.Tensor:
    """Random numbers with which a process of a training augments a batch."""
    trained = module(torch.ones(1, 8), f"train.seed={seed}")
    trained._trainer = SimpleNamespace(  # type: ignore[assignment]
        global_rank=rank, world_size=world_size, global_step=step
    )
    trained.on_train_batch_start(None, 0)
    return torch.rand(8)


def test_each_process_draws_its_own_augmentation_and_the_same_after_a_resume() -> None:
    places = [(0, 2, 0), (1, 2, 0), (0, 2, 1), (1, 2, 1), (0, 2, 0, 1)]
    first = [drawn(*place) for place in places]
    assert len({tuple(numbers.tolist()) for numbers in first}) == len(places)
    for place, numbers in zip(places, first, strict=True):
        assert torch.equal(drawn(*place), numbers)


def test_labels_that_a_corpus_lacks_are_left_out_of_its_loss() -> None:
    factors = torch.ones(2, 8)
    factors[1, [1, 7]] = 0
    trained = module(factors, "train.label_smoothing=0.1")
    labels = torch.tensor([0, 3, 6])
    batch = Batch(torch.zeros(3, 9), labels, torch.ones(3, dtype=torch.long))
    logits = torch.randn(3, 8)
    kept = [0, 2, 3, 4, 5, 6]
    expected = torch.nn.functional.cross_entropy(
        logits[:, kept], torch.tensor([kept.index(int(n)) for n in labels]), label_smoothing=0.1
    )
    torch.testing.assert_close(trained.loss(logits, *trained.targets(batch)), expected)


def test_class_weights_as_scikit_learn(ravdess: Path) -> None:
    clips = load_corpus(ravdess).clips[5:]
    items = [Item(clip, "0" * 64, "train") for clip in clips]
    labels = np.array([int(clip.label) for clip in clips])
    expected = compute_class_weight("balanced", classes=np.arange(8), y=labels)
    found = class_weights(tiny("train.class_weights=balanced"), items)
    np.testing.assert_allclose(found, expected[None], rtol=1e-6)
    root = class_weights(tiny("train.class_weights=sqrt"), items)
    np.testing.assert_allclose(root, np.sqrt(expected)[None], rtol=1e-6)
    (reference,) = class_weights(tiny(), items).tolist()
    assert reference == pytest.approx([1.3, 1, 2, 3.5, 1, 1.5, 2, 1])
    assert class_weights(tiny("train.class_weights=none"), items).tolist() == [[1.0] * 8]


def test_a_label_that_only_another_corpus_has_weighs_nothing(ravdess: Path) -> None:
    clips = load_corpus(ravdess).clips
    others = [clip for clip in clips if clip.label.label != "calm"]
    items = [Item(c, "0" * 64, "train", 0) for c in clips] + [
        Item(c, "0" * 64, "train", 1) for c in others
    ]
    weights = class_weights(tiny("train.class_weights=none"), items)
    assert weights.tolist() == [[1.0] * 8, [1.0, 0.0, *[1.0] * 6]]
    tested = Item(others[0], "0" * 64, "test", 2)  # a corpus that is not trained on
    assert class_weights(tiny("train.class_weights=sqrt"), [*items, tested]).isfinite().all()
    nowhere = [item for item in items if item.clip.label.label != "calm"]
    assert class_weights(tiny("train.class_weights=none"), nowhere).all()


def test_the_sampler_shares_every_clip_among_the_ranks() -> None:
    shares = [list(EpochSampler([0] * 10, seed=1, rank=rank, ranks=2)) for rank in range(2)]
    assert sorted(item for rank in shares for item in rank) == list(range(10))
    sampler = EpochSampler([0] * 10, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_the_sampler_draws_from_corpora_by_the_root_of_their_size() -> None:
    """In closed form: 2 √100 : √400 : √25 of 90 clips; every clip of a corpus equally often."""
    corpora = [0] * 100 + [1] * 400 + [2] * 25
    sampler = EpochSampler(corpora, seed=1, clips=90)
    drawn: Counter[int] = Counter()
    for epoch in range(40):
        sampler.set_epoch(epoch)
        items = list(sampler)
        counts = Counter(corpora[item] for item in items)
        assert (len(items), counts) == (90, {0: 40, 1: 40, 2: 10})
        drawn.update(items)
    assert [{drawn[n] for n in range(*span)} for span in [(0, 100), (100, 500), (500, 525)]] == [
        {16}, {4}, {16},
    ]  # fmt: skip
    assert len(EpochSampler(corpora, seed=1)) == 525


def test_clips_on_a_device_come_in_the_batches_that_a_loader_makes(ravdess: Path) -> None:
    """The processor stands in for a GPU."""
    corpus, config = load_corpus(ravdess), small()
    items = [
        Item(clip, digest or "", "train")
        for clip, digest in zip(corpus.clips, corpus.digests(), strict=True)
    ]
    loader = ClipsModule(items, config, SignalCache()).train_dataloader()
    assert isinstance(loader, DataLoader)
    clips, device = Clips(items, config, SignalCache()), torch.device("cpu")
    signals = DeviceSignals.load(clips, device, most=1 << 30)
    assert signals
    sampler = EpochSampler([0] * len(items), config.train.seed)
    on_device = DeviceLoader(signals, sampler, config.train.batch_size, drop_last=True)
    for epoch in range(2):
        for one in (loader, on_device):
            one.sampler.set_epoch(epoch)
        assert len(loader) == len(on_device)
        for expected, batch in zip(loader, on_device, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(expected, batch, strict=True))
    assert DeviceSignals.load(clips, device, most=2 * len(signals.pcm) - 1) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains(ravdess: Path, tmp_path: Path) -> None:
    corpus = load_corpus(ravdess)
    reference = tiny("train.epochs=2", "augment.waveform_p=0.5", "train.ema_decay=0.9")
    for name, config in [("small", small("train.epochs=2")), ("tiny", reference)]:
        train(corpus, config, tmp_path / name)
        rows = list(csv.DictReader((tmp_path / name / "history.csv").open()))
        assert [int(row["epoch"]) for row in rows] == [1, 2]
        assert all(np.isfinite(float(value)) for row in rows for value in row.values())


def test_waveforms_are_augmented_in_training_alone() -> None:
    waveforms, batches = torch.from_numpy(np.stack([voice(), voice()])), []
    for probability in (0, 1):
        config = tiny(f"augment.waveform_p={probability}")
        torch.manual_seed(0)
        module = TrainingModule(config, EmotionModel.build(config.architecture), torch.ones(1, 8))
        batches.append((module._augmented(waveforms)[0], module.eval().model(waveforms)))
    (clean, validated), (changed, again) = batches
    assert not torch.allclose(clean, changed, atol=0.1)
    assert torch.equal(validated, again)


def test_the_scores_of_an_epoch_are_means_over_its_clips() -> None:
    config, logged = tiny(), {}
    module = TrainingModule(config, EmotionModel.build(config.architecture), torch.ones(1, 8))
    module.trainer = SimpleNamespace(strategy=SimpleNamespace(reduce=lambda v, **_: v))
    module.log = lambda name, value, **_: logged.update({name: value})
    logits, labels = torch.randn(10, 8), torch.arange(10) % 4
    for few in (slice(0, 8), slice(8, 10)):  # the last batch is smaller
        loss = torch.nn.functional.cross_entropy(logits[few], labels[few])
        module._record("val", logits[few], labels[few], loss)
    module.on_validation_epoch_end()
    predicted = logits.argmax(1)
    expected = {
        "val_loss": float(torch.nn.functional.cross_entropy(logits, labels)),
        "val_accuracy": accuracy_score(labels, predicted),
        "val_f1": f1_score(labels, predicted, average="macro", labels=range(4)),
    }
    assert logged == pytest.approx(expected)
    assert not module.counts


def test_the_moving_average_is_the_mean_it_says() -> None:
    """In closed form: each update keeps `min(decay, (1 + n) / (10 + n))` of the average."""
    for updates, kept in [(0, 0.0), (1, 3 / 12), (2, 4 / 13), (30, 0.4)]:
        values = [torch.tensor(1.0), torch.tensor([2.0]), torch.tensor(3)]
        current = [torch.tensor(5.0), torch.tensor([6.0]), torch.tensor(7)]
        move(list(zip(values, current, strict=True)), updates, 0.4)
        torch.testing.assert_close(values[0], torch.tensor(kept * 1 + (1 - kept) * 5))
        torch.testing.assert_close(values[1], torch.tensor([kept * 2 + (1 - kept) * 6]))
        assert values[2] == 7  # counters are copied


def test_averaged_weights_are_validated_saved_and_resumed(default_run: Path) -> None:
    checkpoint = checkpoints.load(default_run / LAST)
    name = "model.network.classifier.weight"
    averaged, current = checkpoint["state_dict"][name], checkpoint["current_model_state"][name]
    assert not torch.equal(averaged, current)
    best = load_best(default_run).model.state_dict()[name.removeprefix("model.")]
    assert torch.equal(best, averaged)  # one epoch, so the last is the best
    assert torch.equal(find_model(default_run).model.state_dict()[name[6:]], averaged)


def test_an_average_is_resumed_to_the_same_weights(ravdess: Path, tmp_path: Path) -> None:
    config = tiny("train.epochs=2", "train.ema_decay=0.9", "augment.waveform_p=0.5")
    corpus = load_corpus(ravdess)
    train(corpus, config, tmp_path / "whole", trainer_options=OPTIONS)
    with pytest.raises(RuntimeError, match="killed"):
        train(corpus, config, tmp_path / "run", trainer_options=OPTIONS, watch=_Killed(1))
    train(corpus, config, tmp_path / "run", trainer_options=OPTIONS, resume=True)
    for run in ("run", "whole"):
        assert same(state(tmp_path / "run" / LAST), state(tmp_path / run / LAST))


def history(run: Path, column: str) -> list[float]:
    with (run / "history.csv").open() as file:
        return [float(row[column]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("monitor", "best"), [("val_f1", max), ("val_loss", min)])
def test_the_best_epoch_is_the_monitored_one(
    ravdess: Path, tmp_path: Path, monitor: str, best: object
) -> None:
    config = tiny("train.epochs=3", f"train.monitor={monitor}", "train.lr=0.02")
    train(load_corpus(ravdess), config, tmp_path / "run", trainer_options=OPTIONS)
    values = history(tmp_path / "run", monitor)
    epoch = find_model(tmp_path / "run").scores["epoch"]
    assert values[int(epoch) - 1] == best(values)  # type: ignore[operator]


class _Swallowing(L.Callback):
    """Presses Ctrl-C where the exception is lost, as in a destructor."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)


def test_an_interrupt_that_is_swallowed_still_ends_the_training(
    ravdess: Path, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(StoppedError, match="--resume continues it"):
        train(load_corpus(ravdess), tiny("train.epochs=3"), tmp_path / "run",
              watch=_Swallowing(), trainer_options=OPTIONS)  # fmt: skip
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 2
    assert signal.getsignal(signal.SIGINT) is before


class _Killed(L.Callback):
    """Ends a training before the epoch of this number, from 0."""

    def __init__(self, before: int) -> None:
        self.before = before

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch == self.before:
            raise RuntimeError("killed")


def test_a_run_keeps_the_precision_of_the_machine_that_began_it(
    ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audio_emotion.training.train.computes_bf16", lambda: False)
    with pytest.raises(RuntimeError, match="killed"):
        train(load_corpus(ravdess), tiny("train.precision=auto"), tmp_path / "run",
              watch=_Killed(0), trainer_options=OPTIONS)  # fmt: skip
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


def test_the_trained_model_is_calibrated_on_the_validation_split(reference_run: Path) -> None:
    found = find_model(reference_run)
    assert found.calibration.temperature > 0
    assert found.calibration.clips == len(found.data.provenance.own("val"))


def test_a_checkpoint_keeps_the_types_of_its_values(tmp_path: Path) -> None:
    tree = {"a": torch.arange(3), 1: [None, True, 2.5, ("x", torch.zeros(()))], "e": {}}
    checkpoints.save(tree, tmp_path / "c.safetensors")
    loaded = checkpoints.load(tmp_path / "c.safetensors")
    assert torch.equal(loaded["a"], tree["a"])
    assert loaded[1][:3] == [None, True, 2.5]
    assert isinstance(loaded[1][3], tuple)
    assert loaded["e"] == {}


def test_a_checkpoint_refuses_what_it_cannot_restore(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot hold a set"):
        checkpoints.save({"a": {1, 2}}, tmp_path / "c.safetensors")
    for name, content in [("damaged", b"not a checkpoint"), ("empty", b"")]:
        (tmp_path / f"{name}.safetensors").write_bytes(content)
        with pytest.raises(TrainingError, match=rf"{name}\.safetensors is not a readable"):
            checkpoints.load(tmp_path / f"{name}.safetensors")
    with pytest.raises(TrainingError, match=r"none\.safetensors does not exist"):
        checkpoints.load(tmp_path / "none.safetensors")


def test_a_cache_key_covers_content_and_settings(tmp_path: Path) -> None:
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
    constant = np.full(9, 0.25, np.float32)
    cache.get("d", {}, lambda: constant)
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(b"half")
    np.testing.assert_allclose(cache.get("d", {}, lambda: constant), constant, atol=1e-4)


def test_a_label_that_is_all_of_a_corpus_gives_away_what_its_clips_can_spare() -> None:
    """A share of the clips of ordinary speech stays neutral; acted ones change nothing."""
    items = [
        Item(Clip(f"{label}", Emotion(label), Path(f"{label}.wav")), "", "train", corpus)
        for corpus, label in ((0, 0), (0, 4), (1, 0))
    ]
    logits = np.zeros((120, 8), np.float32)
    labels, corpora = np.zeros(120, np.int64), np.repeat([0, 1], [20, 100])
    logits[20:, 0] = np.linspace(0.05, 5, 100)  # by which neutral leads
    found = biases(items, logits, labels, corpora)
    assert list(found) == [0]
    assert ((logits[20:, 0] - found[0]) > 0).sum() == round(100 * SINGLE_LABEL_RECALL)
    assert biases(items[:2], logits[:20], labels[:20], corpora[:20]) == {}
    assert biases(items[2:], logits[20:], labels[20:], corpora[20:]) == {}  # nothing beside it
