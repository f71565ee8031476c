r"""Inverse autoregressive flow as a density.

Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling, Improved Variational Inference with
Inverse Autoregressive Flow, NeurIPS 2016, arXiv:1606.04934.

The affine map of a coordinate depends on the noise before it, not on the data (eq. 9 and 10):

    x_d = z_d exp(a_d(z_{<d})) + m_d(z_{<d}).

A draw takes one pass a layer; a likelihood, and so a training step, solves for z coordinate by
coordinate. As a posterior of a latent model the fast direction is the one that counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ...benchmark.contract.task import Domain
from .base import Flow
from .coupling import Affine, Flip
from .maps import Shifted
from .masked import Masked

MOST = 64  # coordinates; training differentiates through a pass for each


class IAF(Flow):
    """Autoregressive flow with affine maps; its samples are fast, its likelihood slow.

    Args:
        domain: What one point is.
        transforms: Autoregressive layers.
        hidden: Widths of the hidden layers of each layer's net.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate.
        dequantisation: See `Flow`.
    """

    paper = "arXiv:1606.04934"

    def __init__(
        self,
        domain: Domain,
        transforms: int = 4,
        hidden: Sequence[int] = (128, 128),
        particles: int = 16,
        lr: float = 1e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, particles, lr, dequantisation)
        layers: list[nn.Module] = []
        for _ in range(transforms):
            masked = Masked(domain.dim, hidden, Shifted(), turned=True)
            layers += [masked, Affine(domain.dim), Flip()]
        self.flow = self.chain(layers)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.dim > MOST:
            return f"a training step takes a pass for each coordinate, and {MOST} are its most"
        return super().supports(domain)
