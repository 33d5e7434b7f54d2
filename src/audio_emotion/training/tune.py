"""Search for settings, trial by trial, on validation clips only.

OUT/
  study.db          Optuna's SQLite storage: the same command continues where it stopped
  trial-N/          a run each
  trials.csv        settings and scores, also drawn in history.png and importance.png
  best.yaml         the configuration of the best trial
  search.yaml       what the search is about, so that no other continues it
"""

import csv
import io
import itertools
import math
import random
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import optuna
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import TrialState

from ..config import Config, make_config
from ..datasets import Corpus
from ..errors import ConfigError, TrainingError, translated
from ..files import contents, write_text, write_with
from ..text import parse_yaml
from .checkpoints import load
from .run import BEST
from .train import train

STARTUP = 5  # trials that are never cut short, and drawn at random
FAIL = TrialState.FAIL
WARMUP = 0.25  # share of the epochs before a trial may be cut short
Space = dict[str, CategoricalDistribution | FloatDistribution]


def parse_space(texts: list[str]) -> Space:
    """Parse the values that settings are searched in.

    `train.lr=1e-4..1e-2:log` is a range by its logarithm, `network.dropout=0.3..0.5` an even one,
    `train.class_weights=none,sqrt` a choice.

    Raises:
        ConfigError: a text has none of these forms.

    >>> parse_space(["network.dropout=0.3..0.5"])
    {'network.dropout': FloatDistribution(high=0.5, log=False, low=0.3, step=None)}
    """
    space: Space = {}
    for text in texts:
        key, equals, values = text.partition("=")
        if not equals or "." not in key:
            raise ConfigError(
                f"'{text}' is not of the form section.key=low..high[:log] or section.key=a,b,c"
            )
        if ".." not in values:
            with translated(ConfigError, f"'{text}'"):
                choices = [parse_yaml(value) for value in values.split(",")]
            space[key] = CategoricalDistribution(choices)
            continue
        low, _, rest = values.partition("..")
        high, _, scale = rest.partition(":")
        try:
            log = {"": False, "log": True}[scale]
            space[key] = FloatDistribution(float(low), float(high), log=log)
        except (KeyError, ValueError) as error:
            raise ConfigError(f"'{text}': a range is low..high or low..high:log") from error
    return space


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
    space: Space,
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
    for key, values in space.items():  # before a folder is made
        ends = values.choices if isinstance(values, CategoricalDistribution) else vars(values)
        for value in ends if isinstance(ends, tuple) else (ends["low"], ends["high"]):
            varied(config, {key: value})
    _claim(out, config, space)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with translated(TrainingError, out / "study.db"):
        study = optuna.create_study(
            storage=f"sqlite:///{out / 'study.db'}",
            study_name="tune",
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(STARTUP, round(WARMUP * config.train.epochs)),
        )
        trials_before = len(study.get_trials(deepcopy=False))
    seed = config.train.seed + trials_before  # a restart draws anew
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    _retry(study, out)
    if _over(study):
        _write(study, config, out)  # as a kill may have kept it from being written
    order = _combined(space, config.train.seed)

    def objective(trial: optuna.Trial) -> float:
        drawn = {key: _draw(trial, key, values) for key, values in space.items()}
        run = out / f"trial-{trial.number}"
        print(f"trial {trial.number}: {drawn}", flush=True)
        # Losses of different settings are not comparable, so the score is always macro F1.
        compared = varied(config, {"train.monitor": "val_f1"} | drawn)
        options = dict(trainer_options or {})
        train(corpus, compared, run, watch=Report(trial), trainer_options=options)
        return best_score(run)

    while len(_over(study)) < min(trials, combinations(space)):
        if order:
            _enqueue(study, order)
        study.optimize(objective, n_trials=1)
        _write(study, config, out)
    return study


def combinations(space: Space) -> float:
    """Return the number of combinations; infinite if a setting is a range.

    >>> combinations(parse_space(["train.lr=1e-3,1e-4", "network.dropout=0.3,0.4,0.5"]))
    6
    """
    return math.prod(
        len(values.choices) if isinstance(values, CategoricalDistribution) else math.inf
        for values in space.values()
    )


def _draw(
    trial: optuna.Trial, key: str, values: CategoricalDistribution | FloatDistribution
) -> Any:
    if isinstance(values, CategoricalDistribution):
        return trial.suggest_categorical(key, values.choices)
    return trial.suggest_float(key, values.low, values.high, log=values.log)


def _combined(space: Space, seed: int) -> list[dict[str, Any]]:
    """Return all combinations of choices, shuffled; none if a setting is a range."""
    if math.isinf(combinations(space)):
        return []
    choices = [values.choices for values in space.values()]  # type: ignore[union-attr]
    found = [dict(zip(space, values, strict=True)) for values in itertools.product(*choices)]
    random.Random(seed).shuffle(found)
    return found


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
    states = load(run / BEST)["callbacks"].values()
    return next(float(state["best_model_score"]) for state in states if state.get("monitor"))


def _claim(out: Path, config: Config, space: Space) -> None:
    text = yaml.safe_dump(
        {"config": config.model_dump(mode="json"), "space": {k: str(v) for k, v in space.items()}}
    )
    path = out / "search.yaml"
    if path.exists():
        if path.read_text(encoding="utf-8") != text:
            raise TrainingError(f"{out} was begun with other settings; name another folder")
        return
    if contents(out):
        raise TrainingError(f"{out} exists already and is no search; name another folder")
    write_text(path, text)


def _over(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _retry(study: optuna.Study, out: Path) -> None:
    """Give up trials that a kill left running, and try their settings again, in other runs."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    for trial in study.get_trials(deepcopy=False, states=(FAIL,)):  # also what Ctrl-C ended
        shutil.rmtree(out / f"trial-{trial.number}", ignore_errors=True)
        _enqueue(study, [_settings(trial)])


def _enqueue(study: optuna.Study, wanted: Sequence[dict[str, Any]]) -> None:
    """Queue the first of the settings that no trial has had or waits for."""
    trials = study.get_trials(deepcopy=False)
    tried = [_settings(trial) for trial in trials if trial.state != FAIL]
    settings = next((one for one in wanted if one and one not in tried), None)
    if settings:
        study.enqueue_trial(settings)


def _settings(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """Return the settings of a trial, also of one that ended while they were drawn."""
    return dict(trial.system_attrs.get("fixed_params") or trial.params)


def _write(study: optuna.Study, config: Config, out: Path) -> None:
    over = _over(study)
    keys = sorted({key for trial in over for key in trial.params})
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["trial", "state", "score", *keys])
    for trial in over:
        last = trial.intermediate_values.get(trial.last_step or 0, 0.0)
        score = trial.value if trial.value is not None else last
        params = [trial.params.get(key, "") for key in keys]
        writer.writerow([trial.number, trial.state.name.lower(), f"{score:.5f}", *params])
    write_text(out / "trials.csv", stream.getvalue())
    done = [trial for trial in over if trial.value is not None]
    if not done:
        return
    best = varied(config, study.best_params).model_dump(mode="json")
    write_text(out / "best.yaml", yaml.safe_dump(best, sort_keys=False))
    from optuna.visualization.matplotlib import plot_optimization_history, plot_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        _save(plot_optimization_history(study), out / "history.png")
        if len({trial.value for trial in done}) > 1:  # otherwise there is nothing to explain
            evaluator = PedAnovaImportanceEvaluator()  # others need scikit-learn
            _save(plot_param_importances(study, evaluator=evaluator), out / "importance.png")


def _save(axes: Any, path: Path) -> None:
    from matplotlib import pyplot

    axes.figure.set_layout_engine("constrained")
    write_with(path, lambda temporary: axes.figure.savefig(temporary, dpi=120))
    pyplot.close(axes.figure)  # Optuna draws by pyplot, which keeps all figures
