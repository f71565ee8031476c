r"""Generative adversarial network with packing.

Lin, Khetan, Fanti & Oh, PacGAN: The power of two samples in generative adversarial networks,
NeurIPS 2018, arXiv:1712.04086.

The discriminator judges m points at once, all data or all draws,

    min_G max_D  E[log D(x_1, ..., x_m)] + E[log(1 - D(G(z_1), ..., G(z_m)))],

the points side by side in its input (section 3). Products of laws differ the more, the less one
of them covers the other's modes: a generator that drops modes is easier to tell apart. Packing
goes with any game (its "mother architecture"); here it is that of `gan`, R_1 included, so that the
two differ by packing alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...benchmark.contract.task import Domain
from .gan import GAN


class PacGAN(GAN):
    """GAN whose discriminator judges several points at once.

    Args:
        domain: What one point is.
        packed: Points m that are judged at once.
        latent: See `Adversarial`.
        hidden: See `Adversarial`.
        critic_hidden: See `Adversarial`.
        channels: See `Adversarial`.
        gamma: See `GAN`.
        lr: Learning rate of the generator.
        pace: How many times faster the discriminator learns.
        betas: See `Adversarial`.
    """

    paper = "arXiv:1712.04086"

    def __init__(
        self,
        domain: Domain,
        packed: int = 2,
        latent: int = 64,
        hidden: Sequence[int] = (128, 128),
        critic_hidden: Sequence[int] = (128, 128),
        channels: int = 16,
        gamma: float = 1.0,
        lr: float = 1e-3,
        pace: float = 2.0,
        betas: tuple[float, float] = (0.0, 0.9),
    ) -> None:
        super().__init__(
            domain, latent, hidden, critic_hidden, channels, gamma, lr, pace, betas, packed
        )
