"""Sines and cosines of the coordinates: a small net sees finer detail in few dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Up to this many coordinates the waves are worth their width.
FEW = 8


class Waves(nn.Module):
    """Fourier features on the axes (Tancik et al. 2020, arXiv:2006.10739), beside x itself.

    Args:
        dim: Number D of coordinates.
        frequencies: In radians a unit; by default 1, 2 and 4 up to 8 coordinates, none above.

    Attributes:
        width: Number of features, D (1 + 2 F) for F frequencies.
    """

    def __init__(self, dim: int, frequencies: Sequence[float] | None = None) -> None:
        super().__init__()
        if frequencies is None:
            frequencies = (1.0, 2.0, 4.0) if dim <= FEW else ()
        self.frequencies = tuple(frequencies)
        self.width = dim * (1 + 2 * len(self.frequencies))

    def forward(self, x: Tensor) -> Tensor:
        """Maps points `(B, D)` to `(B, width)`."""
        angles = [f * x for f in self.frequencies]
        return torch.cat([x, *(a.sin() for a in angles), *(a.cos() for a in angles)], dim=1)
