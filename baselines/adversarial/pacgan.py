r"""Generative adversarial network with packing.

Lin, Khetan, Fanti & Oh, PacGAN: The power of two samples in generative adversarial networks,
NeurIPS 2018, arXiv:1712.04086.

The discriminator judges m points at once, all data or all draws,

    min_G max_D  E[log D(x_1, ..., x_m)] + E[log(1 - D(G(z_1), ..., G(z_m)))],

the points side by side in its input (section 3). Products of laws differ the more, the less one
of them covers the other's modes: a generator that drops modes is easier to tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from ...benchmark.contract.task import Domain
from .base import Adversarial


class PacGAN(Adversarial):
    """GAN whose discriminator judges several points at once.

    Args:
        domain: What one point is.
        packed: Points m that are judged at once.
        latent: See `Adversarial`.
        hidden: See `Adversarial`.
        critic_hidden: See `Adversarial`.
        channels: See `Adversarial`.
        lr: Learning rate of the generator.
        pace: How many times faster the discriminator learns.
        betas: See `Adversarial`.
    """

    paper = "arXiv:1712.04086"

    def __init__(
        self,
        domain: Domain,
        packed: int = 4,
        latent: int = 64,
        hidden: Sequence[int] = (128, 128),
        critic_hidden: Sequence[int] = (128, 128),
        channels: int = 16,
        lr: float = 5e-4,
        pace: float = 1.0,
        betas: tuple[float, float] = (0.0, 0.9),
    ) -> None:
        if packed < 1:
            raise ValueError(f"Expected at least one point in a pack, got {packed}.")
        super().__init__(
            domain, latent, hidden, critic_hidden, channels, lr, pace, betas, packed=packed
        )

    def against(self, real: Tensor, fake: Tensor) -> Tensor:
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()

    def towards(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return functional.softplus(-fake).mean()
