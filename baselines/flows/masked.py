r"""The autoregressive layer of flows: each coordinate is mapped by numbers of those before it.

Kingma et al. 2016, arXiv:1606.04934, and Papamakarios et al. 2017, arXiv:1705.07057, with the
masked net of Germain et al. 2015 (arXiv:1502.03509, `nets/masked.py`):

    y_d = g(x_d; theta_d),    theta_d = theta(x_{<d}),    log |det dy/dx| = sum_d log g'(x_d).

One pass maps x to y; the way back takes one pass of one coordinate each, D in all.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..nets.masked import MaskedMLP
from ..nets.waves import frequencies, waves
from .maps import Map


class Masked(nn.Module):
    """An autoregressive layer in the order of the coordinates.

    Args:
        dim: Coordinates D.
        hidden: Widths of the hidden layers of the net.
        mapping: The map of a coordinate.
        turned: Whether the direction from data to noise is the one that takes D passes, as in an
            inverse autoregressive flow.
    """

    def __init__(
        self, dim: int, hidden: Sequence[int], mapping: Map, turned: bool = False
    ) -> None:
        super().__init__()
        self.dim, self.mapping, self.turned = dim, mapping, turned
        self.frequencies = frequencies(dim)
        features = 1 + 2 * len(self.frequencies)
        self.net = MaskedMLP(dim, features, mapping.numbers, hidden)

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        if inverse != self.turned:
            y, log_slope = self._one_by_one(x)
        else:
            y, log_slope = self.mapping(x, self.net(waves(x, self.frequencies)))
        return y, log_slope.sum(1)

    def _one_by_one(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Solves y = g(x) for x, coordinate by coordinate; time O(D) passes of one each."""
        found, slopes, sums = [], [], self.net.start(len(y))
        for d in range(self.dim):
            theta = self.net(sums, coordinate=d)  # (B, 1, P)
            x, log_slope = self.mapping(y[:, d : d + 1], theta, inverse=True)
            found.append(x)
            slopes.append(log_slope)
            sums = self.net.grow(sums, waves(x, self.frequencies), d)
        return torch.cat(found, 1), torch.cat(slopes, 1)
