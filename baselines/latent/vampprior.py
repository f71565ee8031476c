r"""Variational auto-encoder with a variational mixture of posteriors as prior.

Tomczak & Welling, VAE with a VampPrior, AISTATS 2018, arXiv:1705.07120.

The prior that maximises the ELBO is the posterior's average over data. It is approximated by an
average over P learnt pseudo-inputs u_p (eq. 9),

    p(z) = 1/P sum_p q(z | u_p),

so that prior and posterior share the encoder. The divergence is estimated by its draw,
log q(z | x) - log p(z).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from ...benchmark.contract.task import Domain, TrainingTask
from .base import LatentModel

JITTER = 0.01  # of pseudo-inputs around the training rows that they start from


class VampPriorVAE(LatentModel):
    """Variational auto-encoder whose prior is a mixture of its own posteriors.

    Args:
        domain: What one point is.
        pseudo: Number P of pseudo-inputs.
        latent: Dimension L of z.
        hidden: See `VAE`.
        channels: See `VAE`.
        components: See `VAE`.
        particles: Draws K of z in `log_prob`.
        warm_up: See `VAE`.
        lr: Learning rate.
    """

    paper = "arXiv:1705.07120"

    def __init__(
        self,
        domain: Domain,
        pseudo: int = 100,
        latent: int = 16,
        hidden: Sequence[int] = (256, 256),
        channels: int = 16,
        components: int = 5,
        particles: int = 64,
        warm_up: float = 0.2,
        lr: float = 2e-3,
    ) -> None:
        if pseudo < 1:
            raise ValueError(f"Expected at least one pseudo-input, got {pseudo}.")
        super().__init__(
            domain, latent, 2 * latent, hidden, channels, components, particles, warm_up, lr
        )
        # Real points; of integers their features, which are real.
        real = domain.levels is None
        shape = domain.shape if real else (domain.dim, self.embedding.features)
        self.inputs = nn.Parameter(torch.randn(pseudo, *shape))

    def prepare(self, task: TrainingTask) -> None:
        super().prepare(task)
        if task.train is None:
            return
        P = len(self.inputs)
        rows = task.train[torch.randint(len(task.train), (P,))].to(self.device)
        with torch.no_grad():
            start = rows if self.domain.levels is None else self.embedding(rows)
            spread = self.scaling.scale if self.domain.levels is None else 1.0
            self.inputs.copy_(start + JITTER * spread * torch.randn_like(self.inputs))

    def prior(self) -> Distribution:
        features = self.embedding(self.inputs) if self.domain.levels is None else self.inputs
        mean, log_std = self.encoder(features).chunk(2, dim=-1)
        normal = Normal(mean, log_std.exp(), validate_args=False)
        parts = Independent(normal, 1, validate_args=False)
        even = Categorical(logits=mean.new_zeros(len(mean)), validate_args=False)
        return MixtureSameFamily(even, parts, validate_args=False)

    def joint(self) -> None:
        """Offers none: annealed sampling begins at N(0, I)."""
        return None

    def numbers(self) -> int:
        return max(super().numbers(), len(self.inputs) * self.latent)
