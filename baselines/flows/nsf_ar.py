r"""Neural spline flow with autoregressive layers.

Durkan, Bekasov, Murray & Papamakarios, Neural Spline Flows, NeurIPS 2019, arXiv:1906.04032,
RQ-NSF (AR).

The map of a coordinate is a rational-quadratic spline whose numbers are a masked net's of the
coordinates before it, with LU-decomposed linear layers between (section 3.2):

    log p(x) = log N(f(x); 0, I) + sum over layers of sum_d log g'(x_d; theta(x_{<d})).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ...benchmark.contract.task import Domain
from .base import Flow
from .coupling import LULinear
from .maps import Spline
from .masked import Masked


class NSFAR(Flow):
    """Autoregressive flow with rational-quadratic splines.

    Args:
        domain: What one point is.
        transforms: Autoregressive layers.
        hidden: Widths of the hidden layers of each layer's net.
        bins: Bins of a spline.
        bound: The splines live on [-bound, bound] of standardised coordinates.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate.
        dequantisation: See `Flow`.
    """

    paper = "arXiv:1906.04032"

    def __init__(
        self,
        domain: Domain,
        transforms: int = 3,
        hidden: Sequence[int] = (128, 128),
        bins: int = 8,
        bound: float = 4.0,
        particles: int = 16,
        lr: float = 2e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, particles, lr, dequantisation)
        layers: list[nn.Module] = []
        for _ in range(transforms):
            layers += [LULinear(domain.dim), Masked(domain.dim, hidden, Spline(bins, bound))]
        self.flow = self.chain(layers)
