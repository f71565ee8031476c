r"""The invertible layers of flows on images, at several scales.

Dinh, Sohl-Dickstein & Bengio, Real NVP, ICLR 2017, arXiv:1605.08803: blocks of 2 x 2 pixels become
channels (section 3.6), half of the channels leave for the noise after each scale. Kingma &
Dhariwal, Glow, NeurIPS 2018, arXiv:1807.03039, mix the channels of each pixel (section 3.2).
Durkan et al. 2019 (arXiv:1906.04032, section 5.3) take splines for the couplings.

Layers map `(B, C, H, W)` as those of `coupling` map `(B, D)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...benchmark.contract.task import Domain
from ..nets.images import ResidualConv
from ..nets.roles import has_images
from .coupling import Affine, Chain, LULinear, silence
from .maps import Map

MOST_SCALES = 3


class PixelLinear(LULinear):
    """The linear layer on the channels of each pixel: a 1 x 1 convolution."""

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        B, C, H, W = x.shape
        y, log_det = super().forward(x.movedim(1, 3).reshape(-1, C), inverse)
        return y.view(B, H, W, C).movedim(3, 1).contiguous(), log_det * H * W


class ActNorm(Affine):
    """The affine map on the channels of each pixel (arXiv:1807.03039, section 3.1)."""

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        pixels = x.shape[2] * x.shape[3]
        y, log_det = super().forward(x.movedim(1, -1), inverse)
        return y.movedim(-1, 1), log_det * pixels


class PixelCoupling(nn.Module):
    """Maps half of the channels by numbers that are a net of the other half.

    Args:
        channels: Channels C.
        width: Channels of the net.
        blocks: Residual blocks of the net.
        mapping: The map of a number.
        silent: Whether the layer begins as the identity.
    """

    def __init__(
        self, channels: int, width: int, blocks: int, mapping: Map, silent: bool = False
    ) -> None:
        super().__init__()
        self.kept, self.mapping = channels // 2, mapping
        outputs = (channels - self.kept) * mapping.numbers
        self.net = ResidualConv(self.kept, outputs, width, blocks)
        if silent:
            silence(self.net)

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        kept, moved = x.tensor_split([self.kept], dim=1)
        theta = self.net(kept).unflatten(1, (-1, self.mapping.numbers)).movedim(2, -1)
        moved, log_slope = self.mapping(moved, theta, inverse)
        return torch.cat([kept, moved], 1), log_slope.flatten(1).sum(1)


def halves(domain: Domain) -> bool:
    """Whether points are images that can be halved once at least."""
    return has_images(domain) and all(side % 2 == 0 for side in domain.shape[1:])


class MultiScale(nn.Module):
    """Scales of steps; `(B, D)` to `(B, D)`.

    Args:
        shape: `(C, H, W)`, H and W even.
        steps: Steps of each scale.
        step: Makes the layers of a step, for a number of channels.
        before: Makes the layers that come before the pixels of a scale are folded, for its
            shape `(C, H, W)`; none by default.
    """

    def __init__(
        self,
        shape: Sequence[int],
        steps: int,
        step: Callable[[int], list[nn.Module]],
        before: Callable[[tuple[int, int, int]], list[nn.Module]] = lambda shape: [],
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.leaving: list[tuple[int, int, int]] = []  # shape of what each scale gives out
        self.scales, self.before = nn.ModuleList(), nn.ModuleList()
        C, H, W = shape
        while len(self.scales) < MOST_SCALES and H % 2 == 0 and W % 2 == 0:
            self.before.append(Chain(before((C, H, W))))
            C, H, W = 4 * C, H // 2, W // 2
            self.scales.append(Chain([layer for _ in range(steps) for layer in step(C)]))
            last = len(self.scales) == MOST_SCALES or H % 2 or W % 2
            self.leaving.append((C if last else C // 2, H, W))
            C = C // 2

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        return self._backward(x) if inverse else self._forward(x)

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total, parts, h = x.new_zeros(len(x)), [], x.unflatten(1, self.shape)
        for before, scale, (leaving, _, _) in zip(
            self.before, self.scales, self.leaving, strict=True
        ):
            h, first = before(h)
            h, log_det = scale(functional.pixel_unshuffle(h, 2))
            total = total + first + log_det
            out, h = h.tensor_split([leaving], dim=1)
            parts.append(out.flatten(1))
        return torch.cat(parts, 1), total

    def _backward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        total, sizes = z.new_zeros(len(z)), [c * h * w for c, h, w in self.leaving]
        h = z[:, :0]
        stages = zip(self.before, self.scales, z.split(sizes, 1), self.leaving, strict=True)
        for before, scale, part, shape in reversed(list(stages)):
            out = part.unflatten(1, shape)
            h, log_det = scale(torch.cat([out, h], 1) if h.dim() == 4 else out, True)
            h, first = before(functional.pixel_shuffle(h, 2), True)
            total = total + first + log_det
        return h.flatten(1), total
