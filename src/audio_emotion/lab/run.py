"""What a training leaves in its folder: its configuration and weights, read and taken on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import yaml
from torch import Tensor

from ..config import Config, make_config
from ..errors import TrainingError
from ..labels import EMOTIONS
from .checkpoints import ENDING, load, save
from .module import EmotionModule

HEAD = "classifier."  # where the last layer's names begin, in every network
STEM = "stem.0.weight"  # of `VoiceResNet`, which sees the pictures


def stored_config(run: Path) -> Config:
    """The configuration that `run` was started with.

    Raises:
        TrainingError: `run` holds none.
    """
    path = run / "config.yaml"
    try:
        return make_config(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise TrainingError(f"{run} is not the folder of a training: no {path.name}") from error


def best_of(run: Path) -> Path:
    """The checkpoint with the best validation score of `run`."""
    return run / "checkpoints" / f"best{ENDING}"


def last_of(run: Path) -> Path:
    """The checkpoint after the last whole epoch of `run`, to resume from."""
    return run / "checkpoints" / f"last{ENDING}"


def begin_from(inits: Sequence[Path], module: EmotionModule) -> None:
    """Put the weights of other runs, or of exported checkpoints, into a new `module`.

    Of several it is their mean (Wortsman et al., 2022, arXiv:2203.05482), which only helps where
    they began alike.  Where the labels are others, rows of the last layer go by their names.  A
    picture of the pitch that the weights did not see is one more picture, of no weight yet.

    Raises:
        TrainingError: as `load_weights`.
    """
    mean: dict[str, Tensor] = {}
    for init in inits:
        _begin_from_one(init, module)
        for name, value in module.state_dict().items():
            mean[name] = mean.get(name, 0) + value / len(inits)
    fitting = {name: mean[name].to(value.dtype) for name, value in module.state_dict().items()}
    module.load_state_dict(fitting)


def _begin_from_one(init: Path, module: EmotionModule) -> None:
    if init.suffix != ENDING:
        load_weights(best_of(init), module, stored_config(init).labels)
        return
    run = init.parent.parent  # where the checkpoint of a training lies
    known = stored_config(run).labels if (run / "config.yaml").exists() else EMOTIONS
    load_weights(init, module, load(init).get("labels", known))


def load_weights(
    checkpoint: Path, module: EmotionModule, labels: Sequence[str] | None = None
) -> None:
    """Put the weights of a checkpoint that are judged into `module`, running mean included.

    Args:
        checkpoint: of a run, or exported.
        module: what it becomes.
        labels: of the checkpoint, where they may be others than the module's: rows of labels that
            both have are taken, rows of new labels stay as they are.

    Raises:
        TrainingError: the checkpoint is missing, damaged, or of another network.
    """
    state = load(checkpoint)
    try:
        weights = state["state_dict"]
        averaged = any(name.startswith("average.") for name in weights)
        prefix = "average." if averaged else "network."
        judged = {
            name.partition(".")[2]: value
            for name, value in weights.items()
            if name.startswith(prefix)
        }
        if labels is not None and tuple(labels) != module.config.labels:
            judged |= _rows(judged, module, labels)
        frontend = {name: weights[f"frontend.{name}"] for name in ("mean", "deviation")}
        sees_pitch = module.config.frontend.features == "pitch"
        if labels is not None and sees_pitch and STEM in judged:
            stem = torch.zeros_like(module.judged.state_dict()[STEM])
            judged[STEM] = _widened(judged[STEM], stem, 1)
            own = module.frontend.state_dict()
            frontend = {name: _widened(value, own[name], 0) for name, value in frontend.items()}
        module.network.load_state_dict(judged)
        module.judged.load_state_dict(judged)
        module.frontend.load_state_dict(frontend)
    except (KeyError, RuntimeError, IndexError) as error:
        raise TrainingError(f"the weights in {checkpoint} are of another network") from error


def save_weights(module: EmotionModule, path: Path) -> None:
    """The weights as a checkpoint that `load_weights` reads."""
    parts = {"network": module.judged, "frontend": module.frontend}
    state = {f"{p}.{name}": v for p, part in parts.items() for name, v in part.state_dict().items()}
    save({"state_dict": state, "labels": list(module.config.labels)}, path)


def _widened(old: Tensor, new: Tensor, axis: int) -> Tensor:
    """`new` with its first pictures, along `axis`, as `old` has them."""
    widened = new.clone()
    widened.narrow(axis, 0, old.shape[axis]).copy_(old)
    return widened


def _rows(
    judged: dict[str, Tensor], module: EmotionModule, labels: Sequence[str]
) -> dict[str, Tensor]:
    """The last layer of `judged` for the module's labels."""
    own = module.judged.state_dict()
    last = [name for name in own if name.startswith(HEAD)][-2:]
    found = {}
    for name in last:
        found[name] = own[name].clone()
        for row, label in enumerate(module.config.labels):
            if label in labels:
                found[name][row] = judged[name][list(labels).index(label)]
    return found
