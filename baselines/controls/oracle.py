"""The ceiling: fresh draws of the truth itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, Task
from .control import Control


class Oracle(Control):
    """Exact draws where the task has a sampler, else distinct held-out rows.

    Held-out rows are drawn without replacement, so that no sample counts twice; there are only so
    many of them. The likelihood is the task's own, EXACT, where it has one.

    Args:
        domain: What one point is.
    """

    rows: Tensor

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain)
        self.register_buffer("rows", torch.zeros(0, *domain.shape, dtype=self.dtype))
        self.sampler: Callable[[int], Tensor] | None = None
        self.log_density: Callable[[Tensor], Tensor] | None = None

    @classmethod
    def refuses(cls, task: Task) -> str | None:
        if task.draw is None and not (task.has("holdout") or task.has("val")):
            return "it needs a sampler or held-out rows"
        return None

    def read(self, task: Task) -> None:
        self.sampler, self.log_density = task.draw, task.log_density
        if task.draw is None and task.unseen is not None:
            self.rows = task.unseen.to(self.device, self.dtype)
        if task.log_density is not None:
            self.likelihood = Likelihood.EXACT

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points.

        Raises:
            ValueError: More are wanted than rows were held out.
        """
        if self.sampler is not None:
            return self.sampler(n).to(self.device, self.dtype)
        most = len(self.rows)
        if n > most:
            raise ValueError(f"Expected at most {most} samples, the rows held out, got {n}.")
        return self.rows[torch.randperm(most, device=self.device)[:n]]

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns the true log p(x) in nats, shape `(B,)`."""
        return super().log_p(x) if self.log_density is None else self.log_density(x)
