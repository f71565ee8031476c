r"""Generative adversarial network with spectral normalisation.

Miyato, Kataoka, Koyama & Yoshida, Spectral Normalization for Generative Adversarial Networks, ICLR
2018, arXiv:1802.05957.

Each weight matrix of the discriminator is divided by its largest singular value, which power
iteration follows from step to step (eq. 8, algorithm 1), so that its Lipschitz constant is at most
that of the activations. The losses are hinges (eq. 16 and 17):

    min_D  E_x[max(0, 1 - D(x))] + E_z[max(0, 1 + D(G(z)))],      min_G  -E_z[D(G(z))].
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ...benchmark.contract.task import Domain
from .base import Adversarial


class SNGAN(Adversarial):
    """The GAN whose discriminator is Lipschitz by construction.

    Args:
        domain: What one point is.
        latent: See `Adversarial`.
        hidden: See `Adversarial`.
        critic_hidden: See `Adversarial`.
        channels: See `Adversarial`.
        turns: Steps of the discriminator for each of the generator.
        lr: Learning rate of the generator.
        pace: How many times faster the discriminator learns.
    """

    paper = "arXiv:1802.05957"

    def __init__(
        self,
        domain: Domain,
        latent: int = 64,
        hidden: Sequence[int] = (128, 128),
        critic_hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        turns: int = 1,
        lr: float = 1e-3,
        pace: float = 2.0,
    ) -> None:
        super().__init__(
            domain,
            latent,
            hidden,
            critic_hidden,
            channels,
            lr,
            pace,
            turns=turns,
            wrap=spectral_norm,
        )

    def against(self, real: Tensor, fake: Tensor) -> Tensor:
        return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()

    def towards(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return -fake.mean()
