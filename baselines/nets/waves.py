"""Sines and cosines of the coordinates: a small net sees finer detail in few dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Up to this many coordinates of a domain the waves are worth their width.
FEW = 8


def frequencies(dim: int) -> tuple[float, ...]:
    """Returns 1, 2 and 4 radians a unit for domains of up to 8 coordinates, none above."""
    return (1.0, 2.0, 4.0) if dim <= FEW else ()


def waves(x: Tensor, chosen: Sequence[float]) -> Tensor:
    """Returns x, sin(f x), cos(f x) for each frequency f: `(..., D)` to `(..., D, 1 + 2 F)`."""
    angles = [f * x for f in chosen]
    return torch.stack([x, *(a.sin() for a in angles), *(a.cos() for a in angles)], dim=-1)


class Waves(nn.Module):
    """Fourier features on the axes (Tancik et al. 2020, arXiv:2006.10739), beside x itself.

    Args:
        dim: Number D of coordinates.
        chosen: Frequencies in radians a unit; by default those of `frequencies`.

    Attributes:
        width: Number of features, D (1 + 2 F) for F frequencies.
    """

    def __init__(self, dim: int, chosen: Sequence[float] | None = None) -> None:
        super().__init__()
        self.frequencies = tuple(frequencies(dim) if chosen is None else chosen)
        self.width = dim * (1 + 2 * len(self.frequencies))

    def forward(self, x: Tensor) -> Tensor:
        """Maps points `(B, D)` to `(B, width)`."""
        return waves(x, self.frequencies).flatten(1)
