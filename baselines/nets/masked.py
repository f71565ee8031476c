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
    below d (Germain et al. 2015, arXiv:1502.03509, eq. 12 and 13). Degrees are spread evenly over
    0..D-1. Direct connections lead from every coordinate to the outputs for those behind it (their
    section 4.1): units are often fewer than coordinates, and would leave outputs blind to their
    nearest neighbours. Input 0 is the constant 1: it makes the outputs for the first coordinate
    functions of hidden units like all others, where biases alone would follow the data as slowly
    as the learning rate lets them.

    Points are drawn coordinate by coordinate without the cost of a whole pass for each: `start`,
    `grow` and a forward pass for one coordinate keep the sums over the inputs as they grow, those
    of the first layer's units and those of the direct connections.

    Args:
        dim: Coordinates D, in their order.
        features: Features E of a coordinate at the input.
        width: Numbers P for a coordinate at the output.
        hidden: Widths of the hidden layers, one at least.

    Raises:
        ValueError: No hidden layer.
    """

    def __init__(self, dim: int, features: int, width: int, hidden: Sequence[int]) -> None:
        super().__init__()
        if not hidden:
            raise ValueError("Expected at least one hidden layer, got none.")
        self.dim, self.width = dim, width
        coordinates = torch.arange(1, dim + 1)
        constant = torch.zeros(1, dtype=torch.long)
        degrees = [torch.cat([constant, coordinates.repeat_interleave(features)])]
        degrees += [torch.arange(H) * dim // H for H in hidden]
        outputs = coordinates.repeat_interleave(width)
        into = [degrees[1][:, None] >= degrees[0], outputs[:, None] > degrees[0]]
        self.first = MaskedLinear(torch.cat(into))
        self.hidden = nn.ModuleList(
            MaskedLinear(b[:, None] >= a) for a, b in pairwise(degrees[1:])
        )
        self.out = MaskedLinear(outputs[:, None] > degrees[-1])
        self.units = hidden[0]
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Starts units at the variance of the inputs that masks leave; direct weights at zero."""
        for layer in (self.first, *self.hidden, self.out):
            fan_in = layer.mask.sum(1, keepdim=True).clamp_min(1)
            layer.weight.uniform_(-1, 1).div_(fan_in.sqrt())
            layer.bias.zero_()
        self.first.weight[self.units :].zero_()

    def forward(self, x: Tensor, coordinate: int | None = None) -> Tensor:
        """Returns the numbers for every coordinate, or for one.

        Args:
            x: Features, shape `(B, D, E)`; with a coordinate, the sums over the coordinates
                before it, shape `(B, H + D P)`.
            coordinate: Index of the one coordinate that is wanted.

        Returns:
            Shape `(B, D, P)`, or `(B, 1, P)` for one coordinate.
        """
        if coordinate is None:
            sums = self.first(functional.pad(x.flatten(1), (1, 0), value=1.0))
            return self._outputs(sums, slice(None)).unflatten(1, (self.dim, self.width))
        rows = slice(coordinate * self.width, (coordinate + 1) * self.width)
        return self._outputs(x, rows).unflatten(1, (1, self.width))

    def _outputs(self, sums: Tensor, rows: slice) -> Tensor:
        h = functional.relu(sums[:, : self.units])
        for layer in self.hidden:
            h = functional.relu(layer(h))
        return self.out(h, rows) + sums[:, self.units :][:, rows]

    def start(self, n: int) -> Tensor:
        """Returns the sums of n points without a coordinate, shape `(n, H + D P)`."""
        constant = self.first.weight[:, 0] * self.first.mask[:, 0]
        return (self.first.bias + constant).expand(n, -1)

    def grow(self, sums: Tensor, features: Tensor, coordinate: int) -> Tensor:
        """Returns the sums with the features `(B, 1, E)` of a coordinate added."""
        E = features.shape[2]
        columns = slice(1 + coordinate * E, 1 + (coordinate + 1) * E)
        weight = self.first.weight[:, columns] * self.first.mask[:, columns]
        return sums + functional.linear(features.flatten(1), weight)
