"""Checkpoints without pickle: tensors as safetensors, everything else as JSON in the header.

A nested dictionary, as Lightning makes it, becomes a single file that appears whole or not at all.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import TrainingError, translated
from ..files import write_with

HEADER = "audio_emotion_checkpoint"
SUFFIX = ".safetensors"


def save(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write nested dictionaries, lists, numbers, strings and tensors as one file, atomically."""
    tensors: dict[str, Tensor] = {}
    tree = _strip(dict(checkpoint), tensors)
    header = {HEADER: json.dumps(tree)}
    write_with(path, lambda temporary: save_file(tensors, temporary, metadata=header))


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote.

    Raises:
        TrainingError: the file is missing, damaged or not a checkpoint of this package.
    """
    with translated(TrainingError, path):
        with safetensors.safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get(HEADER)
        if header is None:
            raise TrainingError(f"{path} is not a checkpoint of this version")
        tree, tensors = json.loads(header), load_file(path)
    try:
        restored: dict[str, Any] = dict(_restore(tree, tensors))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is damaged") from error
    return restored


def _strip(node: Any, tensors: dict[str, Tensor]) -> Any:
    """Return `node` in JSON's own types, with each tensor replaced by its key in `tensors`.

    JSON has no integer keys and no tuples, so a dictionary becomes a list of pairs and a tuple is
    marked.  Anything else is refused, because it could not be restored.
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
