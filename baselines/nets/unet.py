"""The U-Net of diffusion and transport: v(x, t) on images.

Ronneberger et al. 2015, arXiv:1505.04597, with the residual blocks, the time embedding and the
attention at the lowest resolution of Ho et al. 2020 (arXiv:2006.11239, appendix B).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .images import norm
from .time import TimeEmbedding

LOWEST = 7  # the coarsest resolution has at most so many rows or columns


class Block(nn.Module):
    """Residual block: two convolutions, and between them a shift by the time.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        time: Width of the time embedding.
    """

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.shift = nn.Linear(time, outputs)
        self.second = nn.Sequential(
            norm(outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.second[2].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Maps `(B, inputs, H, W)` and `(B, time)` to `(B, outputs, H, W)`."""
        h = self.first(x) + self.shift(time)[:, :, None, None]
        return self.skip(x) + self.second(h)


class Attention(nn.Module):
    """Self-attention over the pixels, one head, added to its input.

    Args:
        channels: Channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(B, C, H, W)` to the same shape."""
        q, k, v = self.qkv(self.norm(x)).flatten(2).mT.chunk(3, dim=2)  # (B, HW, C)
        # Written out: the fused kernel has no second derivative, which MeanFlow's loss needs.
        weight = (q @ k.mT / math.sqrt(q.shape[2])).softmax(2)
        return x + self.out((weight @ v).mT.reshape(x.shape))


class UNet(nn.Module):
    """One residual block per resolution on the way down, two in the middle, one on the way up.

    Args:
        shape: `(C, H, W)` of a point.
        channels: Channels at the finest resolution; twice as many at all others.
        features: Width of the time embedding.
        outputs: Times C: channels of the output.
    """

    def __init__(
        self, shape: Sequence[int], channels: int = 16, features: int = 64, outputs: int = 1
    ) -> None:
        super().__init__()
        C, H, W = shape
        sizes = [(H, W)]
        while min(sizes[-1]) > LOWEST or (len(sizes) == 1 and min(H, W) > 4):
            h, w = sizes[-1]
            sizes.append(((h + 1) // 2, (w + 1) // 2))
        self.sizes = sizes
        wide = [channels, *[2 * channels] * (len(sizes) - 1)]
        self.time = nn.Sequential(
            TimeEmbedding(features), nn.Linear(features, 2 * features), nn.SiLU()
        )
        time = 2 * features
        self.stem = nn.Conv2d(C, wide[0], 3, padding=1)
        before = [wide[0], *wide[:-1]]
        self.down = nn.ModuleList(Block(a, b, time) for a, b in zip(before, wide, strict=True))
        self.shrink = nn.ModuleList(nn.Conv2d(a, a, 3, stride=2, padding=1) for a in wide[:-1])
        last = wide[-1]
        self.middle = nn.ModuleList([Block(last, last, time), Block(last, last, time)])
        self.attention = Attention(last)
        above = [*wide[1:], last]
        self.up = nn.ModuleList(Block(a + b, b, time) for a, b in zip(above, wide, strict=True))
        self.head = nn.Sequential(
            norm(wide[0]), nn.SiLU(), nn.Conv2d(wide[0], outputs * C, 3, padding=1)
        )
        nn.init.zeros_(self.head[2].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Maps points `(B, C, H, W)` and times `(B,)` to `(B, outputs C, H, W)`."""
        time = self.time(t)
        h, kept = self.stem(x), []
        for level, block in enumerate(self.down):
            h = block(h, time)
            kept.append(h)
            if level < len(self.shrink):
                h = self.shrink[level](h)
        h = self.middle[1](self.attention(self.middle[0](h, time)), time)
        for level in reversed(range(len(self.up))):
            if h.shape[2:] != kept[level].shape[2:]:
                h = functional.interpolate(h, size=kept[level].shape[2:])
            h = self.up[level](torch.cat([h, kept[level]], dim=1), time)
        return self.head(h)
