"""Several trainings as one network: what it answers, and where its weights come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from audio_emotion import Classifier
from audio_emotion.config import Config, load_config
from audio_emotion.corpora import load_corpus
from audio_emotion.errors import TrainingError
from audio_emotion.lab.data import Batch
from audio_emotion.lab.export import export, export_weights, load_model, stored_calibration
from audio_emotion.lab.module import EmotionModule
from audio_emotion.lab.networks import Committee, members
from audio_emotion.lab.run import begin_from, best_of, load_weights, save_weights
from audio_emotion.lab.train import train

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*litlogger.*"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec.*"),
]
OPTIONS = {"enable_progress_bar": False, "accelerator": "cpu"}


def small(*overrides: str) -> Config:
    sizes = ["network.width=0.25", "train.batch_size=8", "train.epochs=1", "split.val=0.2"]
    return load_config("voice", [*sizes, "train.precision=32-true", *overrides])


@pytest.fixture(scope="module")
def runs(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two trainings that differ in their seed."""
    folder = tmp_path_factory.mktemp("members")
    for seed in (0, 1):
        config = small(f"train.seed={seed}")
        train(load_corpus(ravdess), config, folder / str(seed), trainer_options=OPTIONS)
    return [folder / "0", folder / "1"]


@pytest.fixture(scope="module")
def committee(ravdess: Path, runs: list[Path]) -> Path:
    """Both of them as one run."""
    out = runs[0].parent / "committee"
    train(load_corpus(ravdess), small("network.members=2", "train.epochs=0"), out, init=runs)
    return out


def geometric(probabilities: list[np.ndarray], temperatures: list[float]) -> np.ndarray:
    """Of calibrated answers, the mean without their temperatures, from the definition."""
    logarithms = [t * np.log(p) for p, t in zip(probabilities, temperatures, strict=True)]
    product = np.exp(np.mean(logarithms, 0))
    return product / product.sum()


def test_the_model_file_answers_the_geometric_mean(
    runs: list[Path], committee: Path, tmp_path: Path, recording: tuple[np.ndarray, int]
) -> None:
    answers = []
    for number, run in enumerate([*runs, committee]):
        export(run, tmp_path / f"{number}.onnx", "fp32")
        answers.append(Classifier(tmp_path / f"{number}.onnx")(*recording).probabilities)
    temperatures = [stored_calibration(run).temperature for run in [*runs, committee]]
    one, other, both = (np.array(list(answer.values())) for answer in answers)
    expected = geometric([one, other], temperatures[:2])
    found = geometric([both], temperatures[2:])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(one - other).max() > 1e-3


def test_it_goes_on_as_any_other(committee: Path, ravdess: Path, tmp_path: Path) -> None:
    """From its own run, from the exported checkpoint, and with labels of one's own."""
    export_weights(committee, tmp_path / "both.safetensors")
    for init in (committee, tmp_path / "both.safetensors"):
        module = EmotionModule(small("network.members=2"))
        begin_from([init], module)
        expected = load_model(committee).network.state_dict()
        for name, value in module.judged.state_dict().items():
            torch.testing.assert_close(value, expected[name], atol=2e-3, rtol=2e-3)
    own = small("network.members=2", "labels=happy,bored,sad", "train.epochs=0")
    corpus = load_corpus(ravdess, own.labels)
    with pytest.warns(UserWarning, match="figures on them flatter"):  # dealt anew
        train(corpus, own, tmp_path / "own", init=[tmp_path / "both.safetensors"])
    before = load_model(committee).network.state_dict()
    after = load_model(tmp_path / "own").network.state_dict()
    for member in range(2):
        name = f"members.{member}.classifier.weight"
        torch.testing.assert_close(after[name][[0, 2]], before[name][[2, 3]], atol=2e-3, rtol=0)


def test_a_committee_cannot_sit_in_a_committee(committee: Path) -> None:
    module = EmotionModule(small("network.members=2"))
    with pytest.raises(TrainingError, match="each becomes one member"):
        begin_from([committee, committee], module)


def test_it_trains_and_shares_its_dropout(committee: Path, ravdess: Path, tmp_path: Path) -> None:
    config = small("network.members=2", "network.dropout=0.4")
    train(load_corpus(ravdess), config, tmp_path / "run", init=[committee], trainer_options=OPTIONS)
    before, after = (load_model(r).network.state_dict() for r in (committee, tmp_path / "run"))
    for member in range(2):
        name = f"members.{member}.stem.0.weight"
        assert not torch.equal(before[name], after[name])
    network = EmotionModule(config).network
    assert isinstance(network, Committee)
    network.set_dropout(True)
    assert [member.dropout.p for member in network.members] == [0.4, 0.4]
    network.set_dropout(False)
    assert [member.dropout.p for member in network.members] == [0, 0]


def test_each_learns_as_if_it_stood_alone() -> None:
    """The slope of a member's weights is that of the same network without the others."""
    quiet = ("augment.mixup=0", "augment.spectral_p=0", "augment.margin_dur=0", "network.dropout=0")
    together = EmotionModule(small("network.members=2", *quiet))
    generator = torch.Generator().manual_seed(0)
    batch = Batch(
        torch.rand(4, 40_000, generator=generator) - 0.5,
        torch.arange(4),
        torch.zeros(4, dtype=torch.long),
    )
    together.log = lambda *_, **__: None  # type: ignore[method-assign]  # no trainer listens
    torch.manual_seed(1)
    loss = together.training_step(batch, 0)
    loss.backward()
    losses = []
    for member in members(together.network):
        alone = EmotionModule(small(*quiet))
        alone.log = lambda *_, **__: None  # type: ignore[method-assign]
        alone.network.load_state_dict(member.state_dict())
        torch.manual_seed(1)
        losses.append(alone.training_step(batch, 0))
        losses[-1].backward()
        slopes = zip(member.parameters(), alone.network.parameters(), strict=True)
        for ours, expected in slopes:
            torch.testing.assert_close(ours.grad, expected.grad, atol=1e-6, rtol=1e-4)
    assert losses[0].item() != losses[1].item()
    torch.testing.assert_close(loss, sum(losses))


def test_what_does_not_fit_is_refused(runs: list[Path], committee: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="of another network"):
        begin_from([runs[0]], EmotionModule(small("network.members=2")))
    with pytest.raises(TrainingError, match="of another network"):
        load_weights(best_of(committee), EmotionModule(small()))
    other = EmotionModule(small())
    begin_from([runs[0]], other)
    other.frontend.mean += 1
    save_weights(other, tmp_path / "other.safetensors")
    with pytest.raises(TrainingError, match="scale their pictures differently"):
        begin_from(
            [runs[0], tmp_path / "other.safetensors"], EmotionModule(small("network.members=2"))
        )
