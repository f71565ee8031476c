"""What comparisons of adversarial models share: training as their papers print it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial

from .....baselines.players import Player, constant
from .....baselines.training import NeuralModel
from ....contract.task import TrainingTask
from ...comparison import part


class AsPrinted(NeuralModel):
    """Players on raw points, at rates that stay, without a bound on gradients or an average.

    It stands before the model in the bases of a class.
    """

    half_life = 0.0

    def prepare(self, task: TrainingTask) -> None:
        """Points stay as they are."""

    def players(self) -> list[Player]:
        """The players of the model, whose learning rates stay; gradients are not cut."""
        found = super().players()
        for player in found:
            player.schedule, player.clip = constant, math.inf
        return found


def over_seeds(
    name: str, seeds: Iterable[int], trial: Callable[[int], dict[str, float]]
) -> dict[str, list[float]]:
    """Returns the numbers of all seeds by metric; each seed is kept as it comes (`part`).

    Args:
        name: What is trained, unique in its comparison.
        seeds: Their seeds.
        trial: Trains with a seed and returns numbers by metric.
    """
    found = [part(f"{name}, seed {seed}", partial(trial, seed)) for seed in seeds]
    return {metric: [one[metric] for one in found] for metric in found[0]}
