r"""Continuous GFlowNet: trajectory balance along a diffusion.

Lahlou et al., A Theory of Continuous Generative Flow Networks, ICML 2023, arXiv:2301.12594; as a
diffusion sampler with learnt drift Zhang & Chen, Path Integral Sampler, ICLR 2022,
arXiv:2111.15141, and Sendera et al., Improved Off-policy Training of Diffusion Samplers, NeurIPS
2024, arXiv:2402.05098. In T steps of h = 1 / T from x_0 = 0,

    P_F(x_{t+h} | x_t) = N(x_t + h u(x_t, t), s^2 h I),
    P_B(x_{t-h} | x_t) = N((t - h) / t x_t, s^2 h (t - h) / t I),     a Brownian bridge to 0,

so that x_1 ~ N(0, s^2 I) where u = 0. The loss is trajectory balance, with log Z learnt:

    L = (log Z + sum log P_F - log R(x_1) - sum log P_B)^2.

The drift is u = s net(x / s, t). Unlike in the two later papers it does not see the gradient of
the reward, so that a trained model draws without the reward.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..chunks import in_chunks
from ..nets.time import TimeMLP
from ..training import NeuralModel, Player
from .base import positive, real_only, reward_of

FIRST = 64  # paths by which log Z is set before the first step


@dataclass
class Paths:
    """Paths and what their ends are worth.

    Attributes:
        path: Shape `(B, T + 1, D)`.
        log_reward: log R of the ends in nats, shape `(B,)`.
    """

    path: Tensor
    log_reward: Tensor


class ContinuousGFlowNet(NeuralModel):
    """Diffusion sampler trained by trajectory balance.

    `log_prob` is a LOWER_BOUND from K backward paths, log (1/K) sum_k P_F(tau_k) / P_B(tau_k | x).

    Args:
        domain: Real vectors.
        hidden: Widths of the hidden layers of the drift.
        steps: Steps T of a path.
        scale: s, the standard deviation of the path's end before it is trained.
        exploration: In training the noise of the forward steps is larger by this share; it falls
            to 0 over the first half.
        particles: Backward paths K of the bound.
        lr: Learning rate of the drift.
        log_z_lr: Learning rate of log Z.
    """

    family = "sampler"
    paper = "arXiv:2301.12594"
    learns_from = "reward"
    likelihood = Likelihood.LOWER_BOUND
    probe_arguments = frozenset({"particles"})

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128),
        steps: int = 50,
        scale: float = 1.0,
        exploration: float = 0.2,
        particles: int = 16,
        lr: float = 1e-3,
        log_z_lr: float = 0.5,
    ) -> None:
        super().__init__(domain, lr)
        self.steps, self.scale = int(positive("steps", steps)), positive("scale", scale)
        if exploration < 0:
            raise ValueError(f"Expected exploration >= 0, got {exploration}.")
        self.exploration, self.log_z_lr = exploration, log_z_lr
        self.particles = int(positive("particles", particles))
        self.hidden = tuple(hidden)
        self.net = TimeMLP(domain.dim, hidden)
        nn.init.zeros_(self.net.head.weight)
        nn.init.zeros_(self.net.head.bias)
        nn.init.zeros_(self.net.gate.weight)
        nn.init.zeros_(self.net.gate.bias)
        self.log_flow = nn.Parameter(torch.zeros(()))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return real_only(domain)

    def players(self) -> list[Player]:
        """One player; log Z has a learning rate of its own."""
        groups = [
            {"params": list(self.net.parameters()), "lr": self.lr},
            {"params": [self.log_flow], "lr": self.log_z_lr},
        ]
        return [Player("loss", groups, self.loss)]

    @torch.no_grad()
    def prepare(self, task: TrainingTask) -> None:
        """Sets log Z to its mean estimate by first paths; rows are not looked at."""
        first = next(iter(self.batches(task, FIRST)))
        self.log_flow.fill_((first.log_reward - self.log_ratio(first.path)).mean())

    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns u of points `(B, D)` at times `(B,)`, shape `(B, D)`."""
        return self.scale * self.net(x / self.scale, t)

    @torch.no_grad()
    def forward_paths(self, n: int, wider: float = 0.0) -> Tensor:
        """Draws n paths by P_F, shape `(n, T + 1, D)`.

        Args:
            n: Number of paths.
            wider: Share by which the noise is larger than that of P_F.
        """
        h = 1 / self.steps
        x = torch.zeros(n, self.domain.dim, device=self.device)
        path = [x]
        for k in range(self.steps):
            t = torch.full((n,), k * h, device=self.device)
            noise = self.scale * math.sqrt(h) * (1 + wider) * torch.randn_like(x)
            x = x + h * self.drift(x, t) + noise
            path.append(x)
        return torch.stack(path, 1)

    @torch.no_grad()
    def backward_paths(self, x: Tensor) -> Tensor:
        """Draws a path that ends in each point `(n, D)`, by P_B: shape `(n, T + 1, D)`."""
        path = [x]
        for k in range(self.steps - 1, 0, -1):
            share = k / (k + 1)
            x = share * x + self.scale * math.sqrt(share / self.steps) * torch.randn_like(x)
            path.append(x)
        path.append(torch.zeros_like(x))
        return torch.stack(path[::-1], 1)

    def log_ratio(self, path: Tensor) -> Tensor:
        """Returns log P_F(tau) - log P_B(tau | x) of paths `(n, T + 1, D)`, shape `(n,)`."""
        n, T = len(path), self.steps
        h, D = 1 / T, self.domain.dim
        before, after = path[:, :-1], path[:, 1:]
        t = (torch.arange(T, device=path.device) * h).expand(n, T)
        u = self.drift(before.flatten(0, 1), t.flatten()).view(n, T, D)
        variance = self.scale**2 * h
        log_pf = _log_normal(after - before - h * u, path.new_full((T,), variance))
        k = torch.arange(1, T, device=path.device)
        share = k / (k + 1)
        log_pb = _log_normal(before[:, 1:] - share[:, None] * after[:, 1:], variance * share)
        return log_pf - log_pb

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Paths]:
        """Yields paths of the current drift, with their log-rewards, for ever."""
        log_reward = reward_of(task)
        while True:
            wider = self.exploration * max(0.0, 1 - 2 * self.progress)
            path = self.forward_paths(batch_size, wider)
            with torch.no_grad():
                worth = log_reward(self._points(path)).float()
            yield Paths(path, worth)

    def loss(self, batch: Paths) -> Tensor:
        """Returns the mean squared residual of trajectory balance."""
        residual = self.log_flow + self.log_ratio(batch.path) - batch.log_reward
        return residual.square().mean()

    def log_z(self) -> float:
        """Returns the learnt log Z, in nats."""
        return float(self.log_flow.detach())

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points by P_F."""
        return self._points(self.forward_paths(n))

    @torch.no_grad()
    def proposals(self, n: int) -> tuple[Tensor, Tensor]:
        """Draws n points with log P_F(tau) - log P_B(tau | x); see `GenerativeModel`."""
        path = self.forward_paths(n)
        return self._points(path), self._ratio_in_chunks(path)

    @torch.no_grad()
    def log_proposal(self, x: Tensor) -> Tensor:
        """Returns log P_F(tau) - log P_B(tau | x), tau ~ P_B; see `GenerativeModel`."""
        return self._ratio_in_chunks(self.backward_paths(x.flatten(1)))

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns a bound on log p(x) from K backward paths, in nats, shape `(B,)`."""
        K = draws or self.particles
        path = self.backward_paths(x.flatten(1).repeat_interleave(K, 0))
        log_ratio = self._ratio_in_chunks(path).unflatten(0, (-1, K))
        return log_ratio.logsumexp(1) - math.log(K)

    def estimator(self, draws: int | None = None) -> str:
        return f"{draws or self.particles} backward paths"

    def _ratio_in_chunks(self, path: Tensor) -> Tensor:
        return in_chunks(self.log_ratio, path, self.steps * max(self.hidden))

    def _points(self, path: Tensor) -> Tensor:
        return path[:, -1].unflatten(1, self.domain.shape)


def _log_normal(away: Tensor, variance: Tensor) -> Tensor:
    """Sum over steps of log N(away; 0, variance I): `(n, K, D)` and `(K,)` to `(n,)`."""
    square = away.square().sum(2) / variance
    scale = away.shape[2] * (2 * math.pi * variance).log()
    return -0.5 * (square + scale).sum(1)
