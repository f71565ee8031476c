"""What a task looks like: a picture of its data, and its card in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOOKED_AT = 2_000
AMONG = 50_000
NEAR = 0.25


def show(name: str, path: Path | str) -> str:
    """Writes a picture of a task's data and returns its card.

    Args:
        name: Name of the task.
        path: Where the PNG goes.

    Returns:
        Lines of text.
    """
    from matplotlib.figure import Figure  # a picture is the only thing here that needs it

    from . import load_task

    task = load_task(name)
    figure = Figure(figsize=(8, 8), layout="constrained")
    draw(task, figure)
    figure.savefig(path, dpi=100)
    return describe(task)


def draw(task: Task, figure: Figure) -> None:
    """Draws the data of a task: samples over the density, a grid of images, or marginals."""
    rows = data(task)
    if task.domain.is_image:
        draw_images(rows, task.domain.levels or 256, figure)
    elif task.domain.levels is not None and task.domain.dim == 2:
        draw_states(task, rows, figure)
    elif task.domain.levels is not None:
        draw_symbols(rows, figure)
    elif task.domain.dim == 2:
        draw_plane(task, rows, figure)
    else:
        draw_marginals(rows, figure)


def data(task: Task) -> Tensor:
    """Returns the training rows of a task, or exact draws where it has none."""
    if task.train is not None:
        return task.train
    if task.draw is None:
        raise ValueError(f"Expected task {task.name!r} to have rows or a sampler, got neither.")
    return task.draw(LOOKED_AT)


def draw_images(rows: Tensor, levels: int, figure: Figure) -> None:
    """Draws the first 100 images `(N, C, H, W)` as a grid."""
    side = min(10, int(len(rows) ** 0.5))
    tiles = rows[: side * side].float().unflatten(0, (side, side)) / (levels - 1)
    picture = tiles.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (side H, side W, C)
    axes = figure.subplots()
    axes.imshow(picture[..., :3].numpy().squeeze(), cmap="gray", vmin=0, vmax=1)
    axes.axis("off")


def draw_plane(task: Task, rows: Tensor, figure: Figure) -> None:
    """Draws rows of the plane over the density, where it is known."""
    axes = figure.subplots()
    low, high = rows.quantile(0.001, dim=0), rows.quantile(0.999, dim=0)
    margin = 0.15 * (high - low)
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    if task.log_density is not None:
        x, y = torch.linspace(left, right, 300), torch.linspace(bottom, top, 300)
        p = task.log_density(torch.cartesian_prod(x, y)).exp().view(300, 300)
        extent = (left, right, bottom, top)
        axes.imshow(p.T.numpy(), origin="lower", extent=extent, cmap="magma", aspect="auto")
    axes.plot(*rows[:LOOKED_AT].T.numpy(), ".", color="c", markersize=2, alpha=0.5)
    axes.set(xlim=(left, right), ylim=(bottom, top), title=task.name)


def draw_states(task: Task, rows: Tensor, figure: Figure) -> None:
    """Draws how often each state of a square grid occurs, and its exact probability."""
    levels = int(task.domain.levels or 0)
    count = torch.bincount(task.domain.index(rows), minlength=levels**2) / len(rows)
    laws = {"training rows": count}
    if task.log_density is not None:
        laws["exact"] = task.log_density(task.domain.states()).exp()
    for axes, (title, law) in zip(
        figure.subplots(1, len(laws), squeeze=False)[0], laws.items(), strict=True
    ):
        axes.imshow(law.view(levels, levels).T.numpy(), origin="lower", vmin=0)
        axes.set_title(title)


def draw_symbols(rows: Tensor, figure: Figure) -> None:
    """Draws the first 100 rows of symbols, one line a row."""
    axes = figure.subplots()
    axes.imshow(rows[:100].flatten(1).numpy(), aspect="auto", interpolation="nearest")
    axes.set(xlabel="coordinate", ylabel="row")


def draw_marginals(rows: Tensor, figure: Figure) -> None:
    """Draws histograms of the first 16 coordinates."""
    for i, axes in enumerate(figure.subplots(4, 4).flat):
        if i >= rows.shape[1]:
            axes.axis("off")
            continue
        axes.hist(rows[:, i].numpy(), bins=50)
        axes.set_title(f"x[{i}]", fontsize=8)


def describe(task: Task) -> str:
    """Returns the card of a task as lines of text."""
    card, domain = task.card, task.domain
    values = "real numbers" if domain.levels is None else f"integers 0..{domain.levels - 1}"
    splits = {k: getattr(task, k) for k in ("train", "val", "test", "holdout")}
    sizes = ", ".join(f"{k} {len(v)}" for k, v in splits.items() if v is not None)
    lines = [
        f"{task.name}, version {task.version}: {card.summary}",
        f"A point: {'x'.join(map(str, domain.shape))} {values}.",
        f"Rows: {sizes or 'none, only a reward'}.",
    ]
    if task.entropy is not None:
        lines.append(f"Entropy: {task.entropy:.4f} nats.")
    if task.log_z is not None:
        lines.append(f"Log normaliser: {task.log_z:.4f} nats.")
    if task.modes is not None:
        lines.append(f"Modes: {task.modes.count}.")
    lines += [
        f"{label}: {text}"
        for label, text in (
            ("Source", card.source),
            ("Licence", card.licence),
            ("Citation", card.citation),
            ("Pitfalls", card.pitfalls),
            ("SHA-256", task.checksum),
        )
        if text
    ]
    return "\n".join([*lines, duplicates_line(task)])


def duplicates_line(task: Task) -> str:
    """Returns a sentence on how many test rows are in train, exactly or nearly."""
    if task.train is None or task.test is None:
        return "Near-duplicates: not counted, there are no rows."
    levels = task.domain.levels
    if levels is not None and task.domain.dim * math.log2(levels) <= 16:
        return "Near-duplicates: not counted, the states can be listed and all of them recur."
    exact, near, looked = near_duplicates(task.train[:AMONG], task.test[:LOOKED_AT])
    # The nearest of many random points is at distance r with a probability like 1 - 2^(-r^D).
    chance = 1 - 2 ** -(NEAR**task.domain.dim)
    return (
        f"Of {looked} test rows {exact} are in train exactly, and {near} in all are nearer to it "
        f"than {NEAR:g} of the median distance of a test row to its nearest training row "
        f"(in {task.domain.dim} dimensions {chance:.1%} are by chance alone)."
    )


def near_duplicates(train: Tensor, test: Tensor) -> tuple[int, int, int]:
    """Counts test rows that are in train, or nearly.

    Args:
        train: Training rows, shape `(N, *shape)`.
        test: Test rows, shape `(M, *shape)`.

    Returns:
        How many are in train exactly; how many are nearer than a quarter of the median distance to
        the nearest training row, the exact ones included; how many were looked at. Time is
        O(N M D).
    """
    test = test.flatten(1).float()
    nearest = torch.full((len(test),), torch.inf)
    index = torch.zeros(len(test), dtype=torch.long)
    start = 0
    for part in train.split(4096):
        distance, place = torch.cdist(test, part.flatten(1).float()).min(1)
        closer = distance < nearest
        nearest = torch.where(closer, distance, nearest)
        index = torch.where(closer, start + place, index)
        start += len(part)
    # Distances by matrix products lose half of the digits; those of the nearest are taken anew.
    nearest = (test - train[index].flatten(1).float()).norm(dim=1)
    near = (nearest == 0) | (nearest < NEAR * nearest.median())
    return int((nearest == 0).sum()), int(near.sum()), len(test)
