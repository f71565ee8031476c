"""Samplers whose training leaves particles: points of chains, with weights or without."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from ...benchmark.contract.model import Budget, Diverged
from ...benchmark.contract.task import Domain, TrainingTask
from ..drawn import Drawn
from .base import LogReward, log_normal, positive, real_only, reward_of


class Particles(nn.Module, Drawn):
    """Chains that start from N(0, scale^2 I) and follow the reward; their points are the model.

    Args:
        domain: Real vectors.
        particles: Points that are kept.
        scale: Standard deviation of the Gaussian that chains start from.
        leapfrog: Leapfrog steps of a Hamiltonian move.

    Attributes:
        points: The particles, shape `(n, D)`.
        log_weights: Their log importance weights in nats, shape `(n,)`; zeros without any.
    """

    family = "sampler"
    learns_from = "reward"
    points: Tensor
    log_weights: Tensor

    def __init__(
        self, domain: Domain, particles: int = 2048, scale: float = 1.0, leapfrog: int = 5
    ) -> None:
        super().__init__()
        reason = self.supports(domain)
        if reason:
            raise ValueError(f"Expected a domain that {type(self).__name__} models: {reason}.")
        self.domain, self.particles = domain, int(positive("particles", particles))
        self.scale, self.leapfrog = positive("scale", scale), int(positive("leapfrog", leapfrog))
        self.register_buffer("points", torch.zeros(self.particles, domain.dim))
        self.register_buffer("log_weights", torch.zeros(self.particles, dtype=torch.double))
        self.notes: list[str] = []
        self.examples = 0

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return real_only(domain)

    @property
    def device(self) -> torch.device:
        """Where the particles are."""
        return self.points.device

    def start(self, n: int) -> Tensor:
        """Draws where n chains start, shape `(n, 1, D)`: many chains of one problem."""
        return self.scale * torch.randn(n, 1, self.domain.dim, device=self.device)

    def log_base(self, z: Tensor) -> Tensor:
        """Returns log N(z; 0, scale^2 I) of chains `(C, 1, D)`, `(C, 1)`."""
        return log_normal(z, self.scale)

    def target(self, log_reward: LogReward) -> LogReward:
        """Returns the log-reward of chains, `(C, 1, D)` to `(C, 1)`, and counts its points."""

        def log_target(z: Tensor) -> Tensor:
            self.examples += len(z)
            return log_reward(z.flatten(0, 1).unflatten(1, self.domain.shape)).view(z.shape[:2])

        return log_target

    @abstractmethod
    def run(self, log_reward: LogReward, budget: Budget) -> None:
        """Sets the particles, and their weights where there are any."""

    def fit(self, task: TrainingTask, budget: Budget) -> None:
        """Runs the chains for `budget.steps` moves; see `GenerativeModel.fit`."""
        self.notes, self.examples = [], 0
        self.run(reward_of(task), budget)
        if not bool(self.points.isfinite().all()):
            raise Diverged("the chains left the finite numbers")

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n particles, by their weights where they have any.

        Without weights no particle comes twice before all came once.
        """
        if bool((self.log_weights != 0).any()):
            share = self.log_weights.softmax(0)
            chosen = share.multinomial(n, replacement=True)
        else:
            rounds = -(-n // self.particles)
            order = [torch.randperm(self.particles, device=self.device) for _ in range(rounds)]
            chosen = torch.cat(order)[:n]
        return self.points[chosen].unflatten(1, self.domain.shape)
