r"""Importance-weighted auto-encoder.

Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, ICLR 2016, arXiv:1509.00519.

The nets of a VAE are trained on the bound of k draws itself (eq. 8),

    L_k(x) = E_{z_1..z_k ~ q(z|x)}[log 1/k sum_i w_i],    w_i = p(x, z_i) / q(z_i | x),

whose gradient is sum_i w~_i grad log w_i with normalised weights w~ (eq. 14). The signal of that
gradient for the encoder fades as k grows; `doubly` takes the doubly reparametrised one in its
place (Tucker, Lawson, Gu & Maddison 2019, arXiv:1810.04152, eq. 8), sum_i w~_i^2 dlog w_i / dz_i
dz_i / dphi, in which q's own parameters are held.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ...benchmark.contract.task import Domain
from .base import LatentModel, gaussian


class IWAE(LatentModel):
    """Auto-encoder trained on the importance-weighted bound.

    Args:
        domain: What one point is.
        k: Draws of z per row in training.
        doubly: Whether the encoder's gradient is the doubly reparametrised one.
        latent: Dimension L of z.
        hidden: See `VAE`.
        channels: See `VAE`.
        components: See `VAE`.
        particles: Draws K of z in `log_prob`.
        lr: Learning rate.
    """

    paper = "arXiv:1509.00519"

    def __init__(
        self,
        domain: Domain,
        k: int = 10,
        doubly: bool = False,
        latent: int = 16,
        hidden: Sequence[int] = (256, 256),
        channels: int = 16,
        components: int = 5,
        particles: int = 64,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(
            domain, latent, 2 * latent, hidden, channels, components, particles, 0.0, lr
        )
        if k < 1:
            raise ValueError(f"Expected at least one draw k, got {k}.")
        self.k, self.doubly = k, doubly

    def loss(self, batch: Tensor) -> Tensor:
        """Returns -L_k in nats, averaged over the batch `(B, *shape)`."""
        if self.doubly and self.training:
            return self._doubly(batch)
        return -(self.log_weight(batch, self.k).logsumexp(0) - math.log(self.k)).mean()

    def _doubly(self, batch: Tensor) -> Tensor:
        """Returns a scalar of the value -L_k whose gradient is the doubly reparametrised one."""
        numbers = self.encoder(self.embedding(batch))
        z = gaussian(numbers).rsample((self.k,))
        log_q = gaussian(numbers.detach()).log_prob(z)
        log_w = self.log_conditional(batch, z) + self.prior().log_prob(z) - log_q
        weight = log_w.detach().softmax(0)
        if z.requires_grad:
            z.register_hook(lambda gradient: weight[..., None] * gradient)
        bound = (weight * log_w).sum(0)
        value = log_w.detach().logsumexp(0) - math.log(self.k)
        return -(bound + (value - bound).detach()).mean()
