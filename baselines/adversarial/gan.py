r"""Generative adversarial network.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, arXiv:1406.2661.

A generator G(z), z ~ N(0, I), and a discriminator D(x) in (0, 1) play (eq. 1)

    min_G max_D  E_x[log D(x)] + E_z[log(1 - D(G(z)))],

where the generator maximises E_z[log D(G(z))] instead, which has the same fixed point and a
gradient early on (section 3). At the optimum D = 1/2 and the value is -log 4 (theorem 1).

So trained the game need not converge: it turns around its fixed point. A penalty on the gradient
at the data makes it converge locally (Mescheder, Geiger & Nowozin, ICML 2018, arXiv:1801.04406,
eq. 9),

    R_1 = gamma / 2 E_x ||grad log(D / (1 - D))(x)||^2,

and a discriminator that learns faster than the generator helps (Heusel et al. 2017,
arXiv:1706.08500).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...benchmark.contract.joint import Generator
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..nets.roles import critic, decoder
from ..training import NeuralModel, Player


class GAN(NeuralModel):
    """The non-saturating GAN; integers are dequantised. On images its nets are DCGAN's.

    Args:
        domain: What one point is.
        latent: Dimension L of z.
        hidden: Widths of the hidden layers of the generator on vectors.
        critic_hidden: Widths of the hidden layers of the discriminator on vectors.
        channels: Channels of both on images.
        gamma: Weight of R_1; 0 is the game of 2014.
        lr: Learning rate of the generator.
        pace: How many times faster the discriminator learns.
        betas: Decay rates of Adam; momentum lets the game cycle and collapse.
    """

    family = "adversarial"
    paper = "arXiv:1406.2661"
    likelihood = Likelihood.NONE
    network = "generator"
    half_life = 0.1

    def __init__(
        self,
        domain: Domain,
        latent: int = 64,
        hidden: Sequence[int] = (128, 128),
        critic_hidden: Sequence[int] = (128, 128),
        channels: int = 16,
        gamma: float = 1.0,
        lr: float = 1e-3,
        pace: float = 2.0,
        betas: tuple[float, float] = (0.0, 0.9),
    ) -> None:
        super().__init__(domain, lr)
        self.latent, self.gamma, self.pace, self.betas = latent, gamma, pace, betas
        self.generator = decoder(latent, domain, 1, hidden, channels)
        self.discriminator = critic(domain, critic_hidden, channels)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.is_nominal:
            return "the generator needs a gradient through x, and unordered tokens have none"
        return None

    def generate(self, n: int) -> Tensor:
        """Returns G(z), n scaled points, shape `(n, D)`."""
        return self.generator(torch.randn(n, self.latent, device=self.device))

    def discriminator_loss(self, batch: Tensor) -> Tensor:
        """Returns -E[log D(x)] - E[log(1 - D(G(z)))] in nats (eq. 1), and R_1."""
        data = self.scaling.encode(batch).requires_grad_(self.gamma > 0)
        real = self.discriminator(data)
        fake = self.discriminator(self.drawn(len(batch)).detach())
        loss = functional.softplus(-real).mean() + functional.softplus(fake).mean()
        if self.gamma == 0:
            return loss
        (slope,) = torch.autograd.grad(real.sum(), data, create_graph=True)
        return loss + self.gamma / 2 * slope.flatten(1).square().sum(1).mean()

    def drawn(self, n: int) -> Tensor:
        """Returns G(z), n scaled points in the shape of the domain."""
        return self.generate(n).unflatten(1, self.domain.shape)

    def generator_loss(self, batch: Tensor) -> Tensor:
        """Returns -E[log D(G(z))] in nats, of as many draws as the batch has rows."""
        return functional.softplus(-self.discriminator(self.drawn(len(batch)))).mean()

    def players(self) -> list[Player]:
        D, G = self.discriminator.parameters(), self.generator.parameters()
        return [
            Player("discriminator", D, self.discriminator_loss, self.pace * self.lr, self.betas),
            Player("generator", G, self.generator_loss, self.lr, self.betas),
        ]

    def joint(self) -> Generator:
        """Returns G as functions; z is N(0, I) already."""

        def seen(x: Tensor) -> Tensor:
            return self.scaling.encode(x).flatten(1)

        constant = float(self.scaling.log_abs_det)
        return Generator(self.latent, self.generator, seen, constant, self.device)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.points(self.generate(n))
