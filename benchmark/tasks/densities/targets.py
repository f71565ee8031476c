r"""Unnormalised targets in continuous space, with their normaliser: for samplers and GFlowNets.

The mixture of forty Gaussians and the many-well energy are those of Midgley et al., Flow Annealed
Importance Sampling Bootstrap, ICLR 2023, arXiv:2208.01893, section 4; Neal's funnel is among the
shapes. The many-well has D / 2 independent pairs (x, y),

    log R = sum over pairs of (-x^4 + 6 x^2 + x / 2 - y^2 / 2),

so that Z is the power of one integral over x and one over y.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...contract.model import seeded
from ...contract.task import Card
from ..outline import Outline
from .law import Law, law_task
from .mixtures import Mixture

FAB = "Midgley et al. 2023, Flow Annealed Importance Sampling Bootstrap, arXiv:2208.01893"
GRID, EDGE = 400_001, 4.0  # exp(-4^4 + 6 * 16 + 2) < 1e-68


class ManyWell(Law):
    """Pairs of a double well and a Gaussian.

    Args:
        dim: Number D of coordinates, even.
    """

    def __init__(self, dim: int) -> None:
        if dim < 2 or dim % 2:
            raise ValueError(f"Expected an even number of coordinates, got {dim}.")
        self.dim = dim
        x = torch.linspace(-EDGE, EDGE, GRID, dtype=torch.double)
        log_r = self._well(x)
        # The trapezoidal rule: the integrand vanishes at both ends.
        self.log_well = float(log_r.logsumexp(0) + math.log(2 * EDGE / (GRID - 1)))
        self.mean_well = float((log_r.softmax(0) * log_r).sum())

    @staticmethod
    def _well(x: Tensor) -> Tensor:
        return -(x**4) + 6 * x**2 + x / 2

    @property
    def log_z(self) -> float:
        """Log of the integral of R, in nats."""
        return self.dim / 2 * (self.log_well + math.log(2 * math.pi) / 2)

    def log_reward(self, x: Tensor) -> Tensor:
        """Returns log R(x) in nats: `(B, D)` to `(B,)`."""
        return self._well(x[:, ::2]).sum(1) - x[:, 1::2].square().sum(1) / 2

    def log_prob(self, x: Tensor) -> Tensor:
        return self.log_reward(x) - self.log_z

    def sample(self, n: int) -> Tensor:
        """Wells by the inverse of their distribution function on a grid of 2e-5."""
        x = torch.linspace(-EDGE, EDGE, GRID, dtype=torch.double)
        below = self._well(x).softmax(0).cumsum(0)
        u = torch.rand(n, self.dim // 2, dtype=torch.double) * below[-1]
        row = torch.searchsorted(below, u).clamp(max=GRID - 1)
        spread = (torch.rand(n, self.dim // 2, dtype=torch.double) - 0.5) * (x[1] - x[0])
        points = torch.empty(n, self.dim)
        points[:, ::2] = (x[row] + spread).float()
        points[:, 1::2] = torch.randn(n, self.dim // 2)
        return points

    def entropy(self) -> float:
        return self.log_z - self.dim / 2 * (self.mean_well - 0.5)


def many_well(dim: int = 32) -> Outline:
    """Returns `many-well-D`: D = 32 has 2^16 modes and log Z = 164.70.

    Args:
        dim: Number D of coordinates, even.
    """
    law = ManyWell(dim)
    card = Card(
        summary=f"{dim // 2} double wells, each with a Gaussian: 2^{dim // 2} modes.",
        citation=FAB,
        pitfalls="In each pair one well holds six times the mass of the other: a sampler that "
        "misses the small ones still has most of Z. Distances between samples see single pairs, "
        "not their combinations: read the bounds on log Z.",
    )
    return law_task(
        f"many-well-{dim}", law, card, log_reward=law.log_reward, log_z=law.log_z, kind="target"
    )


def gaussians_40() -> Outline:
    """Returns `gaussians-40`: forty Gaussians at random in a square of side 80."""
    with seeded(0):  # the authors' own centres
        means = (torch.rand(40, 2) - 0.5) * 2 * 40
    law = Mixture(means, math.log1p(math.e))
    card = Card(
        summary="40 Gaussians of sd 1.31 at random in a square of side 80, in the plane.",
        citation=FAB,
        pitfalls="A sampler that starts near the origin must cross empty space: forty times a "
        "mode's width.",
    )
    return law_task(
        "gaussians-40",
        law,
        card,
        modes=law.modes(),
        log_reward=law.log_prob,
        log_z=0.0,
        kind="wide-target",
    )
