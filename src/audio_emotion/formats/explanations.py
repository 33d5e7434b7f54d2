"""Explanations for programs and people.

dict   plain values, for JSON
svg    the evidence for the predicted label over time and frequency
"""

from typing import Any

import numpy as np

from ..inference.explain import Explanation
from .html import render
from .svg import Canvas
from .writers import colour

CANVAS = Canvas(720, 320, margin=60, padding=24)
DECIMALS = 5
AGAINST = "#555555"  # the colour of cells that count against the label


def as_dict(found: Explanation) -> dict[str, Any]:
    """Return plain values.

    Keys: `label`, `sentence`, `probabilities` (by label, of the window explained), `times` (s) and
    `hertz`, the edges of the cells, and `evidence` (by label, a row for each band, from low to
    high).
    """
    return {
        "label": found.ranking[0],
        "sentence": found.sentence(),
        "probabilities": found.probabilities,
        "times": np.round(found.times, DECIMALS).tolist(),
        "hertz": np.round(found.hertz, 1).tolist(),
        "evidence": {label: np.round(found.of(label), DECIMALS).tolist() for label in found.labels},
    }


def as_svg(found: Explanation) -> str:
    """Return a drawing of the evidence for the predicted label; stronger cells are more opaque."""
    label = found.ranking[0]
    evidence = found.of(label)
    strongest = max(float(np.abs(evidence).max()), 1e-9)
    rows, columns = evidence.shape
    cells = [
        {
            "x": CANVAS.x(column / columns),
            "y": CANVAS.y((row + 1) / rows),
            "width": round(CANVAS.x(1 / columns) - CANVAS.x(0), 1),
            "height": round(CANVAS.y(0) - CANVAS.y(1 / rows), 1),
            "fill": colour(label) if evidence[row, column] > 0 else AGAINST,
            "opacity": round(abs(float(evidence[row, column])) / strongest, 3),
        }
        for row in range(rows)
        for column in range(columns)
    ]
    return render(
        "explanation.svg",
        title=found.sentence(),
        canvas=CANVAS,
        cells=cells,
        times=_ticks(found.times, columns // 4 or 1, "{:.1f} s"),
        hertz=_ticks(found.hertz, 2, "{:.0f} Hz"),
    )


def _ticks(edges: Any, step: int, text: str) -> list[tuple[float, str]]:
    """Return the position, in [0, 1], and the text of every `step`th edge."""
    last = len(edges) - 1
    return [(n / last, text.format(edges[n])) for n in range(0, last + 1, step)]
