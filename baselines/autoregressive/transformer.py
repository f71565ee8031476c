r"""Autoregressive transformer.

Vaswani et al., Attention Is All You Need, NeurIPS 2017, arXiv:1706.03762; as a generative model of
any sequence of coordinates, Child, Gray, Radford & Sutskever 2019, arXiv:1904.10509.

One causal net (`nets/causal.py`) computes all conditionals in one pass,

    log p(x) = sum_d log p(x_d | x_{<d}),

whose laws follow the domain (`observation`). A draw takes D passes of one coordinate each, which
attend to the keys and values kept of those before.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from ..nets.causal import CausalTransformer, Past
from ..players import Player, half_cosine, warm_up
from .base import Autoregressive

LONGEST = 1024  # attention takes D^2 numbers a row


class Transformer(Autoregressive):
    """Causal transformer over the coordinates in their given order.

    Args:
        domain: What one point is.
        width: Width of a position.
        layers: Number of layers.
        heads: Heads of the attention.
        dropout: Share of the numbers dropped in training.
        components: Components of a conditional on real values and more than 32 ordered levels.
        lr: Learning rate; it rises over the first twentieth of the steps.
        decay: Weight decay (AdamW).
    """

    paper = "arXiv:1706.03762"

    def __init__(
        self,
        domain: Domain,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        components: int = 8,
        lr: float = 2e-3,
        decay: float = 0.01,
    ) -> None:
        super().__init__(domain, components, lr, decay)
        self.heads = heads
        features, numbers = self.embedding.features, self.observation.width
        self.net = CausalTransformer(domain.dim, features, numbers, width, layers, heads, dropout)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.dim > LONGEST:
            return f"attention over more than {LONGEST:,} coordinates is too large"
        return None

    def theta(self, x: Tensor) -> Tensor:
        return self.net(self.embedding(x))

    def players(self) -> list[Player]:
        (player,) = super().players()
        player.schedule = warm_up(0.05, half_cosine)
        player.clip = 1.0
        return [player]

    def numbers(self) -> int:
        return self.domain.dim * max(self.observation.width, self.heads * self.domain.dim)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws one coordinate after the other; D passes of `net` for one position."""
        drawn: list[Tensor] = []
        past: Past = []
        for d in range(self.domain.dim):
            before = self.embedding(drawn[-1], slice(d - 1, d)) if drawn else None
            theta, past = self.net.step(before, past, n)
            drawn.append(self.observation.sample(theta, slice(d, d + 1)))
        return torch.cat(drawn, dim=1).reshape(n, *self.domain.shape)
