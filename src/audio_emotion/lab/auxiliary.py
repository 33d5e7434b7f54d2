"""What else training asks of a clip, beside its emotion; of no use once the weights are found.

Each target is a linear layer on the network's last vector, with a cross entropy of its own
(Caruana, 1997).  Where its weight is below 0, the layer still learns to tell, but the network to
keep it from telling: its gradient arrives with the other sign (Ganin et al., 2016,
arXiv:1505.07818).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .data import Item

UNKNOWN = -1


def attributed(items: Sequence[Item], names: Sequence[str]) -> tuple[list[Item], list[int]]:
    """The items with a number for each attribute, and how many values each attribute has.

    Values are those of the training part; others are unknown, and so is what a clip does not state.
    """
    training = [item for item in items if item.part == "train"]
    known = [sorted({value for i in training if (value := _stated(i, name))}) for name in names]
    places = [{value: n for n, value in enumerate(values)} for values in known]
    found = [
        dataclasses.replace(
            item,
            attributes=tuple(
                place.get(_stated(item, name) or "", UNKNOWN)
                for name, place in zip(names, places, strict=True)
            ),
        )
        for item in items
    ]
    return found, [len(values) for values in known]


def _stated(item: Item, name: str) -> str | None:
    """A speaker's name says who it is in one corpus only."""
    value: str | None = item.clip.voice if name == "speaker" else getattr(item.clip, name)
    return value


class Auxiliary(nn.Module):
    """The loss of the further targets.

    Args:
        weights: of the targets.
        sizes: number of values of each.
        embedding_size: of the network's last vector.
    """

    def __init__(self, weights: Sequence[float], sizes: Sequence[int], embedding_size: int) -> None:
        super().__init__()
        self.weights = weights
        self.layers = nn.ModuleList(nn.Linear(embedding_size, max(1, size)) for size in sizes)

    def forward(self, embedded: Tensor, attributes: Tensor) -> Tensor:
        """`(batch, embedding_size)` and `(batch, targets)` → the weighted mean loss."""
        embedded = embedded.float()
        hidden = _Reversed.apply(embedded)  # type: ignore[no-untyped-call]
        total = embedded.new_zeros(())
        for weight, layer, target in zip(self.weights, self.layers, attributes.T, strict=True):
            logits = layer(hidden if weight < 0 else embedded)
            losses = nn.functional.cross_entropy(
                logits, target, ignore_index=UNKNOWN, reduction="none"
            )
            total = total + abs(weight) * losses.mean()
        return total


class _Reversed(torch.autograd.Function):
    """The same on the way there, the other sign on the way back."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]
