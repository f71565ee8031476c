r"""The invertible layers of flows on images, at several scales.

Dinh, Sohl-Dickstein & Bengio, Real NVP, ICLR 2017, arXiv:1605.08803: blocks of 2 x 2 pixels become
channels (section 3.6), half of the channels leave for the noise after each scale. Kingma &
Dhariwal, Glow, NeurIPS 2018, arXiv:1807.03039, mix the channels of each pixel (section 3.2).
Durkan et al. 2019 (arXiv:1906.04032, section 5.3) take splines for the couplings.

Layers map `(B, C, H, W)` as those of `coupling` map `(B, D)`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..nets.images import ResidualConv
from .coupling import Chain, LULinear
from .splines import numbers, spline

MOST_SCALES = 3


class PixelLinear(LULinear):
    """The linear layer on the channels of each pixel: a 1 x 1 convolution."""

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        B, C, H, W = x.shape
        y, log_det = super().forward(x.movedim(1, 3).reshape(-1, C), inverse)
        return y.view(B, H, W, C).movedim(3, 1).contiguous(), log_det * H * W


class PixelCoupling(nn.Module):
    """Splines of half of the channels, whose parameters are a net of the other half.

    Args:
        channels: Channels C.
        width: Channels of the net.
        blocks: Residual blocks of the net.
        bins: Bins K of a spline.
        bound: The splines live on [-bound, bound].
    """

    def __init__(self, channels: int, width: int, blocks: int, bins: int, bound: float) -> None:
        super().__init__()
        self.kept, self.bins, self.bound = channels // 2, bins, bound
        outputs = (channels - self.kept) * numbers(bins)
        self.net = ResidualConv(self.kept, outputs, width, blocks)

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        kept, moved = x.tensor_split([self.kept], dim=1)
        theta = self.net(kept).unflatten(1, (-1, numbers(self.bins))).movedim(2, -1)
        moved, log_slope = spline(moved, theta, self.bound, inverse)
        return torch.cat([kept, moved], 1), log_slope.flatten(1).sum(1)


class MultiScale(nn.Module):
    """Scales of steps, each a linear layer and a coupling; `(B, D)` to `(B, D)`.

    Args:
        shape: `(C, H, W)`, H and W even.
        transforms: Steps of each scale.
        width: Channels of the nets.
        blocks: Residual blocks of the nets.
        bins: Bins of a spline.
        bound: The splines live on [-bound, bound].
    """

    def __init__(
        self,
        shape: Sequence[int],
        transforms: int,
        width: int,
        blocks: int,
        bins: int,
        bound: float,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.leaving: list[tuple[int, int, int]] = []  # shape of what each scale gives out
        self.scales = nn.ModuleList()
        C, H, W = shape
        while len(self.scales) < MOST_SCALES and H % 2 == 0 and W % 2 == 0:
            C, H, W = 4 * C, H // 2, W // 2
            steps: list[nn.Module] = []
            for _ in range(transforms):
                steps += [PixelLinear(C), PixelCoupling(C, width, blocks, bins, bound)]
            self.scales.append(Chain(steps))
            last = len(self.scales) == MOST_SCALES or H % 2 or W % 2
            self.leaving.append((C if last else C // 2, H, W))
            C = C // 2

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        return self._backward(x) if inverse else self._forward(x)

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total, parts, h = x.new_zeros(len(x)), [], x.unflatten(1, self.shape)
        for scale, (leaving, _, _) in zip(self.scales, self.leaving, strict=True):
            h, log_det = scale(functional.pixel_unshuffle(h, 2))
            total = total + log_det
            out, h = h.tensor_split([leaving], dim=1)
            parts.append(out.flatten(1))
        return torch.cat(parts, 1), total

    def _backward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        total, sizes = z.new_zeros(len(z)), [c * h * w for c, h, w in self.leaving]
        parts, h = z.split(sizes, dim=1), None
        for scale, part, shape in zip(
            reversed(self.scales), reversed(parts), reversed(self.leaving), strict=True
        ):
            out = part.unflatten(1, shape)
            h, log_det = scale(out if h is None else torch.cat([out, h], 1), True)
            total = total + log_det
            h = functional.pixel_shuffle(h, 2)
        assert h is not None
        return h.flatten(1), total
