"""What a task looks like: a picture of its data, and its card in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..contract.task import Domain, Task
from .drawing import draw

LOOKED_AT = 2_000
AMONG = 50_000
NEAR = 0.25


def show_task(name: str, path: Path | str) -> str:
    """Writes a picture of a task's data and returns its card.

    Args:
        name: Name of the task.
        path: Where the PNG goes.

    Returns:
        Lines of text.
    """
    from matplotlib.figure import Figure  # a picture is the only thing here that needs it

    from ..tasks import load_task

    task = load_task(name)
    figure = Figure(figsize=(8, 8), layout="constrained")
    draw(task, figure)
    figure.savefig(path, dpi=100)
    return describe(task)


def describe(task: Task) -> str:
    """Returns the card of a task as lines of text."""
    card, domain = task.card, task.domain
    values = "real numbers" if domain.levels is None else f"integers in 0..{domain.levels - 1}"
    splits = {k: getattr(task, k) for k in ("train", "val", "test", "holdout")}
    sizes = ", ".join(f"{k} {len(v):,}" for k, v in splits.items() if v is not None)
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
    train, test = task.train[:AMONG], task.test[:LOOKED_AT]
    exact, near = near_duplicates(train, test, vectors(task.domain))
    # The nearest of many random points is at distance r with a probability like 1 - 2^(-r^D).
    chance = 1 - 2 ** -(NEAR**task.domain.dim)
    return (
        f"Near-duplicates: of {len(test):,} test rows, {exact} equal one of {len(train):,} "
        f"training rows, and {near} more are nearer to one than {NEAR:g} of the median distance "
        f"from a test row to the nearest training row ({chance:.1%} would be by chance in "
        f"{task.domain.dim} dimensions)."
    )


def vectors(domain: Domain) -> Callable[[Tensor], Tensor]:
    """Returns what makes vectors of rows: one-hot where levels are mere names.

    Args:
        domain: What a row is.
    """

    def named(x: Tensor) -> Tensor:
        return F.one_hot(x.flatten(1).long(), domain.levels or -1).flatten(1).float()

    def plain(x: Tensor) -> Tensor:
        return x.flatten(1).float()

    return named if (domain.levels or 2) > 2 and not domain.ordered else plain


def near_duplicates(
    train: Tensor, test: Tensor, embed: Callable[[Tensor], Tensor]
) -> tuple[int, int]:
    """Counts test rows that are in train, or nearly.

    Args:
        train: Training rows, shape `(N, *shape)`.
        test: Test rows, shape `(M, *shape)`.
        embed: Makes vectors of rows; distances are Euclidean between them.

    Returns:
        How many are in train exactly; how many others are nearer than a quarter of the median
        distance to the nearest training row. Time is O(N M D).
    """
    looked = embed(test)
    nearest = torch.full((len(test),), torch.inf)
    index = torch.zeros(len(test), dtype=torch.long)
    for start in range(0, len(train), 4096):
        distance, place = torch.cdist(looked, embed(train[start : start + 4096])).min(1)
        closer = distance < nearest
        nearest = torch.where(closer, distance, nearest)
        index = torch.where(closer, start + place, index)
    # Distances by matrix products lose half of the digits; those of the nearest are taken anew.
    nearest = (looked - embed(train[index])).norm(dim=1)
    exact = nearest == 0
    near = ~exact & (nearest < NEAR * nearest.median())
    return int(exact.sum()), int(near.sum())
