r"""Kernel density estimate with a Gaussian kernel.

Rosenblatt, Remarks on Some Nonparametric Estimates of a Density Function, 1956; Parzen 1962. Over
the N training rows x_i in D dimensions,

    p(x) = (1/N) sum_i N(x; x_i, h^2 I),

with the bandwidth h under which the validation rows are likeliest.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from .estimator import Estimator

# Validation rows that choose the bandwidth.
JUDGES = 200


def log_kernel_sum(squared: Tensor, bandwidth: float, dim: int) -> Tensor:
    """Returns log p(x) from squared distances to the rows, `(B, N)` to `(B,)`."""
    constant = math.log(squared.shape[1]) + dim * math.log(bandwidth * math.sqrt(2 * math.pi))
    return (squared / (-2 * bandwidth**2)).logsumexp(1) - constant


class KDE(Estimator):
    """Gaussian kernel density estimate, one bandwidth for all (scaled) coordinates.

    Args:
        domain: What one point is.
        bandwidths: Candidates, in scaled units; by default 30 from 1e-4 to 2, evenly in log.
        max_rows: See `Estimator`.
    """

    paper = "Rosenblatt 1956; Parzen 1962"

    rows: Tensor
    bandwidth: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        bandwidths: tuple[float, ...] | None = None,
        max_rows: int | None = None,
    ) -> None:
        super().__init__(domain, max_rows)
        grid = torch.logspace(-4, math.log10(2.0), 30, dtype=torch.double).tolist()
        self.bandwidths = grid if bandwidths is None else bandwidths
        if not self.bandwidths or min(self.bandwidths) <= 0:
            raise ValueError(f"Expected positive bandwidths, got {bandwidths}.")
        self.register_buffer("rows", torch.zeros(1, domain.dim, dtype=torch.double))
        self.register_buffer("bandwidth", torch.ones((), dtype=torch.double))

    def estimate(self, train: Tensor, val: Tensor, steps: int) -> None:
        """Keeps the rows and tries every bandwidth on at most 200 rows of val."""
        self.rows = train
        squared = torch.cdist(val[:JUDGES], train).square()
        scores = []
        for i, h in enumerate(self.bandwidths):
            scores.append(float(log_kernel_sum(squared, h, self.domain.dim).mean()))
            self.curve.append((i, "log-likelihood", scores[-1]))
        best = max(range(len(scores)), key=scores.__getitem__)
        if len(scores) > 1 and best in (0, len(scores) - 1):
            self.notes = [f"the best bandwidth, {self.bandwidths[best]:.2g}, ends the grid"]
        self.bandwidth = train.new_tensor(self.bandwidths[best])

    def density(self, y: Tensor) -> Tensor:
        squared = torch.cdist(y, self.rows).square()
        return log_kernel_sum(squared, float(self.bandwidth), self.domain.dim)

    def numbers(self) -> int:
        return len(self.rows)

    def generate(self, n: int) -> Tensor:
        centres = self.rows[torch.randint(len(self.rows), (n,), device=self.device)]
        return centres + self.bandwidth * torch.randn_like(centres)
