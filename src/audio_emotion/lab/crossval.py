"""Every fold of a protocol trained, exported, and judged by the path that users take.

OUT/
  protocol.json       protocol, configuration, corpus and split: what the folds belong to
  fold-1/             a run folder, with model.onnx and answers.json, the test part's rows
  report.{html,md,json}

A fold whose answers are there is not trained again, and a fold that was killed goes on, so the same
command finishes what another began.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from ..classifier import Classifier
from ..config import Config, make_config
from ..corpora import Corpus
from ..corpora.corpus import fingerprint
from ..corpora.manifest import PARTS
from ..errors import TrainingError
from ..evaluation.analysis import Row
from ..evaluation.evaluate import judge
from ..evaluation.protocols import Fold, Protocol
from ..files import write_text
from .export import export
from .run import stored_data
from .train import train

ANSWERS = "answers.json"
PROTOCOL = "protocol.json"


def crossval(
    corpus: Corpus,
    protocol: Protocol,
    config: Config,
    out: Path,
    *,
    folds: Sequence[str] = (),
    init: Sequence[Path] = (),
    jobs: int = 1,
    trainer_options: dict[str, Any] | None = None,
) -> dict[str, list[Row]]:
    """Answers on the test part of each fold.

    Args:
        corpus: what the protocol was built over.
        protocol: the folds.
        config: of each training.
        out: folder to make, or to go on with.
        folds: names of those to run, others that are done are kept; all if empty.
        init: other cross-validations over the same folds, each of which begins with the mean of
            the weights that its namesakes there came to.
        jobs: folds trained at once, sharing the processor's threads.
        trainer_options: as `train`.

    Returns:
        Rows by fold, of every fold that is done.

    Raises:
        TrainingError: `out` holds another protocol's, configuration's or corpus' folds, or a fold
            is named that there is not; or a fold of `init` is not finished, or heard other clips.
    """
    unknown = sorted(set(folds) - {fold.name for fold in protocol.folds})
    if unknown:
        raise TrainingError(
            f"{protocol.name} has no fold {unknown[0]!r}, but {len(protocol.folds)}"
        )
    splits = _splits(corpus, protocol)
    wanted = [fold for fold in protocol.folds if not folds or fold.name in folds]
    missing = [fold for fold in wanted if not (out / f"fold-{fold.name}" / ANSWERS).exists()]
    facts = _belongs_to(corpus, protocol, config, init, splits)
    for fold in missing:
        for other in init:
            _check_init(other / f"fold-{fold.name}", splits[fold.name])
    _check_out(out, facts)
    run = partial(_run, corpus, protocol, config, out, init, jobs, trainer_options or {})
    if jobs == 1:
        for fold in missing:
            run(fold)
    else:
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            list(pool.map(run, missing))
    return finished(out, protocol)


def finished(out: Path, protocol: Protocol) -> dict[str, list[Row]]:
    """Rows of each fold that has been answered."""
    paths = {fold.name: out / f"fold-{fold.name}" / ANSWERS for fold in protocol.folds}
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name, path in paths.items()
        if path.exists()
    }


def _run(
    corpus: Corpus,
    protocol: Protocol,
    config: Config,
    out: Path,
    init: Sequence[Path],
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
        init=[other / run.name for other in init],
        parts=fold.parts,
        protocol=f"{protocol.name} {protocol.version}, fold {fold.name}: {protocol.promise}",
        trainer_options=options,
    )
    export(run, run / "model.onnx")
    rows, errors = judge(
        Classifier(run / "model.onnx"), (corpus.clips[n] for n in fold.members("test"))
    )
    if errors:
        raise TrainingError(f"fold {fold.name}: {errors[0]['clip']}: {errors[0]['error']}")
    write_text(run / ANSWERS, json.dumps(rows) + "\n")


def _splits(corpus: Corpus, protocol: Protocol) -> dict[str, dict[str, str]]:
    """By fold, the fingerprint of each of its parts, as `train` writes it into a run folder."""
    digests = corpus.digests()
    return {
        fold.name: {part: fingerprint(digests[n] for n in fold.members(part)) for part in PARTS}
        for fold in protocol.folds
    }


def _check_init(run: Path, split: dict[str, str]) -> None:
    """Refuse weights that were trained or chosen on other clips: they may have heard the test."""
    if not (run / ANSWERS).exists():
        raise TrainingError(f"{run} is no finished fold to begin with")
    heard = stored_data(run)["fingerprint"]
    for part, clips in split.items():
        if heard[part] != clips:
            raise TrainingError(
                f"the {part} part of {run} is another than this fold's, whose test clips its "
                "weights may have heard; begin with the same protocol over the same corpora"
            )


def _belongs_to(
    corpus: Corpus,
    protocol: Protocol,
    config: Config,
    init: Sequence[Path],
    splits: dict[str, dict[str, str]],
) -> dict[str, Any]:
    """What all folds of a folder share, and what those of the folders they began with shared."""
    return {
        "protocol": protocol.name,
        "version": protocol.version,
        "split": splits,
        "corpus": corpus.name,
        "config": config.model_dump(mode="json"),
        "init": [_begun(other) for other in init],
    }


def _begun(init: Path) -> Any:
    path = init / PROTOCOL
    if not path.exists():
        raise TrainingError(f"{init} is no cross-validation to begin with: no {PROTOCOL}")
    return json.loads(path.read_text(encoding="utf-8"))


def _check_out(out: Path, facts: dict[str, Any]) -> None:
    """Claim a new folder, or refuse one that was begun with something else."""
    path = out / PROTOCOL
    if not path.exists():
        if out.exists() and any(out.iterdir()):
            raise TrainingError(f"{out} exists already and is no cross-validation; name another")
        write_text(path, json.dumps(facts, indent=2) + "\n")
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    before["config"] = make_config(before["config"], str(path)).model_dump(mode="json")
    for name, value in json.loads(json.dumps(facts)).items():
        if before.get(name) != value:
            raise TrainingError(
                f"{out} was begun with another {name} than this command's; name another folder"
            )
