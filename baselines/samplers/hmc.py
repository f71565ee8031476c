r"""Hamiltonian Monte Carlo as a sampler of a reward.

Neal, MCMC using Hamiltonian dynamics, 2011, arXiv:1206.1901. Many chains start from N(0, s^2 I);
in the first half of the moves the step size follows their acceptance to 0.65, and these moves are
thrown away; in the second it is fixed, and the chains leave R / Z alone. Particles are the states
of all chains at evenly spaced moves of the second half.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ...benchmark.contract.model import Budget
from ...benchmark.contract.task import Domain
from ...metrics.likelihood.transitions import HMC
from .base import LogReward, positive
from .particles import Particles

LOW, HIGH = 0.1, 0.99  # acceptance outside is told


class HamiltonianMonteCarlo(Particles):
    """Chains of Hamiltonian moves; `budget.steps` moves, half of them to warm up.

    Args:
        domain: Real vectors.
        particles: Points that are kept.
        scale: Standard deviation of the Gaussian that chains start from.
        leapfrog: Leapfrog steps of a move.
        chains: Number of chains; it divides the particles.
    """

    paper = "arXiv:1206.1901"

    def __init__(
        self,
        domain: Domain,
        particles: int = 4096,
        scale: float = 1.0,
        leapfrog: int = 5,
        chains: int = 512,
    ) -> None:
        super().__init__(domain, particles, scale, leapfrog)
        self.chains = min(int(positive("chains", chains)), self.particles)
        if self.particles % self.chains:
            raise ValueError(
                f"Expected chains that divide {self.particles} particles, got {self.chains}."
            )

    def run(self, log_reward: LogReward, budget: Budget) -> None:
        target, z = self.target(log_reward), self.start(self.chains)
        move = HMC(step=self.scale / 10, leapfrog=self.leapfrog, chains=self.chains)
        warm = budget.steps // 2
        for _ in range(warm):
            z, _ = move(z, 1.0, target)
        move = replace(move, rate=0.0)
        kept, rates = [], []
        after, states = budget.steps - warm, self.particles // self.chains
        wanted = {round(after * (k + 1) / states) for k in range(states)}
        for step in range(1, after + 1):
            z, rate = move(z, 1.0, target)
            rates.append(float(rate))
            if step in wanted:
                kept.append(z[:, 0])
        # Where there are fewer moves than states are wanted, the last ones come again.
        kept += kept[-1:] * (states - len(kept))
        self.points.copy_(torch.cat(kept).flatten(1))
        self._tell(sum(rates) / len(rates))

    def _tell(self, rate: float) -> None:
        if not LOW <= rate <= HIGH:
            self.notes.append(f"acceptance {rate:.2f}")
