"""The half-blind oracle: what a metric says when half of the modes are missing."""

from __future__ import annotations

import torch
from torch import Tensor

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Modes, Task
from .oracle import Oracle

# Rounds of rejection before the kept modes count as empty.
ROUNDS = 1000


class ModeDropper(Oracle):
    """The oracle's draws that belong to the first half of the modes (of 2k + 1, to k + 1 of them).

    Points of no mode are dropped too. It has no likelihood: the mass of the kept modes is not
    known to it.

    Args:
        domain: What one point is.
    """

    modes: Modes | None = None

    @classmethod
    def refuses(cls, task: Task) -> str | None:
        if task.modes is None or task.modes.count < 2:
            return "it needs at least two known modes"
        return super().refuses(task)

    def read(self, task: Task) -> None:
        super().read(task)
        self.likelihood, self.log_density, self.modes = Likelihood.NONE, None, task.modes
        if self.sampler is None:
            self.rows = self.rows[self.kept(self.rows)]

    def kept(self, x: Tensor) -> Tensor:
        """Which points `(N, *shape)` are of a mode that is kept, bool `(N,)`."""
        if self.modes is None:
            raise ValueError("Expected a fitted ModeDropper; its modes are those of a task.")
        label = self.modes.assign(x)
        return (label >= 0) & (label < self.modes.count - self.modes.count // 2)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points by rejection; with replacement from the rows where no sampler is known.

        Raises:
            ValueError: The kept modes are empty.
        """
        if self.sampler is None:
            if not len(self.rows):
                raise ValueError("Expected held-out rows of the kept modes, found none.")
            return self.rows[torch.randint(len(self.rows), (n,), device=self.device)]
        found, count = [self.rows], 0  # No rows, of the right shape.
        for _ in range(ROUNDS):
            if count >= n:
                break
            x = super().draw(max(n, 64))
            found.append(x[self.kept(x)])
            count += len(found[-1])
        if count < n:
            raise ValueError(f"Expected {n} draws of the kept modes, found {count}.")
        return torch.cat(found)[:n]
