"""Nets that are told the time: v(x, t) with t in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .waves import Waves


class TimeEmbedding(nn.Module):
    r"""Sines and cosines of the time (Vaswani et al. 2017, arXiv:1706.03762, section 3.5).

    The position is 1000 t and the wavelengths rise geometrically from 2 pi to 2 pi 10^4.

    Args:
        features: Width F of the embedding; even.
    """

    frequencies: Tensor

    def __init__(self, features: int = 64) -> None:
        super().__init__()
        if features < 2 or features % 2:
            raise ValueError(f"Expected a positive even number of features, got {features}.")
        half = features // 2
        powers = torch.arange(half) / max(1, half - 1)
        self.register_buffer(
            "frequencies", 1000 * torch.exp(-math.log(1e4) * powers), persistent=False
        )

    def forward(self, t: Tensor) -> Tensor:
        """Maps times in [0, 1], shape `(B,)`, to `(B, F)`."""
        angle = t[:, None] * self.frequencies
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class TimeMLP(nn.Module):
    """Multilayer perceptron whose every hidden layer is shifted by a map of the time.

    The first output adds g(t) x, coordinate by coordinate: noise passes by the hidden layers,
    which would otherwise have to carry it.

    Args:
        dim: Number D of coordinates of a point.
        hidden: Widths of the hidden layers.
        features: Width of the time embedding.
        outputs: Arrays of D numbers that come out, side by side.
    """

    def __init__(
        self, dim: int, hidden: Sequence[int] = (128, 128), features: int = 64, outputs: int = 1
    ) -> None:
        super().__init__()
        self.waves = Waves(dim)
        widths = [self.waves.width, *hidden]
        self.embedding = nn.Sequential(
            TimeEmbedding(features), nn.Linear(features, features), nn.SiLU()
        )
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.shifts = nn.ModuleList(nn.Linear(features, b) for b in hidden)
        self.activation = nn.SiLU()
        self.head = nn.Linear(widths[-1], outputs * dim)
        self.gate = nn.Linear(features, dim)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Maps points `(B, D)` and their times `(B,)` to `(B, outputs D)`."""
        h, time = self.waves(x), self.embedding(t)
        for layer, shift in zip(self.layers, self.shifts, strict=True):
            h = self.activation(layer(h) + shift(time))
        out, past = self.head(h), self.gate(time) * x
        return out + functional.pad(past, (0, out.shape[1] - x.shape[1]))
