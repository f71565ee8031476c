r"""MMD-GAN: moment matching in a space that is learnt against the generator.

Li, Chang, Cheng, Yang & Poczos, MMD GAN, NeurIPS 2017, arXiv:1705.08584; Binkowski, Sutherland,
Arbel & Gretton, Demystifying MMD GANs, ICLR 2018, arXiv:1801.01401, whose losses these are.

A critic h maps points to a few features, where a kernel k measures the discrepancy of data X and
draws Y without bias (eq. 1 of the second, rational quadratic kernels of section 2.1),

    MMD^2 = mean_{i != j} k(h x_i, h x_j) + mean_{i != j} k(h y_i, h y_j) - 2 mean k(h x_i, h y_j).

The generator descends it, the critic ascends it, with the slope of the witness function
f(t) = mean_i k(h x_i, h t) - mean_j k(h y_j, h t) held near 1 between data and draws (eq. 4).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from ..nets.roles import encoder
from ..players import Player
from .base import SampleMatcher

ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)  # of the kernels (1 + d^2 / (2 a))^-a


class MMDGAN(SampleMatcher):
    """A generator and the space in which its moments are matched.

    Args:
        domain: What one point is.
        latent: See `SampleMatcher`.
        hidden: Widths of the hidden layers of both nets on vectors.
        channels: See `SampleMatcher`.
        features: Features of the critic.
        weight: Weight of the penalty on the slope of the witness.
        turns: Steps of the critic for each of the generator.
        lr: Learning rate of both.
    """

    paper = "arXiv:1705.08584"
    half_life = 0.1

    def __init__(
        self,
        domain: Domain,
        latent: int = 16,
        hidden: Sequence[int] = (128, 128),
        channels: int = 16,
        features: int = 16,
        weight: float = 1.0,
        turns: int = 3,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(domain, latent, hidden, channels, lr)
        self.weight, self.turns = weight, turns
        self.critic = encoder(domain, 1, features, hidden, channels)

    def discrepancy(self, drawn: Tensor, data: Tensor) -> Tensor:
        return unbiased_mmd2(self.h(data), self.h(drawn))

    def h(self, y: Tensor) -> Tensor:
        """Returns the features of scaled points `(B, D)`, shape `(B, F)`."""
        return self.critic(y.unsqueeze(2))

    def critic_loss(self, batch: Tensor) -> Tensor:
        """Returns minus MMD^2, and the penalty on the slope of the witness."""
        data = self.scaling.encode(batch).flatten(1)
        with torch.no_grad():
            drawn = self.generate(len(batch))
        x, y = self.h(torch.cat([data, drawn])).chunk(2)
        share = torch.rand(len(data), 1, device=data.device)
        between = (data + share * (drawn - data)).requires_grad_()
        t = self.h(between)
        (slope,) = torch.autograd.grad(t, between, witness_slope(t, x, y), create_graph=True)
        size = (slope.square().sum(1) + 1e-12).sqrt()
        return self.weight * (size - 1).square().mean() - unbiased_mmd2(x, y)

    def players(self) -> list[Player]:
        betas = (0.5, 0.9)
        critic = Player("critic", self.critic.parameters(), self.critic_loss, self.lr, betas)
        critic.turns = self.turns
        return [critic, Player("loss", self.generator.parameters(), self.loss, self.lr, betas)]


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """Returns the sum of rational quadratic kernels, `(N, M)`, of rows `(N, F)` and `(M, F)`."""
    return _powers(x, y, 0.0)


def witness_slope(t: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Returns the gradient of the witness mean_i k(x_i, t) - mean_j k(y_j, t) by t, `(L, F)`.

    For features t `(L, F)`, x of data `(N, F)` and y of draws `(M, F)`. In closed form: that of a
    kernel (1 + d^2 / 2a)^-a is (x - t) (1 + d^2 / 2a)^-(a + 1).
    """
    share = torch.cat([x.new_full((len(x),), 1 / len(x)), y.new_full((len(y),), -1 / len(y))])
    z = torch.cat([x, y])
    weight = _powers(t, z, 1.0) * share
    return weight @ z - weight.sum(1, keepdim=True) * t


def unbiased_mmd2(x: Tensor, y: Tensor) -> Tensor:
    """Returns the unbiased estimate of MMD^2 of features `(N, F)` and `(M, F)`; a scalar."""
    N, M = len(x), len(y)
    within_x = (kernel(x, x).sum() - N * len(ALPHAS)) / (N * (N - 1))
    within_y = (kernel(y, y).sum() - M * len(ALPHAS)) / (M * (M - 1))
    return within_x + within_y - 2 * kernel(x, y).mean()


def _powers(x: Tensor, y: Tensor, more: float) -> Tensor:
    """Returns sum_a (1 + d^2 / 2a)^-(a + more) in one pass over all a, `(N, M)`; see `kernel`."""
    square = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    a = torch.tensor(ALPHAS, dtype=x.dtype, device=x.device)[:, None, None]
    return ((square.clamp_min(0) / (2 * a)).log1p() * -(a + more)).exp().sum(0)
