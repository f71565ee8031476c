"""The causal transformer: numbers for each coordinate that depend on those before it alone.

Vaswani et al. 2017, arXiv:1706.03762, the decoder without an encoder; normalisation before each
part, as of Radford et al., Language Models are Unsupervised Multitask Learners, 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Layer(nn.Module):
    """Causal self-attention, then a perceptron, each added to its input.

    Args:
        width: Width W of a position.
        heads: Heads of the attention; they divide the width.
        dropout: Share of the numbers dropped in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, h: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Maps positions `(B, T, W)`, and the keys and values of those before, to both anew.

        Args:
            h: Positions; one alone where there is a past.
            past: Keys and values `(B, heads, S, W / heads)` of the positions before.

        Returns:
            The positions, and keys and values with theirs added.
        """
        parts = self.qkv(self.before_attention(h)).chunk(3, dim=2)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        h = h + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return h + self.dropout(self.mlp(self.before_mlp(h))), (k, v)


Past = list[tuple[Tensor, Tensor]]


class CausalTransformer(nn.Module):
    """Numbers for coordinate d as a function of the features of the coordinates before d.

    Position d reads the coordinate d - 1, position 0 a learnt start.

    Args:
        dim: Coordinates D, in their order.
        features: Features E of a coordinate at the input.
        outputs: Numbers P for a coordinate at the output.
        width: Width of a position.
        layers: Number of layers.
        heads: Heads of the attention; they divide the width.
        dropout: Share of the numbers dropped in training.

    Raises:
        ValueError: The heads do not divide the width.
    """

    def __init__(
        self,
        dim: int,
        features: int,
        outputs: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"Expected heads that divide the width {width}, got {heads}.")
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.enter = nn.Linear(features, width)
        self.places = nn.Parameter(0.02 * torch.randn(dim, width))
        self.layers = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Maps features `(B, D, E)` to the numbers of every coordinate, `(B, D, P)`."""
        start = self.start.expand(len(x), 1, -1)
        h = torch.cat([start, self.enter(x[:, :-1])], dim=1) + self.places
        for layer in self.layers:
            h, _ = layer(h)
        return self.head(h)

    def step(self, x: Tensor | None, past: Past, n: int) -> tuple[Tensor, Past]:
        """Returns the numbers of the next coordinate of n points, and what the one after reads.

        Args:
            x: Features of the coordinate before it, shape `(n, 1, E)`; None for the first.
            past: Keys and values of each layer so far; empty for the first.
            n: Number of points.

        Returns:
            Shape `(n, 1, P)`, and the keys and values.
        """
        place = past[0][0].shape[2] if past else 0
        h = self.start.expand(n, 1, -1) if x is None else self.enter(x)
        h, kept = h + self.places[place], []
        for i, layer in enumerate(self.layers):
            h, grown = layer(h, past[i] if past else None)
            kept.append(grown)
        return self.head(h), kept
