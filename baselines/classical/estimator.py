"""What the classical density estimators share: scaling, buffers and the claim of a domain."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ...benchmark.contract.model import Budget, Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..chunks import in_chunks
from ..dequantise import said
from ..drawn import Drawn
from ..scaling import Scaling
from .resizable import Resizable


class Estimator(Resizable, Drawn):
    """A density on scaled coordinates, fitted without a loss.

    What is fitted are buffers, so that `state_dict` holds the whole model. EXACT on real
    domains; on integers a LOWER_BOUND, the density at one dequantised point.

    Args:
        domain: What one point is.
        max_rows: Most training rows that it is fitted to, drawn at random; all by default.

    Attributes:
        curve: Rows (step, name, value) of the last `fit`.
    """

    family = "classical"
    network = ""

    def __init__(self, domain: Domain, max_rows: int | None = None) -> None:
        super().__init__()
        if max_rows is not None and max_rows < 1:
            raise ValueError(f"Expected at least one row to fit, got max_rows = {max_rows}.")
        reason = self.supports(domain)
        if reason:
            raise ValueError(f"Expected a domain that {type(self).__name__} models: {reason}.")
        self.domain, self.max_rows = domain, max_rows
        self.scaling = Scaling(domain)
        self.curve: list[tuple[int, str, float]] = []
        real = domain.levels is None
        self.likelihood = Likelihood.EXACT if real else Likelihood.LOWER_BOUND

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "a density needs numbers, and names are none" if domain.is_nominal else None

    @property
    def device(self) -> torch.device:
        """Where the buffers are."""
        return self.scaling.shift.device

    @abstractmethod
    def estimate(self, train: Tensor, val: Tensor, steps: int) -> None:
        """Sets the buffers from scaled rows, float64 `(N, D)`, in at most `steps` iterations."""

    @abstractmethod
    def density(self, y: Tensor) -> Tensor:
        """Returns log p(y) in nats of scaled points, float64 `(B, D)` to `(B,)`."""

    def numbers(self) -> int:
        """Returns how many numbers a row takes in the largest tensor of `density`."""
        return 16_384

    @abstractmethod
    def generate(self, n: int) -> Tensor:
        """Draws scaled points, shape `(n, D)`."""

    def fit(self, task: TrainingTask, budget: Budget) -> None:
        """Fits the density; without val rows, every tenth row of train takes their place."""
        if task.train is None:
            raise ValueError(f"Expected training rows for {type(self).__name__}, got none.")
        train = task.train
        if self.max_rows is not None:
            train = train[torch.randperm(len(train))[: self.max_rows]]
        train = train.to(self.device)
        self.scaling.fit(train)
        rows = self.encode(train)
        held_out = torch.arange(len(rows), device=self.device) % 10 == 0
        val = rows[held_out] if task.val is None else self.encode(task.val.to(self.device))
        self.curve = []
        self.estimate(rows if task.val is not None else rows[~held_out], val, budget.steps)

    def encode(self, x: Tensor) -> Tensor:
        """Returns scaled coordinates of points `(B, *shape)`, float64 `(B, D)`."""
        return self.scaling.encode(x).flatten(1).double()

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        y = self.generate(n).to(self.scaling.shift.dtype)
        return self.scaling.decode(y.unflatten(1, self.domain.shape))

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x) in nats, or its bound on integers, shape `(B,)`."""
        log_p = in_chunks(self.density, self.encode(x), self.numbers())
        return (log_p + self.scaling.log_abs_det).float()

    def estimator(self, draws: int | None = None) -> str:
        return "exact" if self.domain.levels is None else said(1)
