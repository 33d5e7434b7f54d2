"""Search for settings, trial by trial, on validation clips only.

OUT/
  study.db          Optuna's SQLite storage: the same command continues where it stopped
  trial-N/          a run each
  trials.csv        settings and scores, also drawn in history.png and importance.png
  best.yaml         the configuration of the best trial
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import optuna
import yaml

from ..config import Config, make_config
from ..datasets import Corpus
from ..errors import ConfigError, TrainingError
from ..files import write_text, write_with
from .checkpoints import load
from .run import best_of
from .train import train

STARTUP = 5  # trials that are never cut short, and drawn at random
WARMUP = 0.25  # share of the epochs before a trial may be cut short
NAME = "tune"


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high` for a setting, drawn evenly or by their logarithm."""

    key: str
    low: float
    high: float
    log: bool = False

    def draw(self, trial: optuna.Trial) -> float:
        """Draw the value of a trial."""
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Choice:
    """The values that a setting may take."""

    key: str
    values: tuple[Any, ...]

    def draw(self, trial: optuna.Trial) -> Any:
        """Draw the value of a trial."""
        return trial.suggest_categorical(self.key, self.values)


def parse_space(text: str) -> Range | Choice:
    """Parse the values that a setting is searched in.

    `train.lr=1e-4..1e-2:log` is a range by its logarithm, `network.dropout=0.3..0.5` an even one,
    `train.class_weights=none,sqrt` a choice.

    Raises:
        ConfigError: the text has none of these forms.

    >>> parse_space("network.dropout=0.3..0.5")
    Range(key='network.dropout', low=0.3, high=0.5, log=False)
    """
    key, equals, values = text.partition("=")
    if not equals or "." not in key:
        raise ConfigError(
            f"'{text}' is not of the form section.key=low..high[:log] or section.key=a,b,c"
        )
    if ".." not in values:
        return Choice(key, tuple(yaml.safe_load(value) for value in values.split(",")))
    low, _, rest = values.partition("..")
    high, _, scale = rest.partition(":")
    try:
        return Range(key, float(low), float(high), {"": False, "log": True}[scale])
    except (KeyError, ValueError) as error:
        raise ConfigError(f"'{text}': a range is low..high or low..high:log") from error


class Report(L.Callback):
    """Tells Optuna the macro F1 of each epoch, and ends trials that will not win."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.trial.report(float(trainer.callback_metrics["val_f1"]), trainer.current_epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def tune(
    corpus: Corpus,
    config: Config,
    space: Sequence[Range | Choice],
    out: Path,
    *,
    trials: int,
    trainer_options: dict[str, Any] | None = None,
) -> optuna.Study:
    """Search until `out` holds `trials` that are done or cut short.

    If every setting is a choice, each combination is tried once and the search ends after them.

    Args:
        corpus: labelled clips; the test split of the configuration is never touched.
        config: the settings that do not vary.
        space: the settings that vary.
        out: folder to make, or to continue; a trial that was killed is tried again.
        trials: how many in all.
        trainer_options: as `train`.

    Raises:
        ConfigError: a setting of the space is unknown or out of range.
        TrainingError: `out` was begun with another configuration or space.
    """
    for part in space:  # before a folder is made
        values = part.values if isinstance(part, Choice) else (part.low, part.high)
        for value in values:
            varied(config, {part.key: value})
    _claim(out, config, space)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{out / 'study.db'}",
        study_name=NAME,
        direction="maximize",
        load_if_exists=True,
        sampler=_sampler(space, config.train.seed),
        pruner=optuna.pruners.MedianPruner(STARTUP, round(WARMUP * config.train.epochs)),
    )
    _retry(study)

    def objective(trial: optuna.Trial) -> float:
        drawn = {part.key: part.draw(trial) for part in space}
        run = out / f"trial-{trial.number}"
        print(f"trial {trial.number}: {drawn}", flush=True)
        options = dict(trainer_options or {})
        # Losses of different settings are not comparable, so the score is always macro F1.
        compared = varied(config, {"train.monitor": "val_f1"} | drawn)
        train(corpus, compared, run, watch=Report(trial), trainer_options=options)
        return best_score(run)

    while len(_over(study)) < min(trials, combinations(space)):
        study.optimize(objective, n_trials=1)
        _write(study, config, out)
    return study


def combinations(space: Sequence[Range | Choice]) -> float:
    """Return the number of combinations; infinite if a setting is a range.

    >>> combinations([Choice("train.lr", (1e-3, 1e-4)), Choice("network.dropout", (0.3, 0.4, 0.5))])
    6
    """
    return math.prod(len(part.values) if isinstance(part, Choice) else math.inf for part in space)


def _sampler(space: Sequence[Range | Choice], seed: int) -> optuna.samplers.BaseSampler:
    """Choices are tried once each, because a training repeats itself to the digit."""
    if math.isinf(combinations(space)):
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    grid = {part.key: list(part.values) for part in space if isinstance(part, Choice)}
    return optuna.samplers.GridSampler(grid, seed)


def varied(config: Config, settings: dict[str, Any]) -> Config:
    """Return `config` with `section.key` settings changed."""
    values = config.model_dump(mode="json")
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if not isinstance(values.get(section), dict):
            raise ConfigError(f"'{key}': there is no section '{section}'")
        values[section][name] = value
    return make_config(values, "tune")


def best_score(run: Path) -> float:
    """Return the best validation score that a run's checkpoint records."""
    states = load(best_of(run))["callbacks"].values()
    found = [state["best_model_score"] for state in states if state.get("monitor")]
    return float(found[0])


def _claim(out: Path, config: Config, space: Sequence[Range | Choice]) -> None:
    text = yaml.safe_dump(
        {"config": config.model_dump(mode="json"), "space": [repr(part) for part in space]},
        sort_keys=False,
    )
    path = out / "search.yaml"
    if path.exists():
        if path.read_text(encoding="utf-8") != text:
            raise TrainingError(f"{out} was begun with other settings; name another folder")
        return
    if out.exists() and any(out.iterdir()):
        raise TrainingError(f"{out} exists already and is no search; name another folder")
    write_text(path, text)


def _over(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)


def _retry(study: optuna.Study) -> None:
    """Give up trials that a kill left running, and try their settings again."""
    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    for trial in running:
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params)


def _write(study: optuna.Study, config: Config, out: Path) -> None:
    over = _over(study)
    keys = sorted({key for trial in over for key in trial.params})
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["trial", "state", "score", *keys])
    for trial in over:
        score = trial.value if trial.value is not None else _last(trial)
        params = [trial.params.get(key, "") for key in keys]
        writer.writerow([trial.number, trial.state.name.lower(), f"{score:.5f}", *params])
    write_text(out / "trials.csv", stream.getvalue())
    done = [trial for trial in over if trial.value is not None]
    if not done:
        return
    best = varied(config, study.best_params).model_dump(mode="json")
    write_text(out / "best.yaml", yaml.safe_dump(best, sort_keys=False))
    from optuna.visualization.matplotlib import plot_optimization_history, plot_param_importances

    _save(plot_optimization_history(study), out / "history.png")
    if len({trial.value for trial in done}) > 1:  # otherwise there is nothing to explain
        _save(plot_param_importances(study), out / "importance.png")


def _save(axes: Any, path: Path) -> None:
    axes.figure.set_layout_engine("constrained")
    write_with(path, lambda temporary: axes.figure.savefig(temporary, dpi=120))


def _last(trial: optuna.trial.FrozenTrial) -> float:
    return trial.intermediate_values[trial.last_step] if trial.last_step is not None else 0.0
