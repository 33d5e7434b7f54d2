"""Searching for settings: resumable, on validation clips, refused in words."""

import csv
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from audio_emotion.config import load_config
from audio_emotion.datasets import load_corpus
from audio_emotion.errors import ConfigError, TrainingError
from audio_emotion.training.tune import _retry, _write, parse_space, tune, varied
from conftest import OPTIONS, TRAINING_WARNINGS, tiny

pytestmark = TRAINING_WARNINGS
PNG = b"\x89PNG"
SPACE = parse_space(["train.lr=1e-4..1e-2:log", "train.class_weights=none,sqrt"])


@pytest.fixture(scope="module")
def out(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune") / "out"
    config = tiny("train.epochs=1")
    tune(load_corpus(ravdess), config, SPACE, folder, trials=2, trainer_options=OPTIONS)
    return folder


def rows(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "trials.csv").read_text().splitlines()))


def test_a_search_continues_where_it_stopped(ravdess: Path, out: Path) -> None:
    first = rows(out)
    assert len(first) == 2
    study = tune(
        load_corpus(ravdess), tiny("train.epochs=1"), SPACE, out, trials=3, trainer_options=OPTIONS
    )
    assert rows(out)[:2] == first
    assert len(rows(out)) == 3
    best = load_config(out / "best.yaml")
    assert best.train.lr == pytest.approx(study.best_params["train.lr"])
    assert study.best_value == pytest.approx(
        max(float(row["score"]) for row in rows(out)), abs=1e-5
    )
    assert (out / "history.png").read_bytes().startswith(PNG)
    differ = len({row["score"] for row in rows(out)}) > 1
    assert (out / "importance.png").exists() == differ


def test_other_settings_are_another_search(ravdess: Path, out: Path) -> None:
    with pytest.raises(TrainingError, match="begun with other settings"):
        tune(load_corpus(ravdess), tiny("train.epochs=2"), SPACE, out, trials=9)


def test_each_choice_is_tried_once_over_stops(ravdess: Path, tmp_path: Path) -> None:
    space = parse_space(["train.lr=1e-3,1e-2", "train.class_weights=none,sqrt"])
    for trials in (1, 9):  # more than there are combinations
        tune(
            load_corpus(ravdess),
            tiny("train.epochs=1"),
            space,
            tmp_path / "out",
            trials=trials,
            trainer_options=OPTIONS,
        )
    tried = {(row["train.lr"], row["train.class_weights"]) for row in rows(tmp_path / "out")}
    assert len(tried) == len(rows(tmp_path / "out")) == 4


def test_a_trial_that_was_killed_is_tried_again(tmp_path: Path) -> None:
    study = optuna.create_study()
    killed = study.ask()
    value = killed.suggest_float("train.lr", 0.1, 1)
    (tmp_path / "trial-0").mkdir()
    _retry(study, tmp_path)
    assert not list(tmp_path.iterdir())
    assert study.trials[0].state == optuna.trial.TrialState.FAIL
    assert study.ask().suggest_float("train.lr", 0.1, 1) == value


def test_combinations_go_on_after_a_kill_at_any_moment(
    ravdess: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """Before its settings were drawn, or while it trained; each combination is tried once."""
    space = parse_space(["train.lr=1e-3,1e-2", "train.class_weights=none,sqrt"])
    kills = iter([False, False, True, False, True, True])

    def train_or_die(*arguments: Any, **options: Any) -> None:
        if next(kills, False):
            raise KeyboardInterrupt

    monkeypatch.setattr("audio_emotion.training.tune.train", train_or_die)
    monkeypatch.setattr("audio_emotion.training.tune.best_score", lambda run: 0.5)
    for _ in range(4):
        with suppress(KeyboardInterrupt):
            tune(load_corpus(ravdess), tiny(), space, tmp_path / "out", trials=9)
        study = optuna.load_study(
            study_name="tune", storage=f"sqlite:///{tmp_path / 'out' / 'study.db'}"
        )
        if len(study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))) < 4:
            study.ask()  # killed before anything was drawn
    (tmp_path / "out" / "trials.csv").unlink()  # killed before the last one was written down
    tune(load_corpus(ravdess), tiny(), space, tmp_path / "out", trials=9)
    tried = {(row["train.lr"], row["train.class_weights"]) for row in rows(tmp_path / "out")}
    assert len(tried) == len(rows(tmp_path / "out")) == 4


def test_a_restart_draws_anew(ravdess: Path, tmp_path: Path, monkeypatch: Any) -> None:
    def train_nothing(*arguments: Any, **options: Any) -> None:
        pass

    monkeypatch.setattr("audio_emotion.training.tune.train", train_nothing)
    monkeypatch.setattr("audio_emotion.training.tune.best_score", lambda run: 0.5)
    for trials in range(1, 5):
        tune(load_corpus(ravdess), tiny(), SPACE, tmp_path / "out", trials=trials)
    assert len({row["train.lr"] for row in rows(tmp_path / "out")}) == 4


def test_a_damaged_study_is_said_in_words(ravdess: Path, out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "study.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(TrainingError, match=r"study\.db is not a readable database"):
        tune(load_corpus(ravdess), tiny("train.epochs=1"), SPACE, tmp_path / "out", trials=9)


@pytest.mark.parametrize("second", [0.5, 0.6])
def test_importance_is_drawn_where_scores_differ(tmp_path: Path, second: float) -> None:
    study = optuna.create_study(direction="maximize")
    for lr, score in [(1e-3, 0.5), (1e-2, second)]:
        study.add_trial(
            optuna.trial.create_trial(
                params={"train.lr": lr},
                distributions={"train.lr": optuna.distributions.FloatDistribution(1e-4, 1)},
                value=score,
            )
        )
    _write(study, tiny(), tmp_path)
    assert [float(row["score"]) for row in rows(tmp_path)] == [0.5, second]
    drawn = tmp_path / "importance.png"
    assert drawn.exists() == (second != 0.5)
    assert not drawn.exists() or drawn.read_bytes().startswith(PNG)


def test_spaces_are_parsed_and_nonsense_is_refused() -> None:
    assert {
        "train.lr": FloatDistribution(1e-4, 1e-2, log=True),
        "train.class_weights": CategoricalDistribution(("none", "sqrt")),
    } == SPACE
    for text, message in [
        ("lr=1..2", "not of the form"),
        ("train.lr=1..2:cubic", "a range is"),
        ("train.lr", "not of the form"),
    ]:
        with pytest.raises(ConfigError, match=message):
            parse_space([text])
    with pytest.raises(ConfigError, match=r"unknown key 'train\.larning'"):
        varied(tiny(), {"train.larning": 1})
    with pytest.raises(ConfigError, match=r"no section 'trian'"):
        varied(tiny(), {"trian.lr": 1})
