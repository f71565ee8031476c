"""Quality against compute: one panel a task, one point a model, the Pareto front as a line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..tables.columns import heading
from ..tables.compare import Comparison
from ..tables.pareto import Trade, trade

SUFFIXES = (".png", ".pdf", ".svg")


def draw(comparison: Comparison, path: Path, metric: str = "", cost: str = "") -> None:
    """Draws all models of a comparison's records, without controls; PNG, PDF or SVG.

    Args:
        comparison: What to draw.
        path: The file.
        metric: The quality; by default the first of the task.
        cost: The cost; by default the first of `COSTS` that the models have.

    Raises:
        ValueError: No model has both on any task, or the suffix is none of a picture.
    """
    checked_path(path)
    panels = {}
    for task in dict.fromkeys(d.task for d in comparison.differences):
        records = [r for r in comparison.records if r.task == task and r.family != "control"]
        first = next(d.column for d in comparison.differences if d.task == task)
        found = trade(records, metric or first.metric, cost)
        if found is not None:
            panels[task] = found
    if not panels:
        raise ValueError("Expected models with a quality and a cost of training, got none.")
    _paint(panels, comparison.model, path)


def checked_path(path: Path) -> Path:
    """Returns the path of a picture.

    Raises:
        ValueError: Its suffix is none of a picture.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"Expected a picture as {', '.join(SUFFIXES)}, got {path.name}.")
    return path


def _paint(panels: Mapping[str, Trade], mine: str, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(4.6 * columns, 3.6 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, (task, found) in zip(axes.flat, panels.items(), strict=False):
        x, y, cells = found.cost, found.quality, found.models
        for model, (spent, quality) in cells.items():
            color = "#c0392b" if model == mine else "#34495e"
            axis.errorbar(
                spent.value, quality.value, yerr=quality.stderr, fmt="o", color=color, capsize=2
            )
            axis.annotate(
                model, (spent.value, quality.value), xytext=(5, 4), textcoords="offset points",
                fontsize=8, color=color,
            )  # fmt: skip
        best = [cells[model] for model in found.front]
        axis.plot(
            [spent.value for spent, _ in best], [quality.value for _, quality in best],
            color="#7f8c8d", linewidth=1, zorder=0,
        )  # fmt: skip
        axis.set_xscale("log")
        unit = f" ({x.cost_unit})" if x.cost_unit else ""
        axis.set(title=task, xlabel=f"{x.plain}{unit}", ylabel=heading(y))
        axis.margins(0.15)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
