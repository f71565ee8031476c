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

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..chunks import in_chunks
from ..nets.embedding import Embedding
from ..nets.mlp import MLP
from ..observation import observation
from ..training import NeuralModel


class VAE(NeuralModel):
    """Variational auto-encoder with multilayer perceptrons.

    Args:
        domain: What one point is.
        latent: Dimension L of z.
        hidden: Widths of the hidden layers of the encoder; the decoder has them in reverse.
        components: Components of the mixture in p(x | z) on more than 32 ordered levels.
        particles: Draws K of z in `log_prob`; K = 1 is the ELBO itself.
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
        components: int = 5,
        particles: int = 64,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(domain, lr)
        self.latent, self.particles = latent, particles
        self.embedding = Embedding(self.scaling)
        # On real values one Gaussian of shared scale: see `Gaussian`.
        self.observation = observation(self.scaling, 1 if domain.levels is None else components)
        self.encoder = MLP(domain.dim * self.embedding.features, 2 * latent, hidden)
        self.decoder = MLP(latent, domain.dim * self.observation.width, hidden[::-1])

    def prior(self) -> Distribution:
        """Returns p(z), event shape `(L,)`."""
        zero = torch.zeros(self.latent, device=self.device)
        return Independent(Normal(zero, zero + 1, validate_args=False), 1, validate_args=False)

    def posterior(self, x: Tensor) -> Distribution:
        """Returns q(z | x) for x `(B, *shape)`, batch shape `(B,)`, event shape `(L,)`."""
        mean, log_std = self.encoder(self.embedding(x).flatten(1)).chunk(2, dim=-1)
        normal = Normal(mean, log_std.exp(), validate_args=False)
        return Independent(normal, 1, validate_args=False)

    def theta(self, z: Tensor) -> Tensor:
        """Returns the parameters of p(x | z), shape `(..., D, P)`, for latents `(..., L)`."""
        return self.decoder(z).unflatten(-1, (self.domain.dim, self.observation.width))

    def log_conditional(self, x: Tensor, z: Tensor) -> Tensor:
        """Returns log p(x | z) in nats, shape `(..., B)`, for z `(..., B, L)`."""
        return self.observation.log_prob(self.theta(z), x.flatten(1)).sum(-1)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative ELBO in nats, averaged over the batch `(B, *shape)`."""
        q = self.posterior(batch)
        z = q.rsample()
        elbo = self.log_conditional(batch, z) - kl_divergence(q, self.prior())
        return -elbo.mean()

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
