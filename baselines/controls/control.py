"""What the controls share: they frame a table and compete in none."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ...benchmark.contract.model import Budget, Likelihood
from ...benchmark.contract.task import Domain, Task
from ..classical.resizable import Resizable
from ..drawn import Drawn


class Control(Resizable, Drawn):
    """A row of a table that shows what the metrics say of a known case.

    `fit` is handed the whole task, its sampler and held-out rows included: a control is no model
    and learns nothing. `likelihood` is set by `fit`, for it depends on what the task knows.
    A control whose task has a sampler cannot be restored from its state alone: fit it again.

    Args:
        domain: What one point is.

    Attributes:
        curve: Always empty.
    """

    family = "control"
    learns_from = "task"
    network = ""

    anchor: Tensor

    def __init__(self, domain: Domain) -> None:
        super().__init__()
        self.domain = domain
        self.curve: list[tuple[int, str, float]] = []
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where samples are given out."""
        return self.anchor.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of samples: float32 on real domains, int64 on discrete ones."""
        return torch.float32 if self.domain.levels is None else torch.int64

    @classmethod
    def refuses(cls, task: Task) -> str | None:
        """Returns None, or the reason why this control means nothing on `task`."""
        return None

    def fit(self, task: Task, budget: Budget) -> None:  # type: ignore[override]
        """Reads what it needs off the whole task.

        Raises:
            ValueError: The task does not suit this control; see `refuses`.
        """
        reason = self.refuses(task)
        if reason:
            raise ValueError(f"Expected a task for {type(self).__name__}: {reason}.")
        self.likelihood = Likelihood.NONE
        self.read(task)

    @abstractmethod
    def read(self, task: Task) -> None:
        """Keeps what `draw` and `log_p` need."""
