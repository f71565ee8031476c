"""Training curves and the plot of a leading metric as inline SVG, written by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..tables.board import Board, Row
from ..tables.columns import Column
from ..tables.entry import Entry, is_finite, printed

_W, _H = 240, 110  # of one training curve
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 6, 6, 16
_BINS = 120
_WIDE, _NAMES, _STEP = 720, 150, 20  # of a plot of dots


@dataclass(frozen=True)
class Axis:
    """A map from numbers to a drawn interval.

    Attributes:
        low: Number at `start`.
        high: Number at `end`.
        start: Place of `low`.
        end: Place of `high`.
        bend: 0 for a straight axis; else t of asinh(x / t), which is logarithmic beyond t.
    """

    low: float
    high: float
    start: float
    end: float
    bend: float = 0.0

    def warp(self, x: float) -> float:
        """Returns x on the axis's own scale."""
        return math.asinh(x / self.bend) if self.bend else x

    def __call__(self, x: float) -> float:
        low, high = self.warp(self.low), self.warp(self.high)
        share = (self.warp(x) - low) / (high - low) if high > low else 0.5
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Returns a few round numbers within the axis."""
        inside = _decades(self.low, self.high, self.bend) if self.bend else []
        if len(inside) < 2:
            inside = _steps(self.low, self.high)
        return inside


def _steps(low: float, high: float) -> list[float]:
    if not high > low:
        return [low]
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def _decades(low: float, high: float, bend: float) -> list[float]:
    first = math.ceil(math.log10(bend) - 1e-9)
    last = math.floor(math.log10(max(abs(low), abs(high), bend)) + 1e-9)
    powers = [10.0**k for k in range(first, last + 1)]
    if len(powers) < 3:
        powers = [m * 10.0**k for k in range(first - 1, last + 1) for m in (1, 2, 5)]
    powers = powers[:: -max(1, math.ceil(len(powers) / 8))]
    signed = [-p for p in powers] + [0.0] + powers
    return sorted(x for x in signed if low <= x <= high)


def axis(values: Sequence[float], start: float, end: float, finest: float = 0.0) -> Axis:
    """Returns an axis over finite numbers, logarithmic where they span more than a factor of 30.

    Args:
        values: What must fit on it.
        start: Place of the lowest.
        end: Place of the highest.
        finest: Smallest difference that means something (a typical error bar), or 0.
    """
    low, high = min(values), max(values)
    sizes = sorted(abs(value) for value in values if value)
    bend = max(sizes[0], finest) if sizes else 0.0
    if not sizes or sizes[-1] <= 30 * bend:
        bend = 0.0
    if high == low:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    return Axis(low, high, start, end, bend)


def curves(players: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draws losses over steps, one line a player; breaks where a loss is not finite.

    Args:
        players: (step, loss) by player.
    """
    binned = {name: _binned(rows) for name, rows in players.items()}
    losses = [y for rows in binned.values() for _, y in rows if math.isfinite(y)]
    steps = [x for rows in players.values() for x, _ in rows]
    if not losses:
        return ""
    x = Axis(min(steps), max(steps), _LEFT, _W - _RIGHT)
    quarter = sorted(map(abs, losses))[len(losses) // 4]  # a loss that crosses 0 is no decade
    y = axis(losses, _H - _BOTTOM, _TOP, quarter)
    lines = [
        f'<path class="line c{place % 4}" d="{_path(rows, x, y)}"/>'
        for place, rows in enumerate(binned.values())
    ]
    scale = "".join(_tick_left(tick, y(tick)) for tick in thinned(y.ticks(), y))
    foot = (
        f'<text x="{_LEFT}" y="{_H - 3}">{min(steps):g}</text>'
        f'<text x="{_W - _RIGHT}" y="{_H - 3}" text-anchor="end">{max(steps):g} steps</text>'
    )
    return drawing(_W, _H, "training curve", scale + "".join(lines) + foot)


def rule(tick: float, place: float, left: float, right: float) -> str:
    """Draws a horizontal rule with its tick's label on the left."""
    return (
        f'<path class="rule" d="M{left} {place:.1f}H{right}"/>'
        f'<text x="{left - 6}" y="{place + 4:.1f}" text-anchor="end">{tick_label(tick)}</text>'
    )


def thinned(ticks: Sequence[float], place: Callable[[float], float]) -> list[float]:
    """Leaves out ticks of a vertical axis whose labels would touch."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or abs(place(tick) - place(kept[-1])) >= 13:
            kept.append(tick)
    return kept


def _binned(rows: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means over at most `_BINS` stretches of steps, so that a page stays small."""
    size = max(1, math.ceil(len(rows) / _BINS))
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [(sum(s for s, _ in p) / len(p), sum(v for _, v in p) / len(p)) for p in parts]


def _path(rows: Sequence[tuple[float, float]], x: Axis, y: Axis) -> str:
    parts, pen = [], "M"
    for step, loss in rows:
        if math.isfinite(loss):
            parts.append(f"{pen}{x(step):.1f} {y(loss):.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)


def _tick_left(tick: float, place: float) -> str:
    return (
        f'<path class="rule" d="M{_LEFT} {place:.1f}H{_W - _RIGHT}"/>'
        f'<text x="{_LEFT - 4}" y="{place + 3:.1f}" text-anchor="end">{tick_label(tick)}</text>'
    )


def tick_label(x: float) -> str:
    """Returns a number as it stands at an axis."""
    return f"{x:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def dots(board: Board, column: Column) -> str:
    """Draws a column as dots with error bars of one standard error, best on top, or "" if empty.

    Controls are hollow; dashed lines carry the values of the oracle, of noise and of the other
    floors down the plot.
    """
    rows = [row for row in board.rows if is_finite(row.cells[column])]
    if len(rows) < 2:
        return ""
    sign = -1 if column.direction == "higher" else 1
    rows.sort(key=lambda row: sign * (row.cells[column].value or 0.0))
    height = _STEP * len(rows) + 30
    x = _dot_axis([row.cells[column] for row in rows])
    body = [tick_below(t, x(t), height - 22) for t in spread_out(x.ticks(), x)]
    for row in rows:
        if row.role in ("ceiling", "floor"):
            place = x(row.cells[column].value or 0.0)
            body.append(f'<path class="guide" d="M{place:.1f} 4V{height - 22}"/>')
    body += [_dot(row, column, x, 14 + _STEP * place) for place, row in enumerate(rows)]
    return drawing(_WIDE, height, f"{column.label} of every model", "".join(body))


def _dot_axis(cells: Sequence[Entry]) -> Axis:
    errors = sorted(cell.stderr or 0.0 for cell in cells)
    ends = [
        (cell.value or 0.0) + sign * (cell.stderr or 0.0) for cell in cells for sign in (-1, 1)
    ]
    return axis(ends, _NAMES, _WIDE - 24, errors[len(errors) // 2])


def _dot(row: Row, column: Column, x: Axis, y: int) -> str:
    cell = row.cells[column]
    value, error = cell.value or 0.0, cell.stderr or 0.0
    number = printed(column, cell)
    own = "" if row.role else f' data-model="{escape(row.model)}"'
    return (
        f'<g class="{"control" if row.is_control else "model"}"'
        f"{own}><title>{escape(row.model)}: {number.text if number else ''}</title>"
        f'<text x="{_NAMES - 12}" y="{y + 4}" text-anchor="end">{escape(row.model)}</text>'
        f'<path class="bar" d="M{x(value - error):.1f} {y}H{x(value + error):.1f}"/>'
        f'<circle cx="{x(value):.1f}" cy="{y}" r="4"/></g>'
    )


def spread_out(ticks: Sequence[float], place: Callable[[float], float]) -> list[float]:
    """Leaves out ticks of a horizontal axis whose labels would touch."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or place(tick) - place(kept[-1]) >= 40:
            kept.append(tick)
    return kept


def tick_below(tick: float, place: float, bottom: float) -> str:
    """Draws a vertical rule with its number below."""
    return (
        f'<path class="rule" d="M{place:.1f} 4V{bottom}"/>'
        f'<text x="{place:.1f}" y="{bottom + 14}" text-anchor="middle">{tick_label(tick)}</text>'
    )


def drawing(width: int, height: int, title: str, body: str) -> str:
    """Returns an SVG element that scales with its page."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )
