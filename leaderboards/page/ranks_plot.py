"""Mean ranks on one axis, with a bar over models that are not told apart, as inline SVG."""

from __future__ import annotations

from html import escape

from ..tables.across_tasks import CriticalDifference

_W, _SIDE, _AXIS, _STEP = 720, 150, 46, 18


def ranks_plot(found: CriticalDifference) -> str:
    """Draws a critical-difference diagram (Demsar 2006, figure 1), the best rank to the left.

    Args:
        found: Mean ranks and what they may differ by.
    """
    names = sorted(found.ranks, key=lambda name: found.ranks[name])
    worst = len(names)

    def x(rank: float) -> float:
        return _SIDE + (_W - 2 * _SIDE) * (rank - 1) / (worst - 1)

    left = (len(names) + 1) // 2
    groups = found.groups
    top = _AXIS + 12 + 9 * len(groups)
    height = top + _STEP * left + 14
    parts = [
        f'<svg viewBox="0 0 {_W} {height:g}" role="img" aria-label="{escape(_told(found))}">',
        _line(x(1), 14, x(1) + x(1 + found.difference) - x(1), 14, "bar"),
        f'<text x="{x(1) + 4:.1f}" y="10">critical difference {found.difference:.2f}</text>',
        _line(x(1), _AXIS, x(worst), _AXIS, "rule"),
    ]
    for rank in range(1, worst + 1):
        parts += [
            _line(x(rank), _AXIS - 5, x(rank), _AXIS, "rule"),
            f'<text x="{x(rank):.1f}" y="{_AXIS - 9}" text-anchor="middle">{rank}</text>',
        ]
    for place, group in enumerate(groups):
        y = _AXIS + 8 + 9 * place
        first, last = found.ranks[group[0]], found.ranks[group[-1]]
        parts.append(_line(x(first) - 3, y, x(last) + 3, y, "group"))
    for place, name in enumerate(names):
        on_left = place < left
        row = place if on_left else len(names) - 1 - place
        y, at = top + _STEP * row + 8, x(found.ranks[name])
        end = _SIDE - 8 if on_left else _W - _SIDE + 8
        anchor = "end" if on_left else "start"
        shift = -4 if on_left else 4
        parts += [
            f'<polyline class="rule" fill="none" points="{at:.1f},{_AXIS} {at:.1f},{y:g} '
            f'{end:g},{y:g}"/>',
            f'<g class="model"><text x="{end + shift:g}" y="{y + 4:g}" text-anchor="{anchor}">'
            f"{escape(name)} {found.ranks[name]:.2f}</text></g>",
        ]
    return "".join([*parts, "</svg>"])


def _told(found: CriticalDifference) -> str:
    ranks = ", ".join(
        f"{name} {found.ranks[name]:.2f}"
        for name in sorted(found.ranks, key=lambda name: found.ranks[name])
    )
    return f"Mean ranks over {found.tasks} tasks: {ranks}"


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line class="{css}" x1="{x1:.1f}" y1="{y1:g}" x2="{x2:.1f}" y2="{y2:g}"/>'
