r"""Real-valued non-volume preserving transformations.

Dinh, Sohl-Dickstein & Bengio, Density Estimation using Real NVP, ICLR 2017, arXiv:1605.08803.

A coupling layer leaves one part of the coordinates as it is, and shifts and scales the other by
nets of the first (eq. 4 and 5),

    y_1 = x_1,    y_2 = (x_2 - t(x_1)) exp(-s(x_1)),    log |det dy/dx| = -sum s(x_1),

the parts in turns. On images they are a checkerboard of pixels, then, after blocks of 2 x 2 pixels
have become channels, halves of the channels (eq. 9, section 3.6).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...benchmark.contract.task import Domain
from ..nets.images import ResidualConv
from .base import Flow
from .coupling import Affine, Coupling, Flip, silence
from .images import ActNorm, MultiScale, PixelCoupling, halves
from .maps import Shifted

CHECKERED = 3  # couplings on a checkerboard, and on channels, of each scale (section 3.6)


class RealNVP(Flow):
    """Coupling flow with affine maps.

    Args:
        domain: What one point is.
        transforms: Coupling layers; on images each scale has three of either mask.
        width: Width of the residual nets of the couplings; on images their channels.
        blocks: Blocks of those nets.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate.
        dequantisation: See `Flow`.
    """

    paper = "arXiv:1605.08803"

    def __init__(
        self,
        domain: Domain,
        transforms: int = 8,
        width: int = 64,
        blocks: int = 2,
        particles: int = 16,
        lr: float = 2e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, particles, lr, dequantisation)
        layers: list[nn.Module] = []
        if halves(domain):

            def checkered(shape: tuple[int, int, int]) -> list[nn.Module]:
                parts = range(CHECKERED)
                return [Checkered(shape, width, blocks, part % 2 == 1) for part in parts]

            def step(channels: int) -> list[nn.Module]:
                coupling = PixelCoupling(channels, width, blocks, Shifted(), silent=True)
                return [coupling, ActNorm(channels), Flip()]

            layers.append(MultiScale(domain.shape, CHECKERED, step, checkered))
        else:
            for _ in range(transforms):
                coupling = Coupling(domain.dim, width, blocks, Shifted())
                layers += [coupling, Affine(domain.dim), Flip()]
        self.flow = self.chain(layers)


class Checkered(nn.Module):
    """An affine coupling that leaves the pixels of one colour of a checkerboard as they are.

    Args:
        shape: `(C, H, W)`.
        width: Channels of the net.
        blocks: Residual blocks of the net.
        odd: Whether it is the odd pixels that stay.
    """

    stays: Tensor

    def __init__(self, shape: tuple[int, int, int], width: int, blocks: int, odd: bool) -> None:
        super().__init__()
        C, H, W = shape
        parity = (torch.arange(H)[:, None] + torch.arange(W)) % 2
        self.register_buffer("stays", (parity == int(odd)).float(), persistent=False)
        self.mapping = Shifted()
        self.net = ResidualConv(C, 2 * C, width, blocks)
        silence(self.net)

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        theta = self.net(x * self.stays) * (1 - self.stays)  # numbers of 0: the identity
        y, log_slope = self.mapping(x, theta.unflatten(1, (-1, 2)).movedim(2, -1), inverse)
        return y, log_slope.flatten(1).sum(1)
