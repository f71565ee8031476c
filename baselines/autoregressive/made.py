r"""Masked autoencoder for distribution estimation.

Germain, Gregor, Murray & Larochelle, MADE, ICML 2015, arXiv:1502.03509.

The joint law is a product of conditionals (eq. 4), all of which one masked net computes in one
pass, since its outputs for coordinate d see x_{<d} alone (eq. 12 and 13, in `nets/masked.py`):

    log p(x) = sum_d log p(x_d | x_{<d}).

The paper's conditionals are Bernoulli. Here they follow the domain: categorical, a mixture of
discretised logistics, or on real values a mixture of Gaussians (Uria et al. 2013,
arXiv:1306.0186, eq. 7). The likelihood is exact on all of them; a draw takes D passes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from ..nets.masked import MaskedMLP
from .base import Autoregressive


class MADE(Autoregressive):
    """Autoregressive model in the natural order of the coordinates.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers.
        components: Components of a conditional on real values and more than 32 ordered levels.
        lr: Learning rate.
        decay: Weight decay (AdamW).
    """

    paper = "arXiv:1502.03509"

    def __init__(
        self,
        domain: Domain,
        hidden: Sequence[int] = (256, 256),
        components: int = 8,
        lr: float = 2e-3,
        decay: float = 0.0,
    ) -> None:
        super().__init__(domain, components, lr, decay)
        features, width = self.embedding.features, self.observation.width
        self.net = MaskedMLP(domain.dim, features, width, hidden)

    def theta(self, x: Tensor) -> Tensor:
        return self.net(self.embedding(x))

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws one coordinate after the other; D passes of `net`."""
        drawn, sums = [], self.net.start(n)
        for d in range(self.domain.dim):
            at = slice(d, d + 1)
            drawn.append(self.observation.sample(self.net(sums, coordinate=d), at))  # (n, 1)
            sums = self.net.grow(sums, self.embedding(drawn[-1], at), d)
        return torch.cat(drawn, dim=1).reshape(n, *self.domain.shape)
