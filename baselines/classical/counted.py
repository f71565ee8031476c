"""What the floors that count share: rows of a discrete domain, and smoothing chosen on val."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ...benchmark.contract.model import Budget, Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..drawn import Drawn
from .resizable import Resizable


class Counted(Resizable, Drawn):
    """A law that is fitted by counting, with an exact likelihood.

    What is counted are buffers, so that `state_dict` holds the whole model.

    Args:
        domain: What one point is.

    Attributes:
        curve: Rows (trial, "log-likelihood", value on val) of the last `fit`.
    """

    family = "classical"
    network = ""
    is_floor = True
    likelihood = Likelihood.EXACT

    anchor: Tensor

    def __init__(self, domain: Domain) -> None:
        super().__init__()
        reason = self.supports(domain)
        if reason:
            raise ValueError(f"Expected a domain that {type(self).__name__} models: {reason}.")
        self.domain = domain
        self.curve: list[tuple[int, str, float]] = []
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the buffers are."""
        return self.anchor.device

    @abstractmethod
    def count(self, train: Tensor, val: Tensor) -> None:
        """Sets the buffers from flat rows `(N, D)`, integers or real; val chooses the rest."""

    @abstractmethod
    def log_law(self, x: Tensor) -> Tensor:
        """Returns log p(x) in nats of flat rows, `(B, D)` to `(B,)`."""

    def fit(self, task: TrainingTask, budget: Budget) -> None:
        """Counts the rows; without val rows, every tenth row of train takes their place."""
        if task.train is None:
            raise ValueError(f"Expected training rows for {type(self).__name__}, got none.")
        train = task.train.flatten(1).to(self.device)
        if task.val is None:
            held_out = torch.arange(len(train), device=self.device) % 10 == 0
            train, val = train[~held_out], train[held_out]
        else:
            val = task.val.flatten(1).to(self.device)
        self.curve = []
        self.count(train, val)

    def judge(self, val: Tensor) -> float:
        """Returns the mean log-likelihood of val rows, and notes it in the curve."""
        score = float(self.log_law(val).mean())
        self.curve.append((len(self.curve), "log-likelihood", score))
        return score

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        return self.log_law(x.flatten(1)).float()

    def estimator(self, draws: int | None = None) -> str:
        return "exact"


def one_hot_counts(rows: Tensor, levels: int) -> Tensor:
    """Returns how often each level occurs in each coordinate of `(N, D)`: float64 `(D, K)`."""
    places = rows.long() + levels * torch.arange(rows.shape[1], device=rows.device)
    counts = torch.bincount(places.flatten(), minlength=levels * rows.shape[1])
    return counts.double().view(-1, levels)
