"""The trap: training rows handed back as samples."""

from __future__ import annotations

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain, Task
from .control import Control


class Memoriser(Control):
    """Rows of train, drawn uniformly with replacement; it has no likelihood.

    Args:
        domain: What one point is.
    """

    rows: Tensor

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain)
        self.register_buffer("rows", torch.zeros(0, *domain.shape, dtype=self.dtype))

    @classmethod
    def refuses(cls, task: Task) -> str | None:
        return "it needs training rows" if not task.has("train") else None

    def read(self, task: Task) -> None:
        if task.train is not None:
            self.rows = task.train.to(self.device, self.dtype)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n rows of train."""
        return self.rows[torch.randint(len(self.rows), (n,), device=self.device)]
