"""Training checkpoints without pickle: tensors as safetensors, everything else as JSON.

Lightning hands a nested dictionary to a `CheckpointIO`; ours puts the tensors into one
safetensors file and the rest into its header, so a checkpoint is a single file that appears
whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from lightning.pytorch.plugins.io import CheckpointIO
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import TrainingError
from ..files import atomic_path

HEADER = "audio_emotion_checkpoint"
ENDING = ".safetensors"


class SafetensorsIO(CheckpointIO):
    """Lightning's checkpoints as safetensors files."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write `checkpoint`, whole or not at all."""
        save(checkpoint, Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read what `save_checkpoint` wrote; never unpickles."""
        return load(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete the file."""
        Path(path).unlink(missing_ok=True)


def save(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Nested dictionaries, lists, numbers, strings and tensors as one file."""
    tensors: dict[str, Tensor] = {}
    tree = _strip(dict(checkpoint), tensors)
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER: json.dumps(tree)})


def load(path: Path) -> dict[str, Any]:
    """Inverse of `save`.

    Raises:
        TrainingError: the file is missing, damaged or not a checkpoint of this package.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            tree = json.loads((file.metadata() or {})[HEADER])
        tensors = load_file(path)
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise TrainingError(f"{path} is not a readable checkpoint: {error}") from error
    restored: dict[str, Any] = _restore(tree, tensors)
    return restored


def _strip(node: Any, tensors: dict[str, Tensor]) -> Any:
    """`node` with each tensor replaced by its key in `tensors`, in JSON's own types.

    JSON knows no integer keys and no tuples, so a dictionary becomes a list of pairs and a tuple is
    marked; anything else is refused, since it could not be restored.
    """
    if isinstance(node, Tensor):
        key = str(len(tensors))
        tensors[key] = node.detach().contiguous().clone()
        return {"tensor": key}
    if isinstance(node, Mapping):
        return {"items": [[_strip(k, tensors), _strip(v, tensors)] for k, v in node.items()]}
    if isinstance(node, tuple):
        return {"tuple": [_strip(value, tensors) for value in node]}
    if isinstance(node, list):
        return [_strip(value, tensors) for value in node]
    if isinstance(node, Path):
        return str(node)
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise TrainingError(f"a checkpoint cannot hold a {type(node).__name__}: {node!r}")


def _restore(node: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, list):
        return [_restore(value, tensors) for value in node]
    if not isinstance(node, dict):
        return node
    if "tensor" in node:
        return tensors[node["tensor"]]
    if "tuple" in node:
        return tuple(_restore(value, tensors) for value in node["tuple"])
    return {_restore(k, tensors): _restore(v, tensors) for k, v in node["items"]}
