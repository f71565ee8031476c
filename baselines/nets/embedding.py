"""How points of a domain enter a net."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ..scaling import Scaling

EVERY = slice(None)


class Embedding(nn.Module):
    """Coordinates of a point as real features: standardised, or in [-1, 1], or one-hot.

    Real values are standardised by `scaling`, ordered levels 0..K-1 become 2 x / (K - 1) - 1, and
    unordered levels, which have no distances, become one-hot vectors. Nothing is drawn.

    Args:
        scaling: The scaling of the domain.

    Attributes:
        features: Features E of one coordinate.
    """

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.scaling = scaling
        self.levels = scaling.domain.levels
        names = not scaling.domain.ordered and (self.levels or 0) > 2
        self.features = self.levels if self.levels and names else 1

    def forward(self, x: Tensor, at: slice = EVERY) -> Tensor:
        """Maps points `(B, *shape)`, or their coordinates `at` alone, to features `(B, D, E)`."""
        x, dtype = x.flatten(1), self.scaling.shift.dtype
        if self.levels is None:
            shift, scale = self.scaling.shift.flatten()[at], self.scaling.scale.flatten()[at]
            return ((x - shift) / scale).unsqueeze(-1)
        if self.features > 1:
            return functional.one_hot(x.long(), self.levels).to(dtype)
        return (2 * x.to(dtype) / max(self.levels - 1, 1) - 1).unsqueeze(-1)
