r"""Generative adversarial network.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, arXiv:1406.2661.

A generator G(z), z ~ N(0, I), and a discriminator D(x) in (0, 1) play (eq. 1)

    min_G max_D  E_x[log D(x)] + E_z[log(1 - D(G(z)))],

where the generator maximises E_z[log D(G(z))] instead, which has the same fixed point and a
gradient early on (section 3). At the optimum D = 1/2 and the value is -log 4 (theorem 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..nets.mlp import MLP
from ..training import NeuralModel, Player


class GAN(NeuralModel):
    """The non-saturating GAN with multilayer perceptrons; integers are dequantised.

    Args:
        domain: What one point is.
        latent: Dimension L of z.
        hidden: Widths of the hidden layers of the generator.
        critic_hidden: Widths of the hidden layers of the discriminator.
        lr: Learning rate of both players.
        betas: Decay rates of Adam; momentum lets the game cycle and collapse.
    """

    family = "adversarial"
    paper = "arXiv:1406.2661"
    likelihood = Likelihood.NONE
    network = "generator"
    half_life = 69.0

    def __init__(
        self,
        domain: Domain,
        latent: int = 64,
        hidden: Sequence[int] = (128, 128),
        critic_hidden: Sequence[int] = (128, 128),
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.0, 0.9),
    ) -> None:
        super().__init__(domain, lr)
        self.latent, self.betas = latent, betas
        self.generator = MLP(latent, domain.dim, hidden, nn.ReLU)
        self.discriminator = MLP(domain.dim, 1, critic_hidden, nn.LeakyReLU)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if not domain.ordered and (domain.levels or 0) > 2:
            return "the generator needs a gradient through x, and unordered tokens have none"
        return None

    def generate(self, n: int) -> Tensor:
        """Returns G(z), n scaled points, shape `(n, D)`."""
        return self.generator(torch.randn(n, self.latent, device=self.device))

    def discriminator_loss(self, batch: Tensor) -> Tensor:
        """Returns -E[log D(x)] - E[log(1 - D(G(z)))] in nats (eq. 1)."""
        real = self.discriminator(self.scaling.encode(batch).flatten(1))
        fake = self.discriminator(self.generate(len(batch)).detach())
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()

    def generator_loss(self, batch: Tensor) -> Tensor:
        """Returns -E[log D(G(z))] in nats, of as many draws as the batch has rows."""
        return functional.softplus(-self.discriminator(self.generate(len(batch)))).mean()

    def players(self) -> list[Player]:
        D, G = self.discriminator.parameters(), self.generator.parameters()
        return [
            Player("discriminator", D, self.discriminator_loss, self.lr, self.betas),
            Player("generator", G, self.generator_loss, self.lr, self.betas),
        ]

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.points(self.generate(n))
