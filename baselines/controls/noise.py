"""The floor: no idea of the data but its range."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, Task
from .control import Control


class Noise(Control):
    """Uniform over the widened box of train, or over the levels of a discrete domain.

    Per coordinate the box is [min - r/4, max + r/4] with r = max - min over the rows of train:
    half the range wider in total. `log_prob` is EXACT, -inf outside.

    Args:
        domain: What one point is.
    """

    is_floor = True

    low: Tensor
    high: Tensor

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain)
        self.likelihood = Likelihood.EXACT
        self.register_buffer("low", torch.zeros(domain.shape))
        self.register_buffer("high", torch.full(domain.shape, float(domain.levels or 1)))

    @classmethod
    def refuses(cls, task: Task) -> str | None:
        if task.domain.levels is None and not task.has("train"):
            return "it needs training rows to know their range"
        return None

    def read(self, task: Task) -> None:
        self.likelihood = Likelihood.EXACT
        if self.domain.levels is None and task.train is not None:
            low, high = task.train.amin(0), task.train.amax(0)
            self.low.copy_(low - (high - low) / 4)
            self.high.copy_(high + (high - low) / 4)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points of the box."""
        u = torch.rand(n, *self.domain.shape, device=self.device)
        x = self.low + (self.high - self.low) * u
        if self.domain.levels is None:
            return x
        return x.long().clamp_max(self.domain.levels - 1)

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x) in nats, shape `(B,)`: minus the log of the volume, -inf outside."""
        inside = ((x >= self.low) & (x <= self.high)).flatten(1).all(1)
        log_p = -(self.high - self.low).log().sum()
        return torch.where(inside, log_p, -math.inf)
