"""GFlowNets on hypergrids against the regression targets of torchgfn's tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from ....baselines import MODELS
from ....baselines.players import Player
from ....baselines.training import NeuralModel
from ....metrics import empirical_l1_distance
from ...contract.model import Budget, seeded
from ...contract.task import Task
from ...tasks.rewards.hypergrid import hypergrid
from ..comparison import Comparison, Finding, Listing, averaged, part
from ..published import those

TRAJECTORIES, BATCH, SAMPLES, SEEDS = 32_000, 128, 200_000, 3
ARGUMENTS: dict[str, Any] = {"hidden": (256, 256), "lr": 1e-3, "epsilon": 0.0}
REPLAY = {"replay": 0.5}
# The published methods, and those that have no published number on these grids.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "TB": ("gfn-tb", {}),
    "TB + replay buffer 1000": ("gfn-tb", {**REPLAY, "capacity": 1000}),
    "FM": ("gfn-fm", {}),
    "FM + replay buffer 100": ("gfn-fm", {**REPLAY, "capacity": 100}),
}
OTHERS = ("gfn-db", "gfn-subtb", "gfn-vargrad", "gfn-fldb")
OF_OTHERS = ((8, 2), (8, 4))  # side and coordinates
BACKWARD = (
    "replayed trajectories are drawn anew, backward from the best points; torchgfn's are kept"
)


def distance(height: int, dim: int, model: str, arguments: dict[str, Any], seed: int) -> float:
    """Returns the sum-L1 distance of 200,000 draws of a trained GFlowNet to the exact law.

    Args:
        height: Side H of the grid.
        dim: Coordinates D.
        model: A name of `MODELS`.
        arguments: Its arguments beside those that all share.
        seed: Seed of training and draws.
    """
    task = hypergrid(dim, height).task
    with seeded(seed):
        found = at_one_rate(MODELS[model](task.domain, **ARGUMENTS, **arguments))
        found.fit(task.for_training(), Budget(TRAJECTORIES // BATCH, BATCH))
        return of_draws(task, found.sample(SAMPLES)).value


def at_one_rate(model: NeuralModel) -> NeuralModel:
    """Returns the model, whose learning rates do not fall any more: the tests' do not either."""
    usual = model.players

    def players() -> list[Player]:
        found = usual()
        for player in found:
            player.schedule = lambda progress: 1.0
        return found

    setattr(model, "players", players)  # noqa: B010
    return model


def of_draws(task: Task, draws: torch.Tensor) -> Any:
    """Returns the empirical sum-L1 distance of draws to a task's exact law."""
    if task.log_density is None:
        raise ValueError(f"Expected {task.name} to have a known density, got none.")
    target = task.log_density(task.domain.states()).double().exp()
    return empirical_l1_distance(task.domain.index(draws), target / target.sum())


def over_seeds(height: int, dim: int, model: str, arguments: dict[str, Any]) -> list[float]:
    """Returns the distances of three seeds; each is kept as it comes."""
    told = ", ".join(f"{k}={v}" for k, v in arguments.items())
    return [
        float(
            part(
                f"{model} {told} on {height}^{dim}, seed {seed}",
                partial(distance, height, dim, model, arguments, seed),
            )
        )
        for seed in range(SEEDS)
    ]


def gflownet_hypergrid() -> Iterator[Finding | Listing]:
    """The published grids and methods, then the other objectives beside a perfect sampler."""
    for row in those("gflownet", source_id="torchgfn_tests"):
        grid = re.fullmatch(r"Hypergrid (\d+)\^(\d+) R0=0.1", row.dataset)
        if grid is None or row.method not in METHODS:
            continue
        model, arguments = METHODS[row.method]
        mean, error = averaged(over_seeds(int(grid[1]), int(grid[2]), model, arguments))
        note = BACKWARD if arguments else ""
        yield Finding(row, mean, error, row.uncertainty or 0.0, note)
    yield Listing(
        "Sum-L1 distance of 200,000 draws, mean over three seeds",
        ("Grid", "Perfect sampler", *OTHERS),
        [_row(height, dim) for height, dim in OF_OTHERS],
    )


def _row(height: int, dim: int) -> tuple[str, ...]:
    task = hypergrid(dim, height).task
    if task.draw is None:
        raise ValueError(f"Expected {task.name} to have exact draws, got none.")
    with seeded(0):
        floor = of_draws(task, task.draw(SAMPLES)).value
    means = [float(np.mean(over_seeds(height, dim, name, {}))) for name in OTHERS]
    return (f"{height}^{dim}", f"{floor:.4f}", *(f"{mean:.4f}" for mean in means))


GFLOWNET_HYPERGRID = Comparison(
    "gflownet-hypergrid",
    "torchgfn (arXiv:2305.14594), regression targets of its tests; Malkin et al. 2022, "
    "arXiv:2201.13259",
    "Sum-L1 distance to the exact law after 32,000 trajectories, by trajectory balance and flow "
    "matching, with and without replay.",
    "ten minutes",
    "The tolerance of the test; one sum over states of 200,000 draws.",
    "Log Z starts at its first estimate; three seeds.",
    gflownet_hypergrid,
    numbers=("gflownet",),
)
