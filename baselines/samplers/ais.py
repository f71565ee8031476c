r"""Annealed importance sampling as a sampler of a reward.

Neal, Annealed importance sampling, Statistics and Computing 11, 2001, arXiv:physics/9803008.
Chains go from N(0, s^2 I) to R / Z along f_t = N^(1 - beta_t) R^(beta_t), by Hamiltonian moves; a
chain ends at a point of weight w with E w = Z. The estimator is that of
`metrics.likelihood.annealing`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...benchmark.contract.model import Budget
from ...benchmark.contract.task import Domain
from ...metrics.likelihood.annealing import ais
from ...metrics.likelihood.schedules import sigmoid_schedule
from ...metrics.likelihood.transitions import HMC
from .base import LogReward
from .particles import Particles


class AIS(Particles):
    """Weighted particles; `budget.steps` temperatures. It draws them anew by their weights.

    Args:
        domain: Real vectors.
        particles: Points that are kept.
        scale: Standard deviation of the Gaussian that chains start from.
        leapfrog: Leapfrog steps of a Hamiltonian move.
        delta: How close temperatures lie at both ends; see `sigmoid_schedule`.

    Attributes:
        log_q: log R - log w of the particles in nats, shape `(n,)`.
    """

    paper = "arXiv:physics/9803008"
    log_q: Tensor

    def __init__(
        self,
        domain: Domain,
        particles: int = 4096,
        scale: float = 1.0,
        leapfrog: int = 5,
        delta: float = 4.0,
    ) -> None:
        super().__init__(domain, particles, scale, leapfrog)
        self.delta = delta
        self.register_buffer("log_q", torch.zeros(self.particles, dtype=torch.double))

    def run(self, log_reward: LogReward, budget: Budget) -> None:
        kernel = HMC(step=self.scale / 2, leapfrog=self.leapfrog, chains=min(64, self.particles))
        target = self.target(log_reward)
        found = ais(
            self.log_base,
            target,
            self.start(self.particles + kernel.pilots),
            sigmoid_schedule(budget.steps, self.delta),
            kernel,
        )
        ends, log_w = found.points, found.log_weight[:, 0]
        if ends is None:
            raise ValueError("Expected the chains' points, got none.")
        self.points.copy_(ends[:, 0].flatten(1))
        self.log_weights.copy_(log_w)
        self.log_q.copy_(target(ends)[:, 0].double() - log_w)
        if found.note:
            self.notes.append(found.note)

    def proposals(self, n: int) -> tuple[Tensor, Tensor]:
        """Returns n particles, each once, with log q = log R - log w; see `GenerativeModel`."""
        if n > self.particles:
            raise NotImplementedError(f"it kept {self.particles:,} particles, fewer than {n:,}")
        chosen = torch.randperm(self.particles, device=self.device)[:n]
        return self.points[chosen].unflatten(1, self.domain.shape), self.log_q[chosen]
