r"""Wasserstein generative adversarial network with gradient penalty.

Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville, Improved Training of Wasserstein GANs, NeurIPS
2017, arXiv:1704.00028.

By the Kantorovich-Rubinstein duality the critic of slope at most 1 that best tells data from draws
measures the Wasserstein-1 distance, which the generator descends. The slope is held near 1 on the
lines between data and draws (eq. 3),

    L = E_z[D(G(z))] - E_x[D(x)] + lambda E_{x^}[(||grad D(x^)|| - 1)^2],

with several steps of the critic for each of the generator (algorithm 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from .base import Adversarial, squared_slopes


class WGANGP(Adversarial):
    """Wasserstein GAN with a penalty on the slope of its critic.

    Args:
        domain: What one point is.
        latent: See `Adversarial`.
        hidden: See `Adversarial`.
        critic_hidden: See `Adversarial`.
        channels: See `Adversarial`.
        weight: Weight lambda of the penalty; 10 in the paper, 0.1 on its toy densities.
        turns: Steps of the critic for each of the generator.
        lr: Learning rate of both.
    """

    paper = "arXiv:1704.00028"

    def __init__(
        self,
        domain: Domain,
        latent: int = 64,
        hidden: Sequence[int] = (128, 128),
        critic_hidden: Sequence[int] = (128, 128),
        channels: int = 16,
        weight: float = 1.0,
        turns: int = 5,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(
            domain, latent, hidden, critic_hidden, channels, lr, pace=1.0, turns=turns
        )
        self.weight = weight

    def against(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def towards(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return -fake.mean()

    def penalty(self, data: Tensor, drawn: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """Returns lambda E[(||grad D|| - 1)^2] at points drawn on the lines between the two."""
        share = torch.rand(len(data), *[1] * (data.dim() - 1), device=data.device)
        between = (data + share * (drawn - data)).detach().requires_grad_()
        slopes = (squared_slopes(self.judge(between), between) + 1e-12).sqrt()
        return self.weight * (slopes - 1).square().mean()
