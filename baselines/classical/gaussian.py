r"""One Gaussian with a full covariance, fitted by maximum likelihood.

    p(x) = N(x; m, S + f I),    m = 1/N sum_i x_i,    S = 1/N sum_i (x_i - m)(x_i - m)^T.

The floor f is 0 where validation rows like that best; where coordinates coincide or rows are few,
S is singular and the likelihood has no maximum without one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from .estimator import Estimator

# Floors that are tried, in units of the mean variance of a coordinate.
FLOORS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
# The smallest variance along an axis that counts as more than rounding, in the same units.
LEAST = 1e-10


class Gaussian(Estimator):
    """The Gaussian of the training rows' mean and covariance: a floor of every table.

    Args:
        domain: What one point is.
        max_rows: See `Estimator`.
    """

    paper = "maximum likelihood"
    is_floor = True

    mean: Tensor
    axes: Tensor
    variances: Tensor

    def __init__(self, domain: Domain, *, max_rows: int | None = None) -> None:
        super().__init__(domain, max_rows)
        D = domain.dim
        self.register_buffer("mean", torch.zeros(D, dtype=torch.double))
        self.register_buffer("axes", torch.eye(D, dtype=torch.double))
        self.register_buffer("variances", torch.ones(D, dtype=torch.double))

    def estimate(self, train: Tensor, val: Tensor, steps: int) -> None:
        """Fits mean and covariance, and chooses the floor on val."""
        self.mean = train.mean(0)
        centred = train - self.mean
        values, self.axes = torch.linalg.eigh(centred.mT @ centred / len(train))
        values = values.clamp_min(0)
        unit = float(values.mean()) or 1.0
        best = -math.inf
        for i, floor in enumerate(FLOORS):
            variances = values + floor * unit
            if float(variances.min()) < LEAST * unit:
                continue
            score = float(self._log_normal(val, variances).mean())
            self.curve.append((i, "log-likelihood", score))
            if score > best:
                best, self.variances = score, variances

    def density(self, y: Tensor) -> Tensor:
        return self._log_normal(y, self.variances)

    def _log_normal(self, y: Tensor, variances: Tensor) -> Tensor:
        along = (y - self.mean) @ self.axes
        return -0.5 * (along.square() / variances + (2 * math.pi * variances).log()).sum(1)

    def generate(self, n: int) -> Tensor:
        along = torch.randn(n, len(self.mean), device=self.device, dtype=torch.double)
        return self.mean + (along * self.variances.sqrt()) @ self.axes.mT
