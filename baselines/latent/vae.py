r"""Variational auto-encoder.

Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014, arXiv:1312.6114.

The model draws z ~ p(z) = N(0, I) and x ~ p(x | z), whose parameters are the outputs of a net. An
encoder q(z | x) = N(m(x), diag s(x)^2) makes the evidence lower bound (eq. 3) computable,

    ELBO(x) = E_{q(z|x)}[log p(x | z)] - KL(q(z | x) || p(z))  <=  log p(x),

by z = m(x) + s(x) eps (eq. 4), with the divergence in closed form (appendix B). After training the
bound is tightened by K draws (`LatentModel`).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.distributions import kl_divergence

from ...benchmark.contract.task import Domain
from .base import LatentModel


class VAE(LatentModel):
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

    paper = "arXiv:1312.6114"

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
        super().__init__(
            domain, latent, 2 * latent, hidden, channels, components, particles, warm_up, lr
        )

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative ELBO in nats, averaged over the batch `(B, *shape)`."""
        q = self.posterior(batch)
        z = q.rsample()
        divergence = self.share * kl_divergence(q, self.prior())
        return (divergence - self.log_conditional(batch, z)).mean()
