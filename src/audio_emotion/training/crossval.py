"""Train, export and evaluate every fold of a protocol, by the path that users take.

OUT/
  protocol.json       protocol, configuration, corpus and splits: what the folds belong to
  fold-1/             a run, with model.onnx and predictions.json, the rows of its test split
  report-…/           see `formats.report`

A fold with predictions is not trained again, and a fold that was killed is resumed, so the same
command finishes what another began.
"""

import json
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from ..config import Config
from ..datasets import Corpus
from ..datasets.clip import SPLITS
from ..errors import TrainingError, translated
from ..evaluation.analysis import Row
from ..evaluation.evaluate import predict_clips
from ..evaluation.protocols import Fold, Protocol
from ..files import contents, write_text
from ..inference.classifier import Classifier
from .export import export
from .train import train

PREDICTIONS = "predictions.json"
PROTOCOL = "protocol.json"


def crossval(
    corpus: Corpus,
    protocol: Protocol,
    config: Config,
    out: Path,
    *,
    folds: Sequence[str] = (),
    jobs: int = 1,
    trainer_options: dict[str, Any] | None = None,
) -> dict[str, list[Row]]:
    """Return the predictions on the test split of each fold.

    Args:
        corpus: what the protocol was built over.
        protocol: the folds.
        config: of each training.
        out: folder to make, or to continue.
        folds: names of those to run; others that are done are kept; all if empty.
        jobs: folds trained at once, sharing the processor's threads.
        trainer_options: as `train`.

    Returns:
        Rows by fold, of every fold that is done.

    Raises:
        TrainingError: `out` belongs to another protocol, configuration or corpus, or a fold is
            named that does not exist.
    """
    unknown = sorted(set(folds) - {fold.name for fold in protocol.folds})
    if unknown:
        raise TrainingError(
            f"{protocol.name} has no fold {unknown[0]!r}; it has {len(protocol.folds)} folds"
        )
    wanted = [fold for fold in protocol.folds if not folds or fold.name in folds]
    missing = [fold for fold in wanted if not (out / f"fold-{fold.name}" / PREDICTIONS).exists()]
    _claim(out, _facts(corpus, protocol, config))
    run = partial(_run, corpus, protocol, config, out, jobs, trainer_options or {})
    if jobs == 1:
        for fold in missing:
            run(fold)
    else:
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            list(pool.map(run, missing))
    return finished(out, protocol)


def finished(out: Path, protocol: Protocol) -> dict[str, list[Row]]:
    """Return the rows of each fold that is done."""
    paths = {fold.name: out / f"fold-{fold.name}" / PREDICTIONS for fold in protocol.folds}
    return {name: _read(path) for name, path in paths.items() if path.exists()}


def _run(
    corpus: Corpus,
    protocol: Protocol,
    config: Config,
    out: Path,
    jobs: int,
    options: dict[str, Any],
    fold: Fold,
) -> None:
    if jobs > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    run = out / f"fold-{fold.name}"
    print(f"{protocol.name}, fold {fold.name} of {len(protocol.folds)}", flush=True)
    train(
        corpus,
        config,
        run,
        resume=(run / "config.yaml").exists(),
        splits=fold.splits,
        protocol=f"{protocol.name} {protocol.version}, fold {fold.name}: {protocol.promise}",
        trainer_options=options,
    )
    export(run, run / "model.onnx")
    rows, errors = predict_clips(
        Classifier(run / "model.onnx", threads=1), (corpus.clips[n] for n in fold.members("test"))
    )
    if errors:
        first = f"{errors[0]['clip']}: {errors[0]['error']}"
        warnings.warn(
            f"fold {fold.name}: {len(errors)} clips without a prediction are left out; first: "
            f"{first}",
            stacklevel=2,
        )
    write_text(run / PREDICTIONS, json.dumps(rows) + "\n")


def _facts(corpus: Corpus, protocol: Protocol, config: Config) -> dict[str, Any]:
    """Return what all folds of a folder share."""
    digests = corpus.digests()
    return {
        "protocol": protocol.name,
        "version": protocol.version,
        "splits": {
            fold.name: {s: sorted(digests[n] or "" for n in fold.members(s)) for s in SPLITS}
            for fold in protocol.folds
        },
        "corpus": corpus.name,
        "config": config.model_dump(mode="json"),
    }


def _claim(out: Path, facts: dict[str, Any]) -> None:
    """Claim a new folder, or refuse one that was begun with something else."""
    path = out / PROTOCOL
    if not path.exists():
        if contents(out):
            raise TrainingError(f"{out} exists already and is no cross-validation; name another")
        write_text(path, json.dumps(facts) + "\n")
        return
    before = _read(path)
    for name, value in json.loads(json.dumps(facts)).items():
        if not isinstance(before, dict) or before.get(name) != value:
            raise TrainingError(
                f"{out} was begun with another {name} than this command's; name another folder"
            )


def _read(path: Path) -> Any:
    with translated(TrainingError, path):
        return json.loads(path.read_text(encoding="utf-8"))
