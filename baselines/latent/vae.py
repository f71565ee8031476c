r"""Variational auto-encoder.

Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014, arXiv:1312.6114.

The model draws z ~ p(z) = N(0, I) and x ~ p(x | z), whose parameters are the outputs of a net. An
encoder q(z | x) = N(m(x), diag s(x)^2) makes the evidence lower bound (eq. 3) computable,

    ELBO(x) = E_{q(z|x)}[log p(x | z)] - KL(q(z | x) || p(z))  <=  log p(x),

by z = m(x) + s(x) eps (eq. 4), with the divergence in closed form (appendix B). After training the
bound is tightened by K draws (Burda et al. 2016, arXiv:1509.00519, eq. 8):

    log p(x) >= E[log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x)],   z_k ~ q(z | x).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from ...benchmark.contract.joint import Joint
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..chunks import in_chunks
from ..nets.embedding import Embedding
from ..nets.roles import decoder, encoder
from ..observation import observation
from ..training import NeuralModel


class VAE(NeuralModel):
    """Variational auto-encoder; the weight of the divergence rises from 0 early in training.

    Args:
        domain: What one point is.
        latent: Dimension L of z.
        hidden: Widths of the hidden layers of the encoder on vectors; the decoder has them in
            reverse.
        channels: Channels of both on images.
        components: Components of the mixture in p(x | z) on more than 32 ordered levels.
        particles: Draws K of z in `log_prob`; K = 1 is the ELBO itself.
        warm_up: Share of the steps in which the divergence gains its weight (Sonderby et al.
            2016, arXiv:1602.02282, section 2.3): without it latents collapse early on.
        lr: Learning rate.
    """

    family = "latent"
    paper = "arXiv:1312.6114"
    likelihood = Likelihood.LOWER_BOUND
    network = "decoder"
    selects_on_val = True
    probe_arguments = frozenset({"particles"})

    def __init__(
        self,
        domain: Domain,
        latent: int = 16,
        hidden: Sequence[int] = (256, 256),
        channels: int = 16,
        components: int = 5,
        particles: int = 64,
        warm_up: float = 0.2,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(domain, lr)
        self.latent, self.particles, self.warm_up = latent, particles, warm_up
        self.embedding = Embedding(self.scaling)
        # On real values one Gaussian of shared scale: see `Gaussian`.
        self.observation = observation(self.scaling, 1 if domain.levels is None else components)
        features, numbers = self.embedding.features, self.observation.width
        self.encoder = encoder(domain, features, 2 * latent, hidden, channels)
        self.decoder = decoder(latent, domain, numbers, hidden[::-1], channels)

    def prior(self) -> Distribution:
        """Returns p(z), event shape `(L,)`."""
        zero = torch.zeros(self.latent, device=self.device)
        return Independent(Normal(zero, zero + 1, validate_args=False), 1, validate_args=False)

    def posterior(self, x: Tensor) -> Distribution:
        """Returns q(z | x) for x `(B, *shape)`, batch shape `(B,)`, event shape `(L,)`."""
        mean, log_std = self.encoder(self.embedding(x)).chunk(2, dim=-1)
        normal = Normal(mean, log_std.exp(), validate_args=False)
        return Independent(normal, 1, validate_args=False)

    def theta(self, z: Tensor) -> Tensor:
        """Returns the parameters of p(x | z), shape `(..., D, P)`, for latents `(..., L)`."""
        return self.decoder(z).unflatten(-1, (self.domain.dim, self.observation.width))

    def log_conditional(self, x: Tensor, z: Tensor) -> Tensor:
        """Returns log p(x | z) in nats, shape `(..., B)`, for z `(..., B, L)`."""
        return self.observation.log_prob(self.theta(z), x.flatten(1)).sum(-1)

    def joint(self) -> Joint:
        """Returns p(z) p(x | z) as functions."""

        def simulate(z: Tensor) -> Tensor:
            x = self.observation.sample(self.theta(z))
            return x.reshape(len(z), *self.domain.shape)

        return Joint(self.latent, self.log_conditional, simulate, device=self.device)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative ELBO in nats, averaged over the batch `(B, *shape)`."""
        q = self.posterior(batch)
        z = q.rsample()
        divergence = kl_divergence(q, self.prior())
        if self.training and self.progress < self.warm_up:
            divergence = divergence * (self.progress / self.warm_up)
        return (divergence - self.log_conditional(batch, z)).mean()

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        z = self.prior().sample((n,))
        return self.observation.sample(self.theta(z)).reshape(n, *self.domain.shape)

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns the bound of K draws in nats, shape `(B,)`; time O(K B)."""
        K = draws or self.particles
        each = K * self.domain.dim * self.observation.width
        return in_chunks(partial(self._bound, K=K), x, each)

    def estimator(self, draws: int | None = None) -> str:
        K = draws or self.particles
        return "ELBO" if K == 1 else f"IWAE-{K}"

    def _bound(self, x: Tensor, K: int) -> Tensor:
        q = self.posterior(x)
        z = q.sample((K,))  # (K, B, L)
        log_w = self.log_conditional(x, z) + self.prior().log_prob(z) - q.log_prob(z)
        return log_w.logsumexp(0) - math.log(K)
