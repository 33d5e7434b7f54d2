"""Learning from finished runs: what they answer, who may teach, and that a kill changes nothing."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from audio_emotion.corpora import load_corpus
from audio_emotion.errors import TrainingError
from audio_emotion.lab.data import Batch
from audio_emotion.lab.module import EmotionModule
from audio_emotion.lab.run import begin_from, stored_config
from audio_emotion.lab.teachers import Teachers, kept
from audio_emotion.lab.train import train
from conftest import voice
from test_auxiliary import tiny
from test_train import pytestmark as pytestmark
from test_train import same, weights

OPTIONS = {"enable_progress_bar": False, "accelerator": "cpu"}
EVERYTHING = torch.ones(2, 8, dtype=torch.bool)


@pytest.fixture(scope="module")
def teacher(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It sees the mel bands only."""
    run = tmp_path_factory.mktemp("teacher") / "run"
    train(load_corpus(ravdess), tiny("train.epochs=1"), run, trainer_options=OPTIONS)
    return run


def waveforms() -> Tensor:
    return torch.stack([torch.from_numpy(voice(1.5, pitch, 3)) for pitch in (120.0, 240.0)])


def taught(teachers: Teachers, student: EmotionModule, allowed: Tensor) -> Tensor:
    frontend = student.frontend
    start, length = frontend.extent(waveforms())
    bands = frontend.mel_power(frontend.place(waveforms(), start, length))
    return teachers(bands, length, allowed)


def test_a_teacher_answers_as_it_would_by_itself(teacher: Path) -> None:
    """Whatever else the student hears."""
    student = EmotionModule(tiny("frontend.features=pitch"))
    itself = EmotionModule(stored_config(teacher)).eval()
    begin_from([teacher], itself)
    expected = itself.logits(waveforms()).softmax(1)
    found = taught(Teachers([teacher], student), student, EVERYTHING)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_several_are_averaged_among_the_labels_that_a_corpus_has(teacher: Path) -> None:
    student = EmotionModule(tiny())
    teachers = Teachers([teacher, teacher], student)
    torch.manual_seed(1)
    for parameter in teachers.modules[1].average.parameters():  # type: ignore[union-attr]
        parameter.add_(torch.randn_like(parameter) * 0.1)
    allowed = EVERYTHING.clone()
    allowed[1, [1, 7]] = False
    each = []
    for module in teachers.modules:
        answers = module.logits(waveforms()).softmax(1) * allowed
        each.append(answers / answers.sum(1, keepdim=True))
    assert (each[0] - each[1]).abs().max() > 0.01
    torch.testing.assert_close(taught(teachers, student, allowed), (each[0] + each[1]) / 2)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_targets_are_labels_and_answers(
    teacher: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    student = EmotionModule(tiny("augment.mixup=0", f"train.distill={share}"))
    answers = torch.rand(2, 8).softmax(1)
    monkeypatch.setattr(student, "teachers", lambda *_: answers)
    seen: dict[str, Tensor] = {}

    def loss(logits: Tensor, targets: Tensor, *_: Any) -> Tensor:
        seen["targets"] = targets
        return logits.sum() * 0

    monkeypatch.setattr(student, "_loss", loss)
    monkeypatch.setattr(student, "_record", lambda *_: None)
    labels = torch.tensor([2, 5])
    student.training_step(Batch(waveforms(), labels, torch.zeros(2).long(), torch.zeros(2, 0)), 0)
    expected = (1 - share) * torch.nn.functional.one_hot(labels, 8) + share * answers
    torch.testing.assert_close(seen["targets"], expected)


class Killed(L.Callback):
    """After the first epoch."""

    def on_train_epoch_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        if trainer.current_epoch:
            raise RuntimeError("killed")


def test_a_killed_student_resumes_without_its_teachers_folder(
    ravdess: Path, teacher: Path, tmp_path: Path
) -> None:
    corpus, config = load_corpus(ravdess), tiny("train.epochs=2", "train.distill=0.9")
    lesson = partial(train, corpus, config, trainer_options=OPTIONS)
    gone = tmp_path / "gone"
    shutil.copytree(teacher, gone)
    lesson(tmp_path / "whole", teachers=[gone])
    with pytest.raises(RuntimeError, match="killed"):
        lesson(tmp_path / "halves", teachers=[gone], watch=Killed())
    shutil.rmtree(gone)
    lesson(tmp_path / "halves", resume=True)
    assert same(weights(tmp_path / "halves"), weights(tmp_path / "whole"))
    assert len(kept(tmp_path / "halves")) == 1
    lesson(tmp_path / "alone")
    assert not same(weights(tmp_path / "alone"), weights(tmp_path / "whole"))


def test_who_may_not_teach(ravdess: Path, teacher: Path, tmp_path: Path) -> None:
    corpus = load_corpus(ravdess)
    lesson = partial(train, corpus, run=tmp_path / "run", teachers=[teacher])
    for seed in (1, 2):
        with pytest.raises(TrainingError, match=r"has heard \d+ clips of the (val|test) part"):
            lesson(tiny(f"split.seed={seed}"))
    with pytest.raises(TrainingError, match="hears what this front end does not give"):
        lesson(tiny("frontend.hop_length=512"))
    with pytest.raises(TrainingError, match="not the folder of a training"):
        lesson(tiny(), teachers=[tmp_path])
    assert not (tmp_path / "run").exists()
