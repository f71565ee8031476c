"""Figures for a paper, as PDF, SVG or PNG: one file per picture, for one column of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...benchmark.contract.files import folder_for
from ...benchmark.contract.record import safe_name
from ..tables.across_tasks import CriticalDifference
from ..tables.board import Board
from ..tables.columns import Column, heading, label
from ..tables.curves import Point
from ..tables.entry import is_finite
from ..tables.pareto import Trade, trade
from ..tables.standings import Standings, standings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")
WIDTH = 5.5  # inches: the text width of many proceedings
# Okabe & Ito (2008): told apart by colour-blind readers; markers differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv<>"
CONTROL = "#7a7a7a"
_STYLE: Any = {
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "dgmbench",  # the same records make the same file
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "figure.constrained_layout.use": True,
}


def write_figures(boards: Mapping[str, Board], to: Path, form: str = "pdf") -> list[Path]:
    """Draws what the tables of a suite hold; returns the files.

    Of each task `<task>-values` (the leading metric of every model), `<task>-compute` (against
    the cost of training, with the Pareto front) and `<task>-evaluations` (against function
    evaluations); of several tasks `scores` (model by task) and `ranks` (critical differences).
    What there are no numbers for is left away.

    Args:
        boards: The tables of each task.
        to: The folder.
        form: One of `FORMATS`.

    Raises:
        ValueError: There is nothing to draw, or a file is where the folder is to be.
    """
    drawn: dict[str, Callable[[Figure], None]] = {}
    for task, board in boards.items():
        drawn |= _of_task(safe_name(task), board)
    overall = standings(boards)
    if len(overall.columns) > 1 and overall.rows:
        drawn["scores"] = lambda figure: _scores(figure, overall)
    if overall.critical:
        critical = overall.critical
        drawn["ranks"] = lambda figure: _ranks(figure, critical)
    if not drawn:
        raise ValueError("Expected records with numbers to draw, got none.")
    folder_for(to)
    return [_saved(draw, to / f"{name}.{form}") for name, draw in drawn.items()]


def _of_task(name: str, board: Board) -> dict[str, Callable[[Figure], None]]:
    lead = next((column for column in board.leading if not column.is_cost), None)
    if lead is None:
        return {}
    drawn: dict[str, Callable[[Figure], None]] = {
        f"{name}-values": lambda figure: _values(figure, board, lead)
    }
    found = trade([r for r in board.records if r.family != "control"], lead.metric)
    if found and len(found.finite) > 1:
        drawn[f"{name}-compute"] = lambda figure: _compute(figure, board.task, found)
    metrics = [column.metric for column in board.curve_columns]
    if metrics:
        metric = lead.metric if lead.metric in metrics else metrics[0]
        points = [p for p in board.curves if p.nfe and is_finite(p.entry(metric))]
        if points:
            drawn[f"{name}-evaluations"] = lambda figure: _evaluations(
                figure, board.task, points, metric
            )
    return drawn


def _saved(draw: Callable[[Figure], None], path: Path) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(_STYLE):
        figure = pyplot.figure(figsize=(WIDTH, 3.2))
        draw(figure)
        dated = {"Date": None} if path.suffix == ".svg" else {}
        dated |= {"CreationDate": None} if path.suffix == ".pdf" else {}
        figure.savefig(path, dpi=200, metadata=dated or None)
        pyplot.close(figure)
    return path


def _values(figure: Figure, board: Board, column: Column) -> None:
    """Numbers with error bars of one standard error, best on top; controls are hollow."""
    sign = -1 if column.direction == "higher" else 1
    rows = [row for row in board.rows if is_finite(row.cells[column])]
    rows.sort(key=lambda row: -sign * (row.cells[column].value or 0.0))
    figure.set_figheight(0.7 + 0.17 * len(rows))
    axes = figure.subplots()
    for place, row in enumerate(rows):
        cell, own = row.cells[column], CONTROL if row.role else COLOURS[0]
        axes.errorbar(
            cell.value or 0.0, place, xerr=cell.stderr or 0.0, fmt="o", markersize=4, color=own,
            markerfacecolor="white" if row.is_control else own, capsize=2,
        )  # fmt: skip
    named = [f"{row.model} ({row.role})" if row.role else row.model for row in rows]
    axes.set_yticks(range(len(rows)), named)
    _spread(axes, "x", [row.cells[column].value or 0.0 for row in rows])
    axes.set(title=board.task, xlabel=heading(column))
    axes.grid(axis="x", linewidth=0.4)


def _compute(figure: Figure, task: str, found: Trade) -> None:
    axes = figure.subplots()
    front = [model for model in found.front if model in found.finite]
    for model, (cost, quality) in found.finite.items():
        own = COLOURS[0] if model in front else CONTROL
        axes.errorbar(
            cost.value or 0.0, quality.value or 0.0, yerr=quality.stderr or 0.0, fmt="o",
            markersize=4,
            color=own, capsize=2,
        )  # fmt: skip
        if model in front:
            axes.annotate(
                model, (cost.value or 0.0, quality.value or 0.0), xytext=(5, 4),
                textcoords="offset points",
            )  # fmt: skip
    ends = [found.finite[model] for model in front]
    axes.plot(
        [cost.value or 0.0 for cost, _ in ends], [quality.value or 0.0 for _, quality in ends],
        color=COLOURS[0], linewidth=1, zorder=0,
    )  # fmt: skip
    axes.set_xscale("log")
    _spread(axes, "y", [quality.value or 0.0 for _, quality in found.finite.values()])
    unit = f" ({found.cost.cost_unit})" if found.cost.cost_unit else ""
    axes.set(title=task, xlabel=found.cost.plain + unit, ylabel=heading(found.quality))
    axes.margins(0.12)


def _evaluations(figure: Figure, task: str, points: Sequence[Point], metric: str) -> None:
    axes = figure.subplots()
    for place, model in enumerate(dict.fromkeys(p.model for p in points)):
        line = [p for p in points if p.model == model]
        axes.errorbar(
            [p.nfe or 0.0 for p in line], [p.entry(metric).value or 0.0 for p in line],
            yerr=[p.entry(metric).stderr or 0.0 for p in line], label=model, capsize=2,
            color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)],
            markersize=4, linewidth=1,
        )  # fmt: skip
    axes.set_xscale("log")
    _spread(axes, "y", [p.entry(metric).value or 0.0 for p in points])
    axes.set(title=task, xlabel="function evaluations per sample", ylabel=label(metric))
    axes.legend(frameon=False, ncols=2)


def _spread(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Makes an axis logarithmic where positive numbers span more than a factor of 30."""
    if min(values) > 0 and max(values) > 30 * min(values):
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")


def _scores(figure: Figure, overall: Standings) -> None:
    """Scores of every model on every task, best mean first; what a model lacks stays white."""
    import numpy as np

    tasks, rows = list(overall.columns), [row for row in overall.rows if row.scores]
    figure.set_size_inches(1.8 + 0.62 * len(tasks), 1.1 + 0.2 * len(rows))
    axes = figure.subplots()
    table = np.full((len(rows), len(tasks)), np.nan)
    for i, row in enumerate(rows):
        for j, task in enumerate(tasks):
            if task in row.scores:
                table[i, j] = row.scores[task].value
    axes.imshow(np.clip(table, 0, 1), cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    for i, j in np.argwhere(~np.isnan(table)):
        axes.text(j, i, f"{table[i, j]:.2f}".replace("-", "−"), ha="center", va="center")
    axes.set_yticks(range(len(rows)), [row.model for row in rows])
    axes.set_xticks(range(len(tasks)), tasks, rotation=30, ha="right")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("Score: 0 the best floor, 1 the oracle")


def _ranks(figure: Figure, found: CriticalDifference) -> None:
    """Mean ranks on one axis; models under one bar are not told apart (Demsar 2006, figure 1)."""
    names = sorted(found.ranks, key=lambda name: found.ranks[name])
    left, groups = (len(names) + 1) // 2, found.groups
    depth = 0.25 * len(groups) + 0.35
    figure.set_figheight(0.8 + 0.22 * (left + len(groups)))
    axes = figure.subplots()
    axes.plot([1, len(names)], [0, 0], color="black", linewidth=1)
    for rank in range(1, len(names) + 1):
        axes.plot([rank, rank], [0, 0.12], color="black", linewidth=1)
        axes.text(rank, 0.2, str(rank), ha="center", va="bottom")
    axes.plot([1, 1 + found.difference], [0.85, 0.85], color="black", linewidth=2)
    axes.text(1, 0.95, f"critical difference {found.difference:.2f}", va="bottom")
    for place, group in enumerate(groups):
        ends = found.ranks[group[0]] - 0.04, found.ranks[group[-1]] + 0.04
        axes.plot(ends, [-0.25 * (place + 1)] * 2, color=COLOURS[0], linewidth=3)
    for place, name in enumerate(names):
        on_left = place < left
        height = -depth - 0.4 * (place if on_left else len(names) - 1 - place)
        end = 0.9 if on_left else len(names) + 0.1
        at = found.ranks[name]
        axes.plot([at, at, end], [0, height, height], color=CONTROL, linewidth=0.8)
        axes.text(
            end, height, f" {name} {at:.2f} ", ha="right" if on_left else "left", va="center"
        )
    axes.set_xlim(-0.8, len(names) + 1.8)
    axes.axis("off")
