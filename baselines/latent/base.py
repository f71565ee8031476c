r"""What latent models share: a decoder, a posterior, and the weight of a draw from it.

The model draws z ~ p(z) and x ~ p(x | z), whose parameters are the outputs of a net. For draws
z_k ~ q(z | x) of an encoder the weights

    w_k = p(x | z_k) p(z_k) / q(z_k | x)

bound the likelihood (Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, eq. 8),

    log p(x) >= E[log 1/K sum_k w_k],

which is the evidence lower bound for K = 1 and tightens as K grows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from ...benchmark.contract.joint import Joint
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..chunks import in_chunks
from ..nets.embedding import Embedding
from ..nets.roles import decoder, encoder
from ..observation import observation
from ..training import NeuralModel


class LatentModel(NeuralModel):
    """A decoder, a prior N(0, I) and a posterior N(m(x), diag s(x)^2); members may differ.

    Args:
        domain: What one point is.
        latent: Dimension L of z that the decoder takes.
        encoded: Numbers that the encoder puts out.
        hidden: Widths of the hidden layers of the encoder on vectors; the decoder has them in
            reverse.
        channels: Channels of both on images.
        components: Components of the mixture in p(x | z) on more than 32 ordered levels.
        particles: Draws K of z in `log_prob`; K = 1 is the ELBO itself.
        warm_up: Share of the steps in which the divergence gains its weight.
        lr: Learning rate.
    """

    family = "latent"
    likelihood = Likelihood.LOWER_BOUND
    network = "decoder"
    selects_on_val = True
    probe_arguments = frozenset({"particles"})

    def __init__(
        self,
        domain: Domain,
        latent: int,
        encoded: int,
        hidden: Sequence[int],
        channels: int,
        components: int,
        particles: int,
        warm_up: float,
        lr: float,
    ) -> None:
        super().__init__(domain, lr)
        self.latent, self.particles, self.warm_up = latent, particles, warm_up
        self.embedding = Embedding(self.scaling)
        # On real values one Gaussian of shared scale: see `Gaussian`.
        self.observation = observation(self.scaling, 1 if domain.levels is None else components)
        features, numbers = self.embedding.features, self.observation.width
        self.encoder = encoder(domain, features, encoded, hidden, channels)
        self.decoder = decoder(latent, domain, numbers, hidden[::-1], channels)

    def prior(self) -> Distribution:
        """Returns p(z), event shape `(L,)`."""
        zero = torch.zeros(self.latent, device=self.device)
        return Independent(Normal(zero, zero + 1, validate_args=False), 1, validate_args=False)

    def posterior(self, x: Tensor) -> Distribution:
        """Returns q(z | x) for x `(B, *shape)`, batch shape `(B,)`, event shape `(L,)`."""
        return gaussian(self.encoder(self.embedding(x)))

    def infer(self, x: Tensor, K: int) -> tuple[Tensor, Tensor]:
        """Draws z ~ q(z | x) so that gradients pass; z `(K, B, L)` and log q(z | x) `(K, B)`."""
        q = self.posterior(x)
        z = q.rsample((K,))
        return z, q.log_prob(z)

    def theta(self, z: Tensor) -> Tensor:
        """Returns the parameters of p(x | z), shape `(..., D, P)`, for latents `(..., L)`."""
        return self.decoder(z).unflatten(-1, (self.domain.dim, self.observation.width))

    def log_conditional(self, x: Tensor, z: Tensor) -> Tensor:
        """Returns log p(x | z) in nats, shape `(..., B)`, for z `(..., B, L)`."""
        return self.observation.log_prob(self.theta(z), x.flatten(1)).sum(-1)

    def log_weight(self, x: Tensor, K: int, share: float = 1.0) -> Tensor:
        """Returns log w of K draws from q(z | x), in nats, shape `(K, B)`.

        Args:
            x: Points, shape `(B, *shape)`.
            K: Draws for each.
            share: Weight of log p(z) - log q(z | x), below 1 in a warm-up.
        """
        log_conditional, log_ratio = self.parts(x, K)
        return log_conditional + share * log_ratio

    def parts(self, x: Tensor, K: int) -> tuple[Tensor, Tensor]:
        """Returns log p(x | z) and log p(z) - log q(z | x) of K draws, in nats, each `(K, B)`."""
        z, log_q = self.infer(x, K)
        return self.log_conditional(x, z), self.prior().log_prob(z) - log_q

    def bound_parts(self, x: Tensor, draws: int | None = None) -> dict[str, Tensor]:
        """Returns the parts of the negative ELBO in nats, means over K draws, each `(B,)`."""
        K = draws or self.particles
        both = in_chunks(
            lambda part: torch.stack(self.parts(part, K)).mean(1).mT, x, K * self.numbers()
        )
        return {"reconstruction": -both[:, 0], "divergence": -both[:, 1]}

    @property
    def share(self) -> float:
        """The weight of the divergence: it rises from 0 to 1 in the warm-up, in training."""
        warming = self.training and self.progress < self.warm_up
        return self.progress / self.warm_up if warming else 1.0

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative evidence lower bound in nats, averaged over `(B, *shape)`."""
        return -self.log_weight(batch, 1, self.share).mean()

    def joint(self) -> Joint | None:
        """Returns p(z) p(x | z) as functions; None where p(z) is not N(0, I)."""

        def simulate(z: Tensor) -> Tensor:
            x = self.observation.sample(self.theta(z))
            return x.reshape(len(z), *self.domain.shape)

        return Joint(self.latent, self.log_conditional, simulate, device=self.device)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        z = self.prior().sample((n,))
        return self.observation.sample(self.theta(z)).reshape(n, *self.domain.shape)

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns the bound of K draws in nats, shape `(B,)`; time O(K B)."""
        K = draws or self.particles
        return in_chunks(
            lambda part: self.log_weight(part, K).logsumexp(0) - math.log(K), x, K * self.numbers()
        )

    def numbers(self) -> int:
        """Returns how many numbers one draw takes in the largest tensor of `log_weight`."""
        return self.domain.dim * self.observation.width

    def estimator(self, draws: int | None = None) -> str:
        K = draws or self.particles
        return "ELBO" if K == 1 else f"IWAE-{K}"


def gaussian(numbers: Tensor) -> Distribution:
    """Returns N(m, diag s^2) of numbers (m, log s) `(..., 2 L)`: event shape `(L,)`."""
    mean, log_std = numbers.chunk(2, dim=-1)
    normal = Normal(mean, log_std.exp(), validate_args=False)
    return Independent(normal, 1, validate_args=False)
