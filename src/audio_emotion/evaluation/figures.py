"""Small plots as SVG text, for a page that must work without a script, a network or a library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 340, 260, 44
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def line_plot(
    points: Sequence[tuple[float, float]],
    *,
    title: str,
    x: str,
    y: str,
    diagonal: bool = False,
    dots: bool = False,
) -> str:
    """A line through `points`, both axes from 0 to 1.

    Args:
        points: in the order they are joined.
        title: read aloud in place of the picture.
        x: name of the horizontal axis.
        y: name of the vertical axis.
        diagonal: whether to draw the line where both are equal.
        dots: whether to mark the points.
    """
    parts = [_grid(x, y)]
    if diagonal:
        parts.append(f'<path class=ideal d="{_path([(0, 0), (1, 1)])}"/>')
    parts.append(f'<path class=curve d="{_path(points)}"/>')
    if dots:
        parts += [f'<circle cx="{_x(a):.1f}" cy="{_y(b):.1f}" r="4"/>' for a, b in points]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _grid(x: str, y: str) -> str:
    lines = []
    for tick in TICKS:
        lines += [
            f'<path class=grid d="{_path([(tick, 0), (tick, 1)])}"/>',
            f'<path class=grid d="{_path([(0, tick), (1, tick)])}"/>',
            f'<text x="{_x(tick):.1f}" y="{_y(0) + 16:.1f}" text-anchor="middle">{tick:g}</text>',
            f'<text x="{_x(0) - 6:.1f}" y="{_y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>',
        ]
    middle = _y(0.5)
    return "".join(lines) + (
        f'<text x="{_x(0.5):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x)}</text>'
        f'<text x="12" y="{middle:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 12 {middle:.1f})">{escape(y)}</text>'
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{_x(a):.1f},{_y(b):.1f}" for a, b in points)


def _x(value: float) -> float:
    return MARGIN + value * (WIDTH - MARGIN - 10)


def _y(value: float) -> float:
    return HEIGHT - MARGIN - value * (HEIGHT - MARGIN - 10)
