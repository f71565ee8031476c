r"""Variational auto-encoder with inverse autoregressive flows as its posterior.

Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling, Improved Variational Inference with
Inverse Autoregressive Flow, NeurIPS 2016, arXiv:1606.04934.

A draw z_0 ~ N(m(x), diag s(x)^2) passes T masked nets that read a context h(x) too (algorithm 1),

    [m_t, s_t] = net_t(z_{t-1}, h),    g_t = sigmoid(s_t),
    z_t        = g_t * z_{t-1} + (1 - g_t) * m_t,
    log q(z_T | x) = log q(z_0 | x) - sum_t sum_i log g_{t,i},

in alternating order of the latents. The density of its own draws is all that the bound asks for.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from ...benchmark.contract.task import Domain
from ..nets.conditioned import ConditionedMasked
from .base import LatentModel, gaussian

OPEN = 1.5  # added to s, so that a flow starts near z_t = z_{t-1} (section 4)


class IAFVAE(LatentModel):
    """Variational auto-encoder whose posterior is a flow.

    Args:
        domain: What one point is.
        flows: Steps T of the flow.
        context: Width of the context h(x).
        units: Hidden units of each masked net.
        latent: Dimension L of z.
        hidden: See `VAE`.
        channels: See `VAE`.
        components: See `VAE`.
        particles: Draws K of z in `log_prob`.
        warm_up: See `VAE`.
        lr: Learning rate.
    """

    paper = "arXiv:1606.04934"

    def __init__(
        self,
        domain: Domain,
        flows: int = 2,
        context: int = 32,
        units: int = 128,
        latent: int = 16,
        hidden: Sequence[int] = (256, 256),
        channels: int = 16,
        components: int = 5,
        particles: int = 64,
        warm_up: float = 0.2,
        lr: float = 2e-3,
    ) -> None:
        encoded = 2 * latent + context
        super().__init__(
            domain, latent, encoded, hidden, channels, components, particles, warm_up, lr
        )
        self.flows = nn.ModuleList(
            ConditionedMasked(latent, context, 2, units) for _ in range(flows)
        )

    def infer(self, x: Tensor, K: int) -> tuple[Tensor, Tensor]:
        numbers = self.encoder(self.embedding(x))
        base, h = numbers.tensor_split([2 * self.latent], dim=-1)
        q = gaussian(base)
        z = q.rsample((K,))
        log_q, h = q.log_prob(z), h.expand(K, -1, -1)
        for net in self.flows:
            mean, s = net(z, h).unbind(-1)
            log_gate = functional.logsigmoid(s + OPEN)
            gate = log_gate.exp()
            z = (gate * z + (1 - gate) * mean).flip(-1)
            log_q = log_q - log_gate.sum(-1)
        return z, log_q
