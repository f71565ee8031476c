"""A transformer without a mask: numbers for each coordinate that depend on all of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bidirectional(nn.Module):
    """Coordinates of levels, or hidden ones, to numbers for each.

    Vaswani et al. 2017 (arXiv:1706.03762), the encoder, normalised before each part. It is not
    told how many are hidden: what is hidden says it.

    Args:
        dim: Coordinates D.
        levels: Levels K; index K stands for a hidden coordinate.
        width: Width of a position.
        layers: Number of layers.
        heads: Heads of the attention; they divide the width.
        dropout: Share of the numbers dropped in training.

    Raises:
        ValueError: The heads do not divide the width.
    """

    def __init__(
        self, dim: int, levels: int, width: int, layers: int, heads: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"Expected heads that divide the width {width}, got {heads}.")
        self.enter = nn.Embedding(levels + 1, width)
        self.places = nn.Parameter(0.02 * torch.randn(dim, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, levels))

    def forward(self, x: Tensor) -> Tensor:
        """Maps indices `(B, D)` in 0..K to logits `(B, D, K)`."""
        h = self.enter(x) + self.places
        for layer in self.layers:
            h = layer(h)
        return self.head(h)
