r"""Ladder variational auto-encoder.

Sonderby, Raiko, Maaloe, Sonderby & Winther, Ladder Variational Autoencoders, NeurIPS 2016,
arXiv:1602.02282.

Latents stand in N layers, drawn from the top: p(z_N) = N(0, I), p(z_i | z_{i+1}) = N(m_i, v_i),
p(x | z_1). The encoder's deterministic pass up gives (m^_i, v^_i) for each layer; the posterior of
a layer joins them with the prior's on the way down, weighted by precision (eq. 17 to 19),

    v_q = 1 / (1/v^ + 1/v_p),      m_q = (m^/v^ + m_p/v_p) v_q.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

from ...benchmark.contract.joint import Joint
from ...benchmark.contract.task import Domain
from ..nets.mlp import MLP
from .base import LatentModel

SMALLEST = 1e-4  # variance of a layer's law


class LadderVAE(LatentModel):
    """Variational auto-encoder with layers of latents.

    Args:
        domain: What one point is.
        layers: Dimension of each layer's latents, from the data up.
        units: Width of the pass up, and of the nets between layers.
        hidden: See `VAE`.
        channels: See `VAE`.
        components: See `VAE`.
        particles: Draws K of z in `log_prob`.
        warm_up: See `VAE`.
        lr: Learning rate.
    """

    paper = "arXiv:1602.02282"

    def __init__(
        self,
        domain: Domain,
        layers: Sequence[int] = (16, 8),
        units: int = 128,
        hidden: Sequence[int] = (256, 256),
        channels: int = 16,
        components: int = 5,
        particles: int = 64,
        warm_up: float = 0.2,
        lr: float = 2e-3,
    ) -> None:
        if not layers:
            raise ValueError("Expected at least one layer of latents, got none.")
        first = layers[0]
        super().__init__(
            domain, first, units, hidden, channels, components, particles, warm_up, lr
        )
        self.sizes = list(layers)
        self.up = nn.ModuleList(MLP(units, units, (units,)) for _ in layers[1:])
        self.heads = nn.ModuleList(nn.Linear(units, 2 * size) for size in layers)
        self.down = nn.ModuleList(
            MLP(above, 2 * below, (units,)) for below, above in pairwise(layers)
        )

    def parts(self, x: Tensor, K: int) -> tuple[Tensor, Tensor]:
        likelihoods = self._up(x)
        mean, var = likelihoods[-1]
        z, q = _draw(mean, var, K)
        ratio = _log_standard(z) - q
        for (mean, var), net in zip(likelihoods[-2::-1], reversed(self.down), strict=True):
            m_p, v_p = _moments(net(z))
            v_q = 1 / (1 / var + 1 / v_p)
            m_q = (mean / var + m_p / v_p) * v_q
            z, q = _draw(m_q, v_q)
            ratio = ratio + _log_normal(z, m_p, v_p) - q
        return self.log_conditional(x, z), ratio

    def _up(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Returns mean and variance `(B, L_i)` of each layer's pass up, the lowest first."""
        h, found = self.encoder(self.embedding(x)), []
        for head, net in zip(self.heads, [*self.up, None], strict=True):
            found.append(_moments(head(functional.silu(h))))
            h = net(functional.silu(h)) if net is not None else h
        return found

    def from_noise(self, noise: Tensor) -> Tensor:
        """Returns z_1 `(..., L_1)` of standard normal noise of all layers, `(..., sum L_i)`."""
        *below, z = noise.split(self.sizes, dim=-1)
        for e, net in zip(reversed(below), reversed(self.down), strict=True):
            mean, var = _moments(net(z))
            z = mean + var.sqrt() * e
        return z

    def joint(self) -> Joint:
        """Returns p(z) p(x | z) with the noise of all layers in the place of z."""
        return Joint(
            sum(self.sizes),
            lambda x, noise: self.log_conditional(x, self.from_noise(noise)),
            self.simulate,
            device=self.device,
        )

    def simulate(self, noise: Tensor) -> Tensor:
        """Draws a point of the domain, `(n, *shape)`, for noise of all layers `(n, sum L_i)`."""
        x = self.observation.sample(self.theta(self.from_noise(noise)))
        return x.reshape(len(noise), *self.domain.shape)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.simulate(torch.randn(n, sum(self.sizes), device=self.device))


def _moments(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Splits `(..., 2 L)` into mean and variance, which starts near 1."""
    mean, raw = numbers.chunk(2, dim=-1)
    return mean, functional.softplus(raw + 0.54) + SMALLEST


def _draw(mean: Tensor, var: Tensor, K: int | None = None) -> tuple[Tensor, Tensor]:
    """Draws z, K times where asked for, and returns it with its log-density `(..., B)`."""
    normal = Normal(mean, var.sqrt(), validate_args=False)
    z = normal.rsample((K,) if K else ())
    return z, normal.log_prob(z).sum(-1)


def _log_normal(z: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return Normal(mean, var.sqrt(), validate_args=False).log_prob(z).sum(-1)


def _log_standard(z: Tensor) -> Tensor:
    return _log_normal(z, torch.zeros_like(z), torch.ones_like(z))
