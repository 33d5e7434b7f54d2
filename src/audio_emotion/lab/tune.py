"""Settings searched for, trial by trial, on validation clips only.

OUT/
  study.db          Optuna's SQLite storage: the same command goes on where it stopped
  trial-N/          a run folder each
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
from ..corpora import Corpus
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
    """Values that a setting is drawn from: `low` to `high`, evenly or by their logarithm."""

    key: str
    low: float
    high: float
    log: bool = False

    def draw(self, trial: optuna.Trial) -> float:
        """The trial's value."""
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Choice:
    """Values that a setting is one of."""

    key: str
    values: tuple[Any, ...]

    def draw(self, trial: optuna.Trial) -> Any:
        """The trial's value."""
        return trial.suggest_categorical(self.key, self.values)


def parse_space(text: str) -> Range | Choice:
    """What a setting is searched in.

    `train.lr=1e-4..1e-2:log` is a range by its logarithm, `network.dropout=0.3..0.5` an even one,
    `train.class_weights=none,root` a choice.

    Raises:
        ConfigError: it is of no such form.

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
    """Tells Optuna each epoch's validation score, and ends a trial that will not win."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.trial.report(float(trainer.callback_metrics["val_score"]), trainer.current_epoch)
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

    Where every setting is a choice, each combination is tried once, and the search ends with them.

    Args:
        corpus: labelled clips; the test part of the configuration's split is never touched.
        config: what the trials vary.
        space: the settings that vary.
        out: folder to make, or to go on with; a trial that was killed is tried again.
        trials: how many in all.
        trainer_options: as `train`.

    Raises:
        ConfigError: a setting of the space is unknown or out of range.
        TrainingError: `out` was begun with another configuration or space.
    """
    for part in space:  # before anything is made
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
        compared = varied(config, {"train.best_by": "macro_f1"} | drawn)  # losses are not alike
        train(corpus, compared, run, watch=Report(trial), trainer_options=options)
        return best_score(run)

    while len(_over(study)) < min(trials, combinations(space)):
        study.optimize(objective, n_trials=1)
        _write(study, config, out)
    return study


def combinations(space: Sequence[Range | Choice]) -> float:
    """How many settings there are to try; infinite where one is a range.

    >>> combinations([Choice("train.lr", (1e-3, 1e-4)), Choice("network.dropout", (0.3, 0.4, 0.5))])
    6
    """
    return math.prod(len(part.values) if isinstance(part, Choice) else math.inf for part in space)


def _sampler(space: Sequence[Range | Choice], seed: int) -> optuna.samplers.BaseSampler:
    """A training repeats itself to the digit, so no combination of choices is worth two."""
    if math.isinf(combinations(space)):
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    grid = {part.key: list(part.values) for part in space if isinstance(part, Choice)}
    return optuna.samplers.GridSampler(grid, seed)


def varied(config: Config, settings: dict[str, Any]) -> Config:
    """`config` with `section.key` settings changed."""
    values = config.model_dump(mode="json")
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if not isinstance(values.get(section), dict):
            raise ConfigError(f"'{key}': there is no section '{section}'")
        values[section][name] = value
    return make_config(values, "tune")


def best_score(run: Path) -> float:
    """The best validation score that a run's checkpoint remembers."""
    states = load(best_of(run))["callbacks"].values()
    found = [state["best_model_score"] for state in states if state.get("monitor") == "val_score"]
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
    """Trials that a kill left running are given up, and their settings tried again."""
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
    write_with(out / "history.png", lambda path: draw_history(over, path))
    if len({trial.value for trial in done}) > 1:  # else there is nothing to explain
        importance = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
        write_with(out / "importance.png", lambda path: draw_importance(importance, path))


def draw_history(trials: Sequence[optuna.trial.FrozenTrial], path: Path) -> None:
    """Scores in the order of the trials, and the best so far."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    done = [(t.number, t.value) for t in trials if t.value is not None]
    cut = [(t.number, _last(t)) for t in trials if t.value is None]
    best = [max(value for _, value in done[: n + 1]) for n in range(len(done))]
    axes.scatter(*zip(*done, strict=True), label="whole")
    if cut:
        axes.scatter(*zip(*cut, strict=True), marker="x", label="cut short")
    axes.step([number for number, _ in done], best, where="post", label="best so far")
    axes.set(xlabel="trial", ylabel="validation macro F1")
    axes.legend()
    figure.savefig(path, dpi=120)


def draw_importance(importance: dict[str, float], path: Path) -> None:
    """Share of the scores' variance that each setting explains (fANOVA)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.6 * len(importance) + 1.2), layout="constrained")
    axes = figure.subplots()
    names = list(importance)[::-1]
    axes.barh(names, [importance[name] for name in names])
    axes.set(xlabel="share of the variance explained", xlim=(0, 1))
    figure.savefig(path, dpi=120)


def _last(trial: optuna.trial.FrozenTrial) -> float:
    return trial.intermediate_values[trial.last_step] if trial.last_step is not None else 0.0
