"""What comparisons of adversarial models share: training as their papers print it."""

from __future__ import annotations

import math

from ....baselines.players import Player, constant
from ....baselines.training import NeuralModel
from ...contract.task import TrainingTask


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
