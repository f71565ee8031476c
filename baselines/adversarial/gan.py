r"""Generative adversarial network.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, arXiv:1406.2661.

A generator G(z), z ~ N(0, I), and a discriminator D(x) in (0, 1) play (eq. 1)

    min_G max_D  E_x[log D(x)] + E_z[log(1 - D(G(z)))],

where the generator maximises E_z[log D(G(z))] instead, which has the same fixed point and a
gradient early on (section 3). At the optimum D = 1/2 and the value is -log 4 (theorem 1).

R_1 (`base`) damps the game, and a discriminator that learns faster than the generator helps
(Heusel et al. 2017, arXiv:1706.08500).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from ...benchmark.contract.task import Domain
from .base import Adversarial


class GAN(Adversarial):
    """The non-saturating GAN.

    Args:
        domain: What one point is.
        latent: See `Adversarial`.
        hidden: See `Adversarial`.
        critic_hidden: See `Adversarial`.
        channels: See `Adversarial`.
        gamma: Weight of R_1; 0 is the game of 2014.
        lr: Learning rate of the generator.
        pace: How many times faster the discriminator learns.
        betas: See `Adversarial`.
        packed: See `Adversarial`.
    """

    paper = "arXiv:1406.2661"

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
        packed: int = 1,
    ) -> None:
        super().__init__(
            domain,
            latent,
            hidden,
            critic_hidden,
            channels,
            lr,
            pace,
            betas,
            gamma=gamma,
            packed=packed,
        )

    def against(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns -E[log D(x)] - E[log(1 - D(G(z)))] in nats (eq. 1)."""
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()

    def towards(self, fake: Tensor, real: Tensor | None) -> Tensor:
        """Returns -E[log D(G(z))] in nats."""
        return functional.softplus(-fake).mean()
