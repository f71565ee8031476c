"""Quality against compute: one point per model, the Pareto front as a line, as inline SVG."""

from __future__ import annotations

from html import escape

from ..tables.columns import heading
from ..tables.entry import Entry
from ..tables.pareto import Trade
from .svg import Axis, axis, drawing, rule, spread_out, thinned, tick_below

_W, _H = 720, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 120, 34, 40
_LINE, _LETTER = 14, 8  # pixels between two names, and of a letter with the room about it
_NAMED = 12  # among more models, those on the front alone are named


def pareto_plot(found: Trade) -> str:
    """Draws a quality over a cost, or returns "" below two models.

    Bars are one standard error. An axis is logarithmic where it spans more than a factor of 30.

    Args:
        found: Cost and quality of the models of a task.
    """
    cells = found.finite
    if len(cells) < 2:
        return ""
    x = axis([a.value or 0.0 for a, _ in cells.values()], _LEFT, _W - _RIGHT)
    errors = sorted(b.stderr or 0.0 for _, b in cells.values())
    ends = [end for _, quality in cells.values() for end in _ends(quality)]
    y = axis(ends, _H - _BOTTOM, _TOP, errors[len(errors) // 2])
    body = [tick_below(t, x(t), _H - _BOTTOM) for t in spread_out(x.ticks(), x)]
    body += [rule(t, y(t), _LEFT, _W - _RIGHT) for t in thinned(y.ticks(), y)]
    unit = f" ({found.cost.cost_unit})" if found.cost.cost_unit else ""
    body.append(
        f'<text x="{(_LEFT + _W - _RIGHT) / 2}" y="{_H - 6}" text-anchor="middle">'
        f"{escape(found.cost.plain + unit)}</text>"
        f'<text x="{_LEFT}" y="13">{escape(heading(found.quality))}</text>'
    )
    places = {m: (x(a.value or 0.0), y(b.value or 0.0)) for m, (a, b) in cells.items()}
    front = [model for model in found.front if model in places]
    path = "M" + "L".join(f"{places[m][0]:.1f} {places[m][1]:.1f}" for m in front)
    body.append(f'<path class="line c0" d="{path}"/>')
    named = places if len(places) <= _NAMED else front
    # A front falls to the right where lower is better, and rises where higher is: names stand on
    # its free side.
    away = 1 if found.quality.direction == "higher" else -1
    heights = _apart({m: (places[m][0], places[m][1] + 4 + 9 * away) for m in named}, away)
    body += [_point(m, places[m], cells[m][1], y, heights.get(m), m in front) for m in places]
    return drawing(_W, _H, _told(found, front), "".join(body))


def _ends(quality: Entry) -> tuple[float, float]:
    value, error = quality.value or 0.0, quality.stderr or 0.0
    return value - error, value + error


def _point(
    model: str,
    place: tuple[float, float],
    quality: Entry,
    y: Axis,
    label: float | None,
    best: bool,
) -> str:
    a, b = place
    name = "" if label is None else f'<text x="{a + 8:.1f}" y="{label:.1f}">{escape(model)}</text>'
    low, high = (y(end) for end in _ends(quality))
    return (
        f'<g class="{"model" if best else "control"}" data-model="{escape(model)}">'
        f"<title>{escape(model)}</title>"
        f'<path class="bar" d="M{a:.1f} {low:.1f}V{high:.1f}"/>'
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4"/>{name}</g>'
    )


def _apart(places: dict[str, tuple[float, float]], away: int) -> dict[str, float]:
    """Moves names up (`away` = -1) or down (1) from others that they would lie on."""
    done: dict[str, tuple[float, float]] = {}
    for model, (a, b) in sorted(places.items(), key=lambda item: away * item[1][1]):
        near = [
            away * d
            for name, (c, d) in done.items()
            if c < a + _LETTER * len(model) and a < c + _LETTER * len(name)
        ]
        for other in (away * d for d in sorted(near)):
            if abs(other - b) < _LINE:
                b = other + away * _LINE
        done[model] = a, b
    return {model: b for model, (_, b) in done.items()}


def _told(found: Trade, front: list[str]) -> str:
    return (
        f"{found.quality.label} against {found.cost.plain}; "
        f"nobody is better and cheaper than {', '.join(front)}"
    )
