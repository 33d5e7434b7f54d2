"""Coordinates of drawings, as the attributes of SVG elements state them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Canvas:
    """A drawing whose axes both run from 0 to 1, upwards and to the right.

    >>> Canvas(100, 50).points([(0, 0), (1, 1)])
    '0,50 100,0'
    """

    width: int
    height: int
    margin: int = 0  # on the left and below, for the labels of the axes
    padding: int = 0  # on the right and above

    def x(self, value: float) -> float:
        """Return the horizontal coordinate of a value."""
        return round(self.margin + value * (self.width - self.margin - self.padding), 1)

    def y(self, value: float) -> float:
        """Return the vertical coordinate of a value."""
        return round(
            self.height - self.margin - value * (self.height - self.margin - self.padding), 1
        )

    def points(self, pairs: Iterable[tuple[float, float]]) -> str:
        """Return the `points` of a line or an outline."""
        return " ".join(f"{self.x(a)},{self.y(b)}" for a, b in pairs)

    def area(self, low: npt.NDArray[np.floating], high: npt.NDArray[np.floating]) -> str:
        """Return the outline between two curves that span the width."""
        x = np.linspace(0, 1, len(low)).tolist() if len(low) > 1 else [0.5]
        there = list(zip(x, high.tolist(), strict=True))
        back = list(zip(x, low.tolist(), strict=True))
        return self.points([*there, *reversed(back)])
