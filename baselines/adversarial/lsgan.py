r"""Least squares generative adversarial network.

Mao, Li, Xie, Lau, Wang & Smolley, Least Squares Generative Adversarial Networks, ICCV 2017,
arXiv:1611.04076.

The discriminator regresses 1 on data and 0 on draws, the generator has its draws judged 1 (eq. 2
and section 3.2.3, b = c = 1, a = 0):

    min_D  1/2 E_x[(D(x) - 1)^2] + 1/2 E_z[D(G(z))^2],      min_G  1/2 E_z[(D(G(z)) - 1)^2].

The authors' longer paper (arXiv:1712.06391) damps the game by a penalty on the gradient of D. Here
it is R_1 (`base`), as in `gan`, so that the two differ by their losses alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ...benchmark.contract.task import Domain
from .base import Adversarial


class LSGAN(Adversarial):
    """GAN whose losses are squared errors.

    Args:
        domain: What one point is.
        latent: See `Adversarial`.
        hidden: See `Adversarial`.
        critic_hidden: See `Adversarial`.
        channels: See `Adversarial`.
        gamma: Weight of R_1; 0 is the game of 2017.
        lr: Learning rate of the generator.
        pace: How many times faster the discriminator learns.
    """

    paper = "arXiv:1611.04076"

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
    ) -> None:
        super().__init__(domain, latent, hidden, critic_hidden, channels, lr, pace, gamma=gamma)

    def against(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()

    def towards(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return 0.5 * (fake - 1).square().mean()
