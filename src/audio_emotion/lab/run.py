"""What a training leaves in its folder: its configuration and weights, read and taken on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from ..config import Config, make_config
from ..errors import TrainingError
from ..labels import EMOTIONS
from .checkpoints import ENDING, load, save
from .module import EmotionModule
from .networks import Committee

DATA = "data.json"  # what a run was trained, chosen and tested with
HEAD = "classifier."  # of the last layers' names, in every network
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


def stored_data(run: Path) -> dict[str, Any]:
    """What `run` says of its corpus and of the clips in its parts.

    Raises:
        TrainingError: `run` says nothing.
    """
    try:
        data: dict[str, Any] = json.loads((run / DATA).read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{run} is not the folder of a training: no {DATA}") from error
    return data


def best_of(run: Path) -> Path:
    """The checkpoint with the best validation score of `run`."""
    return run / "checkpoints" / f"best{ENDING}"


def last_of(run: Path) -> Path:
    """The checkpoint after the last whole epoch of `run`, to resume from."""
    return run / "checkpoints" / f"last{ENDING}"


def run_of(checkpoint: Path) -> Path:
    """Where the run of a checkpoint lies, if it is one of a run."""
    return checkpoint.parent.parent


def begin_from(inits: Sequence[Path], module: EmotionModule) -> None:
    """Put the weights of other runs, or of exported checkpoints, into a new `module`.

    Of several it is their mean (Wortsman et al., 2022, arXiv:2203.05482), which only helps where
    they began alike; but a committee of as many gets one for each member.  Where the labels are
    others, rows of the last layer go by their names.  A picture of the pitch that the weights did
    not see is one more picture, of no weight yet.

    Raises:
        TrainingError: as `load_weights`; or the weights would be a committee, but do not see the
            same pictures.
    """
    if len(inits) == module.config.network.members > 1:
        _seat(inits, module)
        return
    mean: dict[str, Tensor] = {}
    for init in inits:
        _begin_from_one(init, module)
        for name, value in module.state_dict().items():
            mean[name] = mean.get(name, 0) + value / len(inits)
    fitting = {name: mean[name].to(value.dtype) for name, value in module.state_dict().items()}
    module.load_state_dict(fitting)


def _seat(inits: Sequence[Path], module: EmotionModule) -> None:
    """Each of the weights as a member of the module's committee."""
    config = module.config
    scales: list[dict[str, Tensor]] = []
    for number, init in enumerate(inits):
        network = config.network.of_member(number)
        alone = EmotionModule(config.model_copy(update={"network": network}))
        alone.frontend.load_state_dict(module.frontend.state_dict())  # for pictures new to them
        try:
            _begin_from_one(init, alone)
        except TrainingError as error:
            raise TrainingError(
                f"{error}: of as many weights as network.members each becomes one member, so each "
                "has to be a single network"
            ) from error
        scales.append(alone.frontend.state_dict())
        if any(not torch.allclose(value, scales[0][name]) for name, value in scales[-1].items()):
            raise TrainingError(
                f"{init} and {inits[0]} scale their pictures differently, so they cannot look at "
                "the same ones; take trainings on the same clips"
            )
        for committee in (module.network, module.judged):
            assert isinstance(committee, Committee)
            committee.members[number].load_state_dict(alone.judged.state_dict())
    module.frontend.load_state_dict(scales[0])


def _begin_from_one(init: Path, module: EmotionModule) -> None:
    if init.suffix != ENDING:
        load_weights(best_of(init), module, stored_config(init).labels)
        return
    run = run_of(init)
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
        stems = [name for name in judged if name.endswith(STEM)]
        if labels is not None and sees_pitch and stems:
            for name in stems:
                new = torch.zeros_like(module.judged.state_dict()[name])
                judged[name] = _widened(judged[name], new, 1)
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
    heads: dict[str, list[str]] = {}  # by member
    for name in own:
        if HEAD in name:
            heads.setdefault(name.partition(HEAD)[0], []).append(name)
    found = {}
    for name in (name for names in heads.values() for name in names[-2:]):
        found[name] = own[name].clone()
        for row, label in enumerate(module.config.labels):
            if label in labels:
                found[name][row] = judged[name][list(labels).index(label)]
    return found
