"""Quality against function evaluations, one line per model, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..tables.columns import label
from ..tables.curves import Point
from ..tables.entry import is_finite
from .svg import Axis, axis, drawing, rule, spread_out, thinned, tick_below

_W, _H = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 130, 10, 34


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
    x = axis([p.nfe or 0.0 for p in drawn], _LEFT, _W - _RIGHT)
    errors = sorted(p.entries[metric].stderr or 0.0 for p in drawn)
    y = axis(
        [end for p in drawn for end in _ends(p, metric)],
        _H - _BOTTOM,
        _TOP,
        errors[len(errors) // 2],
    )
    body = [tick_below(t, x(t), _H - _BOTTOM) for t in spread_out(x.ticks(), x)]
    body += [rule(t, y(t), _LEFT, _W - _RIGHT) for t in thinned(y.ticks(), y)]
    body.append(
        f'<text x="{(_LEFT + _W - _RIGHT) / 2}" y="{_H - 4}" text-anchor="middle">'
        "function evaluations per sample</text>"
        f'<text x="{_W - _RIGHT}" y="{_TOP + 6}" text-anchor="end">{escape(label(metric))}</text>'
    )
    models = dict.fromkeys(p.model for p in drawn)
    for place, model in enumerate(models):
        line = [p for p in drawn if p.model == model]
        body.append(_line(line, metric, x, y, f"c{place % 4}"))
    return drawing(_W, _H, f"{label(metric)} against function evaluations", "".join(body))


def _ends(point: Point, metric: str) -> tuple[float, float]:
    entry = point.entries[metric]
    value, error = entry.value or 0.0, entry.stderr or 0.0
    return value - error, value + error


def _line(line: Sequence[Point], metric: str, x: Axis, y: Axis, css: str) -> str:
    places = [(x(p.nfe or 0.0), y(p.entries[metric].value or 0.0)) for p in line]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
    bars = "".join(
        f'<path class="line {css}" d="M{a:.1f} {y(low):.1f}V{y(high):.1f}"/>'
        f'<circle class="point {css}" cx="{a:.1f}" cy="{b:.1f}" r="4">'
        f"<title>{escape(p.model)}, {escape(p.question)}</title></circle>"
        for p, (a, b) in zip(line, places, strict=True)
        for low, high in [_ends(p, metric)]
    )
    a, b = places[-1]
    name = f'<text x="{a + 8:.1f}" y="{b + 4:.1f}">{escape(line[0].model)}</text>'
    return f'<g><path class="line {css}" d="{path}"/>{bars}{name}</g>'
