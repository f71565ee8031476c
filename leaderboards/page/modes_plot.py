"""Modes found in training against states visited, one line per model, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from .svg import Axis, axis, drawing, rule, spread_out, thinned, tick_below

_W, _H = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 130, 10, 34


def modes_plot(found: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draws how many modes were found by the states visited, or returns "" without any.

    Args:
        found: By model, (states visited, modes found), in the order of the states.
    """
    lines = {model: [row for row in rows if row[0] > 0] for model, rows in found.items()}
    lines = {model: rows for model, rows in lines.items() if rows}
    if not lines:
        return ""
    x = axis([at for rows in lines.values() for at, _ in rows], _LEFT, _W - _RIGHT)
    most = max(modes for rows in lines.values() for _, modes in rows)
    y = Axis(0.0, most or 1.0, _H - _BOTTOM, _TOP)
    body = [tick_below(t, x(t), _H - _BOTTOM) for t in spread_out(x.ticks(), x)]
    body += [rule(t, y(t), _LEFT, _W - _RIGHT) for t in thinned(y.ticks(), y)]
    body.append(
        f'<text x="{(_LEFT + _W - _RIGHT) / 2}" y="{_H - 4}" text-anchor="middle">'
        "states whose reward was asked for</text>"
        f'<text x="{_LEFT + 6}" y="{_TOP + 6}">modes found</text>'
    )
    used: list[float] = []
    for place, (model, rows) in enumerate(lines.items()):
        body.append(_line(model, rows, x, y, f"c{place % 4}", used))
    return drawing(_W, _H, "modes found against states visited", "".join(body))


def _line(
    model: str,
    rows: Sequence[tuple[float, float]],
    x: Axis,
    y: Axis,
    css: str,
    used: list[float],
) -> str:
    """Steps: a mode stays found. The name stands at the end, below those that are there."""
    path = f"M{x(rows[0][0]):.1f} {y(0):.1f}"
    for at, modes in rows:
        path += f"H{x(at):.1f}V{y(modes):.1f}"
    a, b = x(rows[-1][0]), y(rows[-1][1]) + 4
    while any(abs(b - other) < 13 for other in used):
        b += 13
    used.append(b)
    name = f'<text x="{a + 8:.1f}" y="{b:.1f}">{escape(model)}</text>'
    return f'<g><path class="line {css}" d="{path}"/>{name}</g>'
