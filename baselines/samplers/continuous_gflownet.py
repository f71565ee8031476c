r"""Continuous GFlowNet: trajectory balance along a diffusion.

Lahlou et al., A Theory of Continuous Generative Flow Networks, ICML 2023, arXiv:2301.12594; as a
diffusion sampler with learnt drift Zhang & Chen, Path Integral Sampler, ICLR 2022,
arXiv:2111.15141, and Sendera et al., Improved Off-policy Training of Diffusion Samplers, NeurIPS
2024, arXiv:2402.05098. In T steps from x_0 = 0, with v_k the variance of step k and V_k that of
all before it,

    P_F(x_{k+1} | x_k) = N(x_k + v_k / (s^2 - V_k) u(x_k, k), v_k I),
    P_B(x_k | x_{k+1}) = N(V_k / V_{k+1} x_{k+1}, v_k V_k / V_{k+1} I),     a Brownian bridge to 0,

so that x_T ~ N(0, s^2 I) where u = 0. The loss is trajectory balance, with log Z learnt:

    L = (log Z + sum log P_F - log R(x_T) - sum log P_B)^2.

u = s net(x / s, k / T) is how far the end is expected to be from x. What is left of the variance
falls as s^2 (1 - k / T)^p: with p = 1 all steps are alike, as in the papers, and none resolves
what is finer than s / sqrt(T). Every other batch is of paths that end in what Langevin chains
found near earlier ends (`local_search`). Unlike in the two later papers the drift does not see the
gradient of the reward, so that a trained model draws without the reward.
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
from .local_search import Alternating, LocalSearch

FIRST = 64  # paths by which log Z is set before the first step
LOWEST = 100.0  # nats below the best reward of a batch: less is not told from nothing


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
        fall: Power p by which the variance that is left falls.
        exploration: In training the noise of the forward steps is larger by this share; it falls
            to 0 over the first half.
        search: Whether paths to the finds of a local search are learnt from, too.
        particles: Backward paths K of the bound.
        lr: Learning rate of the drift.
        log_z_lr: Learning rate of log Z.
    """

    family = "sampler"
    paper = "arXiv:2301.12594"
    learns_from = "reward"
    likelihood = Likelihood.LOWER_BOUND
    probe_arguments = frozenset({"particles"})
    left: Tensor  # of the variance, before each step and at the end

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128),
        steps: int = 50,
        scale: float = 1.0,
        fall: float = 2.0,
        exploration: float = 0.2,
        search: bool = True,
        particles: int = 16,
        lr: float = 1e-3,
        log_z_lr: float = 0.5,
    ) -> None:
        super().__init__(domain, lr)
        self.steps, self.scale = int(positive("steps", steps)), positive("scale", scale)
        if exploration < 0:
            raise ValueError(f"Expected exploration >= 0, got {exploration}.")
        self.exploration, self.search, self.log_z_lr = exploration, search, log_z_lr
        self.particles = int(positive("particles", particles))
        self.hidden = tuple(hidden)
        left = self.scale**2 * torch.linspace(1, 0, self.steps + 1) ** positive("fall", fall)
        self.register_buffer("left", left, persistent=False)
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
        path = self.forward_paths(FIRST)
        worth = reward_of(task)(self._points(path)).float()
        worth = worth.clamp(min=float(worth.max()) - LOWEST)
        self.log_flow.fill_((worth - self.log_ratio(path)).mean())

    @property
    def variances(self) -> Tensor:
        """The variance v_k of each step, shape `(T,)`."""
        return self.left[:-1] - self.left[1:]

    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns u of points `(B, D)` at times k / T, shapes `(B,)` and `(B, D)`."""
        return self.scale * self.net(x / self.scale, t)

    @torch.no_grad()
    def forward_paths(self, n: int, wider: float = 0.0) -> Tensor:
        """Draws n paths by P_F, shape `(n, T + 1, D)`.

        Args:
            n: Number of paths.
            wider: Share by which the noise is larger than that of P_F.
        """
        x = torch.zeros(n, self.domain.dim, device=self.device)
        path, share = [x], self.variances / self.left[:-1]
        for k, variance in enumerate(self.variances):
            t = torch.full((n,), k / self.steps, device=self.device)
            noise = variance.sqrt() * (1 + wider) * torch.randn_like(x)
            x = x + share[k] * self.drift(x, t) + noise
            path.append(x)
        return torch.stack(path, 1)

    @torch.no_grad()
    def backward_paths(self, x: Tensor) -> Tensor:
        """Draws a path that ends in each point `(n, D)`, by P_B: shape `(n, T + 1, D)`."""
        path, (share, variances) = [x], self._bridge()
        for k in range(self.steps - 2, -1, -1):
            x = share[k] * x + variances[k].sqrt() * torch.randn_like(x)
            path.append(x)
        path.append(torch.zeros_like(x))
        return torch.stack(path[::-1], 1)

    def log_ratio(self, path: Tensor) -> Tensor:
        """Returns log P_F(tau) - log P_B(tau | x) of paths `(n, T + 1, D)`, shape `(n,)`."""
        n, T, D = len(path), self.steps, self.domain.dim
        before, after = path[:, :-1], path[:, 1:]
        t = (torch.arange(T, device=path.device) / T).expand(n, T)
        u = self.drift(before.flatten(0, 1), t.flatten()).view(n, T, D)
        step = (self.variances / self.left[:-1])[:, None] * u
        log_pf = _log_normal(after - before - step, self.variances)
        share, variances = self._bridge()
        log_pb = _log_normal(before[:, 1:] - share[:, None] * after[:, 1:], variances)
        return log_pf - log_pb

    def _bridge(self) -> tuple[Tensor, Tensor]:
        """V_k / V_{k+1} and the variance of P_B for k = 1 to T - 1, shapes `(T - 1,)`."""
        gone = self.left[0] - self.left
        share = gone[1:-1] / gone[2:]
        return share, self.variances[1:] * share

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Paths]:
        """Yields paths with their log-rewards, for ever."""
        log_reward = reward_of(task)

        def finish(path: Tensor) -> Paths:
            with torch.no_grad():
                worth = log_reward(self._points(path)).float()
                return Paths(path, worth.clamp(min=float(worth.max()) - LOWEST))

        search = LocalSearch(
            lambda x: log_reward(x.unflatten(1, self.domain.shape)),
            self.scale / 20,
            torch.empty(0, self.domain.dim, device=self.device),
        )
        return Alternating(
            lambda n: self.forward_paths(n, self.exploration * max(0.0, 1 - 2 * self.progress)),
            self.backward_paths,
            finish,
            search if self.search else None,
            batch_size,
        )

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
