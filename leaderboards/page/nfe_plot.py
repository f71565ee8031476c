"""Quality against function evaluations, one line per model, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from ..tables.columns import label
from ..tables.curves import Point
from ..tables.entry import is_finite
from .svg import Axis, axis, drawing, rule, spread_out, thinned, tick_below

_W, _H = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 170, 10, 34
_COLOURS, _DASHES = 4, ("", "7 3", "2 3", "7 3 2 3")  # lines of one colour differ in their dashes
_LINE, _LEAD, _KEY = 14, 12, 26  # pixels between names, from the axis to their keys, of a key


def nfe_plot(points: Sequence[Point], metric: str) -> str:
    """Draws a metric over function evaluations per sample, or returns "" below two points.

    Bars are one standard error. An axis is logarithmic where it spans more than a factor of 30.

    Args:
        points: The points of a task.
        metric: Name of the metric.
    """
    drawn = [p for p in points if p.nfe and metric in p.entries and is_finite(p.entries[metric])]
    if len(drawn) < 2:
        return ""
    lines: dict[str, list[Point]] = {}
    for point in drawn:
        lines.setdefault(point.model, []).append(point)
    high = max(_H, _TOP + _BOTTOM + _LINE * (len(lines) + 1))  # every name finds its place
    x = axis([p.nfe or 0.0 for p in drawn], _LEFT, _W - _RIGHT)
    errors = sorted(p.entries[metric].stderr or 0.0 for p in drawn)
    y = axis(
        [end for p in drawn for end in _ends(p, metric)],
        high - _BOTTOM,
        _TOP,
        errors[len(errors) // 2],
    )
    body = [tick_below(t, x(t), high - _BOTTOM) for t in spread_out(x.ticks(), x)]
    body += [rule(t, y(t), _LEFT, _W - _RIGHT) for t in thinned(y.ticks(), y)]
    body.append(
        f'<text x="{(_LEFT + _W - _RIGHT) / 2}" y="{high - 4}" text-anchor="middle">'
        "function evaluations per sample</text>"
        f'<text x="{_W - _RIGHT}" y="{_TOP + 6}" text-anchor="end">{escape(label(metric))}</text>'
    )
    ends = {model: y(line[-1].entries[metric].value or 0.0) for model, line in lines.items()}
    heights = _apart(ends, high - _BOTTOM)
    for place, (model, line) in enumerate(lines.items()):
        body.append(_line(line, metric, x, y, place, heights[model]))
    return drawing(_W, high, f"{label(metric)} against function evaluations", "".join(body))


def _ends(point: Point, metric: str) -> tuple[float, float]:
    entry = point.entries[metric]
    value, error = entry.value or 0.0, entry.stderr or 0.0
    return value - error, value + error


def _apart(places: Mapping[str, float], bottom: float) -> dict[str, float]:
    """Moves the names of lines apart that end at about one height, none below the bottom."""
    names = sorted(places, key=lambda name: places[name])
    found: list[float] = []
    for name in names:
        found.append(max(places[name], found[-1] + _LINE if found else _TOP + _LINE))
    for place in reversed(range(len(found))):
        found[place] = bottom = min(found[place], bottom)
        bottom -= _LINE
    return dict(zip(names, found, strict=True))


def _line(line: Sequence[Point], metric: str, x: Axis, y: Axis, place: int, height: float) -> str:
    places = [(x(p.nfe or 0.0), y(p.entries[metric].value or 0.0)) for p in line]
    css, dash = f"c{place % _COLOURS}", _DASHES[place // _COLOURS % len(_DASHES)]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
    bars = "".join(
        f'<path class="line {css}" d="M{a:.1f} {y(low):.1f}V{y(high):.1f}"/>'
        f'<circle class="point {css}" cx="{a:.1f}" cy="{b:.1f}" r="4">'
        f"<title>{escape(p.model)}, {escape(p.question)}</title></circle>"
        for p, (a, b) in zip(line, places, strict=True)
        for low, high in [_ends(p, metric)]
    )
    dashed, key = f'class="line {css}" stroke-dasharray="{dash}"', _W - _RIGHT + _LEAD
    name = (
        f'<path {dashed} d="M{key} {height:.1f}h{_KEY}"/>'
        f'<text x="{key + _KEY + 6}" y="{height + 4:.1f}">{escape(line[0].model)}</text>'
    )
    return f'<g><path {dashed} d="{path}"/>{bars}{name}</g>'
