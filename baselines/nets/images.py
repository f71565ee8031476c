"""Convolutional nets of images: an encoder, a decoder, a critic; 8x8 with 1 channel and up.

Each halves or doubles height and width, rounded up, and doubles or halves the channels, until the
smaller side is at most 4 (a 28 x 20 image passes 14 x 10, 7 x 5 and 4 x 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mlp import Residual

SMALLEST = 4
MOST_DOUBLINGS = 3  # channels stay at 8 times the first


def pyramid(height: int, width: int) -> list[tuple[int, int]]:
    """Returns height and width at each resolution, the finest first."""
    sizes = [(height, width)]
    while min(sizes[-1]) > SMALLEST:
        h, w = sizes[-1]
        sizes.append(((h + 1) // 2, (w + 1) // 2))
    return sizes


def widths(channels: int, levels: int) -> list[int]:
    """Returns the channels at each resolution, the finest first."""
    return [channels * 2 ** min(level, MOST_DOUBLINGS) for level in range(levels)]


def norm(channels: int) -> nn.Module:
    """Group normalisation (arXiv:1803.08494): the same in training and use, at any batch size."""
    return nn.GroupNorm(math.gcd(8, channels), channels)


def leaky() -> nn.Module:
    """The activation of critics (arXiv:1511.06434, section 3)."""
    return nn.LeakyReLU(0.2)


class ImageEncoder(nn.Module):
    """Strided convolutions, then a linear layer.

    Args:
        shape: `(C, H, W)` of the input.
        outputs: Width of the output.
        channels: Channels at the finest resolution.
    """

    def __init__(self, shape: Sequence[int], outputs: int, channels: int) -> None:
        super().__init__()
        C, H, W = shape
        sizes = pyramid(H, W)
        wide = widths(channels, len(sizes))
        layers: list[nn.Module] = [nn.Conv2d(C, wide[0], 3, padding=1)]
        for a, b in pairwise(wide):
            layers += [norm(a), nn.SiLU(), nn.Conv2d(a, b, 3, stride=2, padding=1)]
        self.body = nn.Sequential(*layers, norm(wide[-1]), nn.SiLU(), nn.Flatten())
        h, w = sizes[-1]
        self.head = nn.Linear(wide[-1] * h * w, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(B, C, H, W)` to `(B, outputs)`."""
        return self.head(self.body(x))


class ImageDecoder(nn.Module):
    """A linear layer, then convolutions between doublings of the resolution.

    Args:
        inputs: Width of the input.
        shape: `(C, H, W)` of the output.
        channels: Channels at the finest resolution.
        normed: What normalises the channels of a layer; group normalisation by default.
    """

    def __init__(
        self,
        inputs: int,
        shape: Sequence[int],
        channels: int,
        normed: Callable[[int], nn.Module] = norm,
    ) -> None:
        super().__init__()
        C, H, W = shape
        self.sizes = pyramid(H, W)[::-1]
        wide = widths(channels, len(self.sizes))[::-1]
        h, w = self.sizes[0]
        self.first = nn.Linear(inputs, wide[0] * h * w)
        self.layers = nn.ModuleList(
            nn.Sequential(normed(a), nn.SiLU(), nn.Conv2d(a, b, 3, padding=1))
            for a, b in pairwise([*wide, wide[-1]])
        )
        self.head = nn.Sequential(
            normed(wide[-1]), nn.SiLU(), nn.Conv2d(wide[-1], C, 3, padding=1)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Maps `(B, inputs)` to `(B, C, H, W)`."""
        h = self.first(z).unflatten(1, (-1, *self.sizes[0]))
        for layer, size in zip(self.layers, [*self.sizes[1:], self.sizes[-1]], strict=True):
            h = layer(h)
            if h.shape[2:] != torch.Size(size):
                h = functional.interpolate(h, size=size)
        return self.head(h)


class ImageCritic(nn.Module):
    """The discriminator of DCGAN (arXiv:1511.06434) without batch normalisation.

    Args:
        shape: `(C, H, W)` of the input.
        channels: Channels at the finest resolution.
        wrap: Applied to each layer with weights, such as `torch.nn.utils.spectral_norm`.
        activation: Makes an activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        channels: int,
        wrap: Callable[[nn.Module], nn.Module] = lambda layer: layer,
        activation: Callable[[], nn.Module] = leaky,
    ) -> None:
        super().__init__()
        C, H, W = shape
        sizes = pyramid(H, W)
        wide = widths(channels, len(sizes))
        layers: list[nn.Module] = [wrap(nn.Conv2d(C, wide[0], 3, padding=1))]
        for a, b in pairwise(wide):
            layers += [activation(), wrap(nn.Conv2d(a, b, 4, stride=2, padding=1))]
        self.body = nn.Sequential(*layers, activation(), nn.Flatten())
        with torch.no_grad():
            features = self.body(torch.zeros(1, C, H, W)).shape[1]
        self.head = wrap(nn.Linear(features, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(B, C, H, W)` to `(B, 1)`."""
        return self.head(self.body(x))


class ResidualConv(nn.Sequential):
    """A convolution, residual blocks of two convolutions each, and a convolution; same size.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        width: Channels of the blocks.
        blocks: Number of blocks.
    """

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, width, 3, padding=1),
            *[
                Residual(
                    nn.ReLU(),
                    nn.Conv2d(width, width, 1),
                    nn.ReLU(),
                    nn.Conv2d(width, width, 3, padding=1),
                )
                for _ in range(blocks)
            ],
            nn.ReLU(),
            nn.Conv2d(width, outputs, 1),
        )
