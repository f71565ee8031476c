r"""Neural autoregressive distribution estimator.

Larochelle & Murray, The Neural Autoregressive Distribution Estimator, AISTATS 2011; on real values
Uria, Murray & Larochelle 2013, arXiv:1306.0186; over all orders Uria et al. 2014, arXiv:1310.1757.

Each conditional is a net of one hidden layer, whose input weights all conditionals share (eq. 2
and 3 of the first):

    p(x_d | x_{<d}) = law(b_d + V_d h_d),      h_d = sigmoid(c + sum_{j < d} W_j x_j).

The sum grows by one term a coordinate, so that a likelihood and a draw cost O(D H). It does not
know in which order its terms came: trained on orders drawn at random, one net holds a model for
each, and their mixture is a model too, log p(x) = log 1/K sum_k p_k(x) over K orders.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...benchmark.contract.task import Domain
from ..chunks import in_chunks
from .base import Autoregressive


class NADE(Autoregressive):
    """Autoregressive net with shared input weights.

    Args:
        domain: What one point is.
        units: Hidden units H of a conditional.
        orders: Orders K of the coordinates that the mixture has, drawn once; 0 is the given order
            alone.
        components: Components of a conditional on real values and more than 32 ordered levels.
        lr: Learning rate.
        decay: Weight decay (AdamW).
    """

    paper = "Larochelle & Murray 2011"
    network = "out"
    order: Tensor

    def __init__(
        self,
        domain: Domain,
        units: int = 256,
        orders: int = 0,
        components: int = 8,
        lr: float = 2e-3,
        decay: float = 0.0,
    ) -> None:
        super().__init__(domain, components, lr, decay)
        D, E, P = domain.dim, self.embedding.features, self.observation.width
        self.units = units
        self.weight = nn.Parameter(torch.randn(D, E, units) / math.sqrt(D * E))
        self.bias = nn.Parameter(torch.zeros(units))
        self.out = Heads(D, units, P)
        drawn = [torch.randperm(D) for _ in range(orders)] or [torch.arange(D)]
        self.register_buffer("order", torch.stack(drawn))
        self.orders = orders

    def theta(self, x: Tensor) -> Tensor:
        return self.theta_in(self.order[0], x)

    def theta_in(self, order: Tensor, x: Tensor) -> Tensor:
        """Returns the parameters of the conditionals in an order `(D,)`, coordinates as given."""
        terms = torch.einsum("bde,deh->bdh", self.embedding(x)[:, order], self.weight[order])
        sums = self.bias + terms.cumsum(1) - terms
        return self.out(sums.sigmoid(), order)[:, order.argsort()]

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative log-likelihood in nats; with orders, in one drawn at random."""
        if not (self.orders and self.training):
            return -self._mixture(batch).mean()
        order = torch.randperm(self.domain.dim, device=batch.device)
        return -self._in(order, batch).mean()

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        return in_chunks(self._mixture, x, self.numbers())

    def numbers(self) -> int:
        return self.domain.dim * max(self.observation.width, self.units)

    def _in(self, order: Tensor, x: Tensor) -> Tensor:
        return self.observation.log_prob(self.theta_in(order, x), x.flatten(1)).sum(1)

    def _mixture(self, x: Tensor) -> Tensor:
        log_p = torch.stack([self._in(order, x) for order in self.order])
        return log_p.logsumexp(0) - math.log(len(log_p))

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws one coordinate after the other, each point in one of the orders."""
        which = torch.randint(len(self.order), (n,)).bincount(minlength=len(self.order))
        rows = [self._draw(int(m), order) for m, order in zip(which, self.order, strict=True)]
        mixed = torch.cat(rows)[torch.randperm(n)]
        return mixed.reshape(n, *self.domain.shape)

    def _draw(self, n: int, order: Tensor) -> Tensor:
        sums, drawn = self.bias.expand(n, -1), []
        for d in order.tolist():
            at = slice(d, d + 1)
            theta = self.out(sums.sigmoid()[:, None], order.new_tensor([d]))
            drawn.append(self.observation.sample(theta, at))  # (n, 1)
            sums = sums + self.embedding(drawn[-1], at)[:, 0] @ self.weight[d]
        return torch.cat(drawn, 1)[:, order.argsort()]


class Heads(nn.Module):
    """A linear map of its own for each coordinate.

    Args:
        dim: Coordinates D.
        units: Width H of the input.
        width: Numbers P of a coordinate.
    """

    def __init__(self, dim: int, units: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim, units, width) / math.sqrt(units))
        self.bias = nn.Parameter(torch.zeros(dim, width))

    def forward(self, h: Tensor, which: Tensor) -> Tensor:
        """Maps `(B, d, H)` of the coordinates `which` `(d,)` to `(B, d, P)`."""
        return torch.einsum("bdh,dhp->bdp", h, self.weight[which]) + self.bias[which]
