r"""Neural spline flow with coupling layers.

Durkan, Bekasov, Murray & Papamakarios, Neural Spline Flows, NeurIPS 2019, arXiv:1906.04032.

An invertible net f from data to noise z ~ N(0, I) has the density (eq. 2)

    log p(x) = log N(f(x); 0, I) + log |det df/dx|,

and is a chain of coupling layers, whose map of one coordinate is a rational-quadratic spline with
linear tails (`flows/splines.py`), and of LU-decomposed linear layers between them (section 3.2).
On images they are convolutions at several scales (section 5.3, `flows/images.py`).
"""

from __future__ import annotations

from torch import nn

from ...benchmark.contract.task import Domain
from .base import Flow
from .coupling import LULinear, SplineCoupling
from .images import MultiScale, PixelCoupling, PixelLinear, halves
from .maps import Spline


class NSF(Flow):
    """Coupling flow with rational-quadratic splines.

    Args:
        domain: What one point is.
        transforms: Coupling layers; on images those of each scale.
        width: Width of the residual nets of the couplings; on images their channels.
        blocks: Blocks of those nets.
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
        transforms: int = 4,
        width: int = 64,
        blocks: int = 2,
        bins: int = 8,
        bound: float = 4.0,
        particles: int = 16,
        lr: float = 2e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, particles, lr, dequantisation)
        D, layers = domain.dim, list[nn.Module]()
        if halves(domain):

            def step(channels: int) -> list[nn.Module]:
                splines = Spline(bins, bound)
                return [PixelLinear(channels), PixelCoupling(channels, width, blocks, splines)]

            layers.append(MultiScale(domain.shape, transforms, step))
        else:
            for _ in range(transforms):
                layers += [LULinear(D), SplineCoupling(D, width, blocks, bins, bound)]
        self.flow = self.chain(layers)
