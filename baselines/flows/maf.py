r"""Masked autoregressive flow.

Papamakarios, Pavlakou & Murray, Masked Autoregressive Flow for Density Estimation, NeurIPS 2017,
arXiv:1705.07057.

Layers of a masked net whose Gaussian conditionals are read backwards (eq. 3 and 4),

    z_d = (x_d - m_d(x_{<d})) exp(-a_d(x_{<d})),    log |det dz/dx| = -sum_d a_d,

in alternating order of the coordinates, with a normalisation between them (section 3.3: theirs is
of batches, this one has trained parameters). A likelihood takes one pass a layer, a draw D.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ...benchmark.contract.task import Domain
from .base import Flow
from .coupling import Affine, Flip
from .maps import Shifted
from .masked import Masked


class MAF(Flow):
    """Autoregressive flow with affine maps; its likelihood is fast, its samples slow.

    Args:
        domain: What one point is.
        transforms: Autoregressive layers.
        hidden: Widths of the hidden layers of each layer's net.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate.
        dequantisation: See `Flow`.
    """

    paper = "arXiv:1705.07057"

    def __init__(
        self,
        domain: Domain,
        transforms: int = 5,
        hidden: Sequence[int] = (128, 128),
        particles: int = 16,
        lr: float = 1e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, particles, lr, dequantisation)
        layers: list[nn.Module] = []
        for _ in range(transforms):
            layers += [Masked(domain.dim, hidden, Shifted()), Affine(domain.dim), Flip()]
        self.flow = self.chain(layers)
