"""A masked perceptron with a context: numbers for coordinate d of those before d, and of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .masked import MaskedLinear


class ConditionedMasked(nn.Module):
    """One masked hidden layer whose units are shifted by a linear map of the context.

    Germain et al. 2015 (arXiv:1502.03509, eq. 12 and 13) for the masks; Kingma et al. 2016
    (arXiv:1606.04934, section 4) for the context.

    Args:
        dim: Coordinates D, in their order.
        context: Width C of the context.
        width: Numbers P for a coordinate at the output.
        hidden: Units of the hidden layer.
    """

    def __init__(self, dim: int, context: int, width: int, hidden: int) -> None:
        super().__init__()
        self.dim, self.width = dim, width
        coordinates = torch.arange(1, dim + 1)
        units = torch.arange(hidden) * dim // hidden
        self.first = MaskedLinear(units[:, None] >= coordinates)
        self.context = nn.Linear(context, hidden)
        self.out = MaskedLinear(coordinates.repeat_interleave(width)[:, None] > units)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Maps `(..., D)` and `(..., C)` to `(..., D, P)`."""
        h = functional.elu(self.first(x) + self.context(context))
        return self.out(h).unflatten(-1, (self.dim, self.width))
