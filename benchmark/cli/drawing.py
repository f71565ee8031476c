"""Pictures of the rows of a task: images, points over a density, tokens, marginals."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..contract.task import Task
from ..tasks.split import permutation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 2_000
TILES = 10
LINES, COLUMNS = 100, 300
PANELS = 16
CENTRAL = 0.99


def draw(task: Task, figure: Figure) -> None:
    """Draws the training rows of a task, or exact draws where it has none.

    Args:
        task: The task.
        figure: Where to draw.
    """
    rows, domain = _rows(task), task.domain
    if domain.is_image:
        drawn = _images(rows, domain.levels or 256, figure)
    elif domain.levels is None:
        drawn = _plane(task, rows, figure) if domain.dim == 2 else _marginals(rows, figure)
    elif domain.ordered and 2 <= domain.dim <= 4:
        drawn = _states(task, rows, figure)
    else:
        drawn = _symbols(rows, domain.levels, figure)
    figure.suptitle(f"{task.name}: {drawn}")


def _rows(task: Task) -> Tensor:
    """Returns rows in a fixed random order, since files may be sorted; few where they are big."""
    if task.train is None:
        if task.draw is None:
            raise ValueError(
                f"Expected task {task.name!r} to have rows or a sampler, got neither."
            )
        return task.draw(POINTS)
    order = permutation(len(task.train))
    return task.train[torch.from_numpy(order[: TILES**2] if task.domain.is_image else order)]


def _images(rows: Tensor, levels: int, figure: Figure) -> str:
    """Draws images `(N, C, H, W)` as a grid with grey lines between."""
    side = min(TILES, int(len(rows) ** 0.5))
    tiles = rows[: side * side].float() / (levels - 1)
    tiles = torch.nn.functional.pad(tiles, (0, 1, 0, 1), value=0.5).unflatten(0, (side, side))
    picture = tiles.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)[:-1, :-1]  # (H, W, C)
    axes = figure.subplots()
    axes.imshow(picture[..., :3].numpy().squeeze(), cmap="gray", vmin=0, vmax=1)
    axes.axis("off")
    return f"{side * side} images of train"


def _plane(task: Task, rows: Tensor, figure: Figure) -> str:
    """Draws points of the plane over the density, where it is known."""
    axes = figure.subplots()
    low, high = rows.quantile(0.001, dim=0), rows.quantile(0.999, dim=0)
    margin = 0.15 * (high - low)
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    if task.log_density is not None:
        x, y = torch.linspace(left, right, 300), torch.linspace(bottom, top, 300)
        p = task.log_density(torch.cartesian_prod(x, y)).exp().view(300, 300)
        extent = (left, right, bottom, top)
        axes.imshow(p.T.numpy(), origin="lower", extent=extent, cmap="magma", aspect="auto")
    axes.plot(*rows[:POINTS].T.numpy(), ".", color="c", markersize=2, alpha=0.5)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="x[0]", ylabel="x[1]")
    over = " over the density" if task.log_density is not None else ""
    return f"{min(POINTS, len(rows)):,} points{over}"


def _states(task: Task, rows: Tensor, figure: Figure) -> str:
    """Draws how often each pair of coordinates takes each value; in the plane beside the law."""
    levels, dim = int(task.domain.levels or 0), task.domain.dim
    pairs = list(combinations(range(dim), 2))
    panels = {
        f"x[{i}] and x[{j}]": torch.bincount(
            rows[:, i].long() * levels + rows[:, j].long(), minlength=levels**2
        )
        / len(rows)
        for i, j in pairs
    }
    if dim == 2 and task.log_density is not None:
        law = task.log_density(task.domain.states()).exp()
        panels["the exact law"] = task.domain.on_grid(law)
    top = max(float(p.max()) for p in panels.values())
    columns = min(3, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure.set_size_inches(8, 8 * lines / columns + 0.5)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes, (title, p) in zip(grid.flat, panels.items(), strict=False):
        picture = p.view(levels, levels).T.numpy()
        image = axes.imshow(picture, origin="lower", vmin=0, vmax=top)
        axes.set_title(title, fontsize=9)
    figure.colorbar(image, ax=grid, shrink=0.8, label="probability")
    return f"frequencies among {len(rows):,} rows"


def _symbols(rows: Tensor, levels: int, figure: Figure) -> str:
    """Draws rows of symbols, one line a row."""
    axes = figure.subplots()
    shown = rows[:LINES].flatten(1)[:, :COLUMNS]
    image = axes.imshow(
        shown.numpy(),
        aspect="auto",
        interpolation="nearest",
        cmap="gray" if levels == 2 else "viridis",
        vmin=0,
        vmax=levels - 1,
    )
    axes.set(xlabel="coordinate", ylabel="row")
    if levels > 2:
        figure.colorbar(image, ax=axes, label="symbol")
    dim = rows.flatten(1).shape[1]
    cut = "" if dim <= COLUMNS else f", the first {COLUMNS} of {dim:,} coordinates"
    return f"{len(shown)} rows{cut}"


def _marginals(rows: Tensor, figure: Figure) -> str:
    """Draws histograms of the first coordinates over their central 99 %."""
    shown = min(PANELS, rows.shape[1])
    bins = min(50, 4 + int(len(rows) ** 0.5))
    grid = figure.subplots(math.ceil(shown / 4), min(4, shown), squeeze=False)
    for i, axes in enumerate(grid.flat):
        if i >= shown:
            axes.axis("off")
            continue
        column = rows[:, i]
        tail = torch.tensor([(1 - CENTRAL) / 2, (1 + CENTRAL) / 2], dtype=column.dtype)
        axes.hist(column.numpy(), bins=bins, range=tuple(column.quantile(tail).tolist()))
        axes.set_title(f"x[{i}]", fontsize=8)
    of = "" if shown == rows.shape[1] else f" (the first {shown} of {rows.shape[1]:,})"
    return f"marginals{of} of {len(rows):,} rows, central 99 %"
