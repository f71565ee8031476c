r"""R3GAN: a relativistic game with both gradient penalties.

Huang, Gokaslan, Kuleshov & Tompkin, The GAN is dead; long live the GAN! A Modern Baseline GAN,
NeurIPS 2024, arXiv:2501.05441.

The discriminator judges each draw against a point of data (eq. 2),

    L(G, D) = E_{z, x}[f(D(G(z)) - D(x))],      f(t) = -log(1 + exp(-t)),

whose landscape has no minimum with dropped modes; the penalties on the gradient at the data (R_1)
and at the draws (R_2) make the game converge locally (eq. 3 and 4, proposition 2):

    R_1 = gamma/2 E_x ||grad D(x)||^2,      R_2 = gamma/2 E_z ||grad D(G(z))||^2.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from ...benchmark.contract.task import Domain
from .base import Adversarial, squared_slopes


class R3GAN(Adversarial):
    """The relativistic pairing GAN with R_1 and R_2.

    Args:
        domain: What one point is.
        latent: See `Adversarial`.
        hidden: See `Adversarial`.
        critic_hidden: See `Adversarial`.
        channels: See `Adversarial`.
        gamma: Weight of both penalties.
        lr: Learning rate of the generator.
        pace: How many times faster the discriminator learns.
        betas: See `Adversarial`.
    """

    paper = "arXiv:2501.05441"
    is_relative = True

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
        super().__init__(
            domain, latent, hidden, critic_hidden, channels, lr, pace, betas, gamma=gamma
        )

    def against(self, real: Tensor, fake: Tensor) -> Tensor:
        return functional.softplus(fake - real).mean()

    def towards(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return functional.softplus(-fake if real is None else real - fake).mean()

    def penalty(self, data: Tensor, drawn: Tensor, real: Tensor, fake: Tensor) -> Tensor | None:
        """Returns R_1 + R_2."""
        if not self.gamma:
            return None
        slopes = squared_slopes(real, data).mean() + squared_slopes(fake, drawn).mean()
        return self.gamma / 2 * slopes
