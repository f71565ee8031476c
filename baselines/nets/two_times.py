"""Nets that are told two times: u(x, r, t) with both in [0, 1]."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .time import TimeEmbedding


class TwoTimes(nn.Module):
    """Sines and cosines of t and of t - r side by side, half of the width each.

    Frequencies are 1 to 32 radians: losses differentiate by the time, and those of up to 1,000
    that one time is told in would drown everything else in the derivative.

    Args:
        features: Width F; a multiple of 4.
    """

    frequencies: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        powers = torch.linspace(0, math.log(32.0), features // 4)
        self.register_buffer("frequencies", powers.exp(), persistent=False)

    def forward(self, times: Tensor) -> Tensor:
        """Maps times (r, t) `(B, 2)` to `(B, F)`."""
        r, t = times.unbind(1)
        angles = torch.cat([t[:, None] * self.frequencies, (t - r)[:, None] * self.frequencies], 1)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def with_two_times(net: nn.Module) -> nn.Module:
    """Puts the features of two times in the place of those of one, wherever a net has them.

    Args:
        net: A net of points and times `(B,)`; afterwards it takes times `(B, 2)`.
    """
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, TimeEmbedding):
                setattr(module, name, TwoTimes(2 * len(child.frequencies)))
    return net
