"""The masked multilayer perceptron of autoregressive models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskedLinear(nn.Linear):
    """A linear layer some of whose weights are held at zero.

    Args:
        mask: Which weights there are, bool, shape `(outputs, inputs)`.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)

    def forward(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """Maps `(B, inputs)` to `(B, outputs)`, or to the outputs in `rows` alone."""
        return functional.linear(x, self.weight[rows] * self.mask[rows], self.bias[rows])


class MaskedMLP(nn.Module):
    """A multilayer perceptron whose outputs for coordinate d see the coordinates before d alone.

    A hidden unit of degree m sees the inputs up to m; the outputs for d see the units of degree
    below d (Germain et al. 2015, arXiv:1502.03509, eq. 8 and 9). Degrees are spread evenly over
    0..D-1. Input 0 is the constant 1: it makes the outputs for the first coordinate functions of
    hidden units like all others, where biases alone would follow the data as slowly as the
    learning rate lets them.

    Args:
        dim: Coordinates D, in their order.
        features: Features E of a coordinate at the input.
        width: Numbers P for a coordinate at the output.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, dim: int, features: int, width: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.dim, self.width = dim, width
        coordinates = torch.arange(1, dim + 1)
        constant = torch.zeros(1, dtype=torch.long)
        degrees = [torch.cat([constant, coordinates.repeat_interleave(features)])]
        degrees += [torch.arange(H) * dim // H for H in hidden]
        self.hidden = nn.ModuleList(MaskedLinear(b[:, None] >= a) for a, b in pairwise(degrees))
        outputs = coordinates.repeat_interleave(width)
        self.out = MaskedLinear(outputs[:, None] > degrees[-1])

    def forward(self, x: Tensor, coordinate: int | None = None) -> Tensor:
        """Returns the numbers for every coordinate, or for one.

        Args:
            x: Features, shape `(B, D, E)`.
            coordinate: Index of the one coordinate that is wanted; the others are not computed.

        Returns:
            Shape `(B, D, P)`, or `(B, 1, P)` for one coordinate.
        """
        h = functional.pad(x.flatten(1), (1, 0), value=1.0)
        for layer in self.hidden:
            h = functional.relu(layer(h))
        if coordinate is None:
            return self.out(h).unflatten(1, (self.dim, self.width))
        rows = slice(coordinate * self.width, (coordinate + 1) * self.width)
        return self.out(h, rows).unflatten(1, (1, self.width))
