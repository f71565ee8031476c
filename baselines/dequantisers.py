r"""Ways to make real numbers of integers, with what the likelihood owes them.

An integer point x becomes y, and

    log P(x) >= E[log p(y) + w],

where the weight w holds the Jacobian of what was done, less the log-density of the noise:

| way | y |
|---|---|
| uniform | 2 (x + u) / K - 1 with u ~ U[0, 1) |
| logit | the logit of (x + u) / K (Dinh et al. 2017, arXiv:1605.08803, section 4.1) |
| variational | as uniform, u ~ q(u given x), a small flow (arXiv:1902.00275, eq. 12) |

Real points are standardised in each way.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..benchmark.contract.model import Likelihood
from ..benchmark.contract.task import Domain
from .dequantise import floor, logit, unlogit
from .nets.images import ResidualConv
from .nets.mlp import ResidualMLP
from .nets.roles import has_images
from .scaling import CHUNK, Scaling
from .training import NeuralModel

WAYS = ("uniform", "logit", "variational")
WIDTH = 32  # of the net of q(u | x)


class Dequantiser(nn.Module):
    """Uniform noise; on real domains the identity but for `scaling`.

    Args:
        scaling: The scaling of the domain.
    """

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.scaling = scaling

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns y `(B, *shape)` and w in nats, `(B,)` or a scalar, for points `(B, *shape)`."""
        return self.scaling.encode(x), self.scaling.log_abs_det

    def back(self, y: Tensor) -> Tensor:
        """Returns points of the domain, `(B, *shape)`."""
        return self.scaling.decode(y)

    def weights(self, log_density: Callable[[Tensor], Tensor], x: Tensor, K: int) -> Tensor:
        """Returns log p(y) + w of K draws of the noise of each point, in nats, `(K, B)`.

        Args:
            log_density: log p of points y, `(N, *shape)` to `(N,)`.
            x: Points of the domain, shape `(B, *shape)`.
            K: Number of draws.
        """
        y, w = self(x.repeat(K, *[1] * (x.dim() - 1)))
        return (log_density(y) + w).unflatten(0, (K, -1))

    def bound(self, log_density: Callable[[Tensor], Tensor], x: Tensor, K: int) -> Tensor:
        """Returns the log-mean-exp of `weights` over the draws, in nats, `(B,)`."""
        return self.weights(log_density, x, K).logsumexp(0) - math.log(K)

    @torch.no_grad()
    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and standard deviation of y over rows, each `(D,)`."""
        return self.scaling.moments(rows)

    def size(self, rows: Tensor) -> Tensor:
        """Returns the root of the mean square of y over rows and coordinates, a scalar."""
        mean, std = self.moments(rows)
        return (std.square().mean() + mean.square().mean()).sqrt()


class Logit(Dequantiser):
    """Uniform noise, then the logit: no mass lies outside of the cube."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, _ = super().forward(x)
        z, log_det = logit((y + 1) / 2)
        return z, log_det - self.scaling.domain.dim * math.log(self.levels)

    def back(self, y: Tensor) -> Tensor:
        return floor(unlogit(y) * self.levels, self.levels)

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        n, total, square = 0, 0.0, 0.0
        for part in rows.split(CHUNK):
            y = self(part.to(self.scaling.shift.device))[0].flatten(1).double()
            n, total, square = n + len(y), total + y.sum(0), square + y.square().sum(0)
        mean = torch.as_tensor(total) / n
        variance = (torch.as_tensor(square) / n - mean**2).clamp_min(0)
        return mean.to(self.scaling.shift), variance.sqrt().to(self.scaling.shift)

    @property
    def levels(self) -> int:
        """The number K of levels."""
        return self.scaling.domain.levels or 1


class Variational(Dequantiser):
    r"""u = sigmoid(m + exp(a) e) with logistic noise e: uniform where m = a = 0, as at the start.

    The coordinates of a checkerboard move first, by numbers m and a that a net makes of x; then
    the others, by numbers of x and of the noise of the first.

    Args:
        scaling: The scaling of the domain.
    """

    first: Tensor

    def __init__(self, scaling: Scaling) -> None:
        super().__init__(scaling)
        domain = scaling.domain
        parity = torch.arange(domain.dim) % 2
        if has_images(domain):
            _, H, W = domain.shape
            parity = ((torch.arange(H)[:, None] + torch.arange(W)) % 2).expand(domain.shape)
        first = (parity == 0).reshape(domain.shape).float()
        self.register_buffer("first", first, persistent=False)
        self.nets = nn.ModuleList(self._net(domain) for _ in range(2))

    def _net(self, domain: Domain) -> nn.Sequential:
        net: nn.Sequential
        if has_images(domain):
            C = domain.shape[0]
            net = ResidualConv(2 * C, 2 * C, WIDTH, 1)
        else:
            net = ResidualMLP(2 * domain.dim, 2 * domain.dim, WIDTH, 1)
        nn.init.zeros_(net[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(net[-1].bias)  # type: ignore[arg-type]
        return net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        K = self.scaling.domain.levels or 1
        centred = 2 * x.to(self.first) / max(K - 1, 1) - 1
        uniform = torch.rand_like(centred).clamp(1e-6, 1 - 1e-6)
        e = uniform.logit()
        log_q = log_logistic(e)
        for net, moved in zip(self.nets, (self.first, 1 - self.first), strict=True):
            seen = e * (self.first if net is not self.nets[0] else 0)
            m, a = self._numbers(net, centred, seen)
            a = a.tanh() * moved
            e = e * a.exp() + m * moved
            log_q = log_q - a
        u = e.sigmoid().clamp(0, 1 - 1e-6)
        log_q = log_q - log_logistic(e)  # du/de is the logistic density
        y = (x.to(u) + u - self.scaling.shift) / self.scaling.scale
        return y, self.scaling.log_abs_det - log_q.flatten(1).sum(1)

    def _numbers(self, net: nn.Module, x: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """Returns m and a, each of the shape of x, from points in [-1, 1] and noise."""
        both = torch.stack([x, e.tanh()], dim=1)
        if has_images(self.scaling.domain):
            return net(both.flatten(1, 2)).unflatten(1, (2, -1)).unbind(1)
        m, a = net(both.flatten(1)).chunk(2, dim=1)
        return m.view_as(x), a.view_as(x)


def log_logistic(e: Tensor) -> Tensor:
    """Returns the log-density of the standard logistic law, which is log sigmoid'(e)."""
    return -functional.softplus(e) - functional.softplus(-e)


class Dequantised(NeuralModel):
    """A model of real numbers whose points come from and go back through `dequantiser`."""

    dequantiser: Dequantiser

    def points(self, y: Tensor) -> Tensor:
        return self.dequantiser.back(y.unflatten(1, self.domain.shape))

    def log_weight(self, x: Tensor, K: int) -> Tensor:
        """Returns log p(y) + w of K draws of the noise of integers, in nats, shape `(K, B)`.

        Raises:
            NotImplementedError: The domain is real, or the model has no density, or one whose
                divergence is estimated, so that weights would hold that noise, too.
        """
        estimated = not getattr(self, "exact", True)
        if self.domain.levels is None or self.likelihood is Likelihood.NONE or estimated:
            raise NotImplementedError
        return self.dequantiser.weights(self.log_density, x, K)

    def log_density(self, y: Tensor) -> Tensor:
        """Returns log p of scaled points `(B, *shape)` in nats, shape `(B,)`.

        Raises:
            NotImplementedError: The model has no density.
        """
        raise NotImplementedError


def dequantiser(scaling: Scaling, way: str, by_likelihood: bool) -> Dequantiser:
    """Returns the module of a way, for a domain; real points have one way alone.

    Args:
        scaling: The scaling of the domain.
        way: One of `WAYS`.
        by_likelihood: Whether training descends a likelihood, without which the noise of
            "variational" has nothing to learn from.

    Raises:
        ValueError: The way is unknown, is one of integers where the domain is real, or has
            nothing to learn from.
    """
    if way == "variational" and not by_likelihood:
        raise ValueError(
            "Expected dequantisation uniform or logit, got 'variational': its noise is trained "
            "by a likelihood, and this model has none in training."
        )
    if way not in WAYS:
        raise ValueError(f"Expected one of {', '.join(WAYS)} as dequantisation, got {way!r}.")
    if way != "uniform" and scaling.domain.levels is None:
        raise ValueError(f"Expected a domain of integers for dequantisation {way!r}, got reals.")
    return {"uniform": Dequantiser, "logit": Logit, "variational": Variational}[way](scaling)
