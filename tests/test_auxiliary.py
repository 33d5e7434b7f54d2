"""Further targets of training: their loss, the reversed gradient, and nothing of them kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from audio_emotion.config import Config, load_config
from audio_emotion.corpora import Clip, load_corpus
from audio_emotion.errors import ConfigError
from audio_emotion.lab import checkpoints
from audio_emotion.lab.auxiliary import UNKNOWN, Auxiliary, attributed
from audio_emotion.lab.data import Batch, Item
from audio_emotion.lab.export import export_weights
from audio_emotion.lab.module import EmotionModule
from audio_emotion.lab.run import best_of
from audio_emotion.lab.train import train
from audio_emotion.labels import Emotion

TINY = [
    *("network.width=0.25", "frontend.features=contrast", "train.batch_size=8"),
    *("train.precision=32-true", "train.class_weights=none", "train.best_by=loss"),
]


def tiny(*overrides: str) -> Config:
    return load_config("voice", [*TINY, *overrides])


def clip(speaker: str | None, corpus: str = "A", intensity: str | None = None) -> Clip:
    return Clip("c", Emotion.SAD, Path(), speaker=speaker, corpus=corpus, intensity=intensity)


def item(clip: Clip, part: str = "train") -> Item:
    return Item(clip, "0" * 64, part)


def test_values_are_those_of_the_training_part() -> None:
    items = [
        item(clip("1", "A", "low")),
        item(clip("1", "B", "high")),
        item(clip(None, "B")),
        item(clip("2", "A", "low"), "val"),
    ]
    found, sizes = attributed(items, ["speaker", "intensity"])
    assert sizes == [2, 2]  # 1 of A and 1 of B are two people; 2 is not in training
    assert [i.attributes for i in found] == [(0, 1), (1, 0), (UNKNOWN, UNKNOWN), (UNKNOWN, 1)]
    assert [i.clip for i in found] == [i.clip for i in items]
    assert attributed(items, [])[1] == []


def test_loss_is_pytorchs_and_leaves_out_what_is_unknown() -> None:
    auxiliary = Auxiliary([0.5, -2.0], [3, 4], 6)
    embedded = torch.randn(5, 6)
    targets = torch.tensor([[0, 3], [2, UNKNOWN], [1, 0], [UNKNOWN, 1], [1, 2]])
    expected = torch.zeros(())
    for weight, layer, target in zip((0.5, 2.0), auxiliary.layers, targets.T, strict=True):
        known = target != UNKNOWN
        losses = torch.nn.functional.cross_entropy(
            layer(embedded[known]), target[known], reduction="sum"
        )
        expected = expected + weight * losses / len(embedded)
    torch.testing.assert_close(auxiliary(embedded, targets), expected)


def test_below_0_the_layer_learns_and_the_network_unlearns() -> None:
    told, hidden = (Auxiliary([weight], [3], 6) for weight in (0.7, -0.7))
    hidden.load_state_dict(told.state_dict())
    targets = torch.tensor([[0], [2], [1], [2]])
    vector = torch.randn(4, 6)
    gradients = []
    for auxiliary in (told, hidden):
        embedded = vector.clone().requires_grad_()
        auxiliary(embedded, targets).backward()
        assert embedded.grad is not None
        gradients.append((embedded.grad, auxiliary.layers[0].weight.grad))
    torch.testing.assert_close(gradients[0][0], -gradients[1][0])
    torch.testing.assert_close(gradients[0][1], gradients[1][1])


def test_a_step_learns_the_targets_of_both_clips_of_a_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    module = EmotionModule(tiny("train.auxiliary.speaker=1"), attribute_sizes=[2])
    partner = torch.tensor([1, 0, 3, 2])
    monkeypatch.setattr("audio_emotion.lab.module.draw_mixup", lambda *_: (0.75, partner))
    seen = []

    def asked(embedded: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        seen.append(attributes[:, 0].tolist())
        return embedded.sum() * 0 + torch.tensor(10.0 ** len(seen))

    monkeypatch.setattr(module.auxiliary, "forward", asked)
    monkeypatch.setattr(module, "_loss", lambda logits, *_: logits.sum() * 0)
    monkeypatch.setattr(module, "_record", lambda *_: None)
    batch = Batch(
        torch.randn(4, 16_000),
        torch.arange(4),
        torch.zeros(4).long(),
        torch.tensor([[0], [1], [1], [0]]),
    )
    assert module.training_step(batch, 0).item() == pytest.approx(0.75 * 10 + 0.25 * 100)
    assert seen == [[0, 1, 1, 0], [1, 0, 0, 1]]


def test_training_with_them_leaves_nothing_in_the_model(ravdess: Path, tmp_path: Path) -> None:
    options = {"enable_progress_bar": False, "accelerator": "cpu"}
    config = tiny("train.epochs=2", "train.auxiliary={speaker: -0.1, intensity: 0.3}")
    corpus = load_corpus(ravdess)
    train(corpus, config, tmp_path / "run", trainer_options=options)
    state = checkpoints.load(best_of(tmp_path / "run"))["state_dict"]
    assert {"auxiliary.layers.0.weight", "auxiliary.layers.1.bias"} <= set(state)
    export_weights(tmp_path / "run", tmp_path / "mine.safetensors")
    kept = checkpoints.load(tmp_path / "mine.safetensors")["state_dict"]
    assert not [name for name in kept if "auxiliary" in name]
    train(
        corpus,
        tiny("train.epochs=1"),
        tmp_path / "next",
        init=[tmp_path / "run"],
        trainer_options=options,
    )


def test_unknown_targets_are_refused() -> None:
    with pytest.raises(ConfigError, match="age"):
        tiny("train.auxiliary.age=0.1")
