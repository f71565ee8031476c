r"""Glow: flows with invertible 1 x 1 convolutions.

Kingma & Dhariwal, Glow: Generative Flow with Invertible 1x1 Convolutions, NeurIPS 2018,
arXiv:1807.03039.

A step of the flow (table 1) is an activation normalisation, whose scale and bias are set by the
first batch, an invertible linear map of the channels of each pixel, parametrised as P L U, and an
affine coupling of half of the channels; scales are as in Real NVP. On vectors the linear map is
one of all coordinates.
"""

from __future__ import annotations

from torch import nn

from ...benchmark.contract.task import Domain
from .base import Flow
from .coupling import Affine, Coupling, LULinear
from .images import ActNorm, MultiScale, PixelCoupling, PixelLinear, halves
from .maps import Shifted


class Glow(Flow):
    """Coupling flow with affine maps and learnt mixtures of the channels.

    Args:
        domain: What one point is.
        transforms: Steps K of the flow; on images those of each scale.
        width: Width of the residual nets of the couplings; on images their channels.
        blocks: Blocks of those nets.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate.
        dequantisation: See `Flow`.
    """

    paper = "arXiv:1807.03039"

    def __init__(
        self,
        domain: Domain,
        transforms: int = 8,
        width: int = 64,
        blocks: int = 2,
        particles: int = 16,
        lr: float = 1e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, particles, lr, dequantisation)
        D, layers = domain.dim, list[nn.Module]()
        if halves(domain):

            def step(channels: int) -> list[nn.Module]:
                coupling = PixelCoupling(channels, width, blocks, Shifted(), silent=True)
                return [ActNorm(channels), PixelLinear(channels), coupling]

            layers.append(MultiScale(domain.shape, transforms, step))
        else:
            for _ in range(transforms):
                layers += [Affine(D), LULinear(D), Coupling(D, width, blocks, Shifted())]
        self.flow = self.chain(layers)
