r"""The map between a task's domain and the real, centred coordinates in which nets work.

Real values are standardised by the mean and standard deviation of the training rows. Integers x in
{0, ..., K-1} are dequantised (`dequantise`) and centred, y = 2 (x + u) / K - 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..benchmark.contract.task import Domain
from .dequantise import floor, uniform

CHUNK = 4096  # rows that are encoded at once


class Scaling(nn.Module):
    """Affine map to centred coordinates of order 1, with dequantisation of integers.

    Args:
        domain: What one point is.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, domain: Domain) -> None:
        super().__init__()
        self.domain = domain
        K = domain.levels
        self.register_buffer("shift", torch.full(domain.shape, (K or 0) / 2))
        self.register_buffer("scale", torch.full(domain.shape, K / 2 if K else 1.0))

    def fit(self, train: Tensor) -> None:
        """Sets mean and standard deviation from rows `(N, *shape)`; fixed on integer domains."""
        if self.domain.levels is None:
            self.shift.copy_(train.mean(0))
            self.scale.copy_(train.std(0).clamp_min(1e-6))

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and standard deviation of encoded rows, each `(D,)`; a chunk at a time."""
        n, total, square = 0, torch.zeros(()).double(), torch.zeros(()).double()
        for part in rows.split(CHUNK):
            y = self.encode(part.to(self.shift.device)).flatten(1).double()
            n, total, square = n + len(y), total + y.sum(0), square + y.square().sum(0)
        mean = total / n
        variance = (square - n * mean**2).clamp_min(0) / max(n - 1, 1)
        return mean.to(self.shift), variance.sqrt().to(self.shift)

    def encode(self, x: Tensor) -> Tensor:
        """Returns centred coordinates of `(B, *shape)`; draws u on integer domains."""
        x = x.to(self.shift.dtype) if self.domain.levels is None else uniform(x)
        return (x - self.shift) / self.scale

    def decode(self, y: Tensor) -> Tensor:
        """Returns points of the domain, shape `(B, *shape)`; rounded down on integer domains."""
        x = y * self.scale + self.shift
        if self.domain.levels is None:
            return x
        return floor(x, self.domain.levels)

    @property
    def log_abs_det(self) -> Tensor:
        """The log |dy/dx| of `encode`, in nats, a scalar."""
        if self.domain.levels is not None:
            # log p(x) adds it once; P(x) of an integer is an integral over a cell of volume 1.
            return torch.tensor(-self.domain.dim * math.log(self.domain.levels / 2)).to(self.shift)
        return -self.scale.log().sum()
