"""How points of a domain enter a net."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ..scaling import Scaling


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

    def forward(self, x: Tensor) -> Tensor:
        """Maps points `(B, *shape)` to features `(B, D, E)`."""
        if self.levels is None:
            return self.scaling.encode(x).flatten(1).unsqueeze(-1)
        if self.features > 1:
            one_hot = functional.one_hot(x.flatten(1).long(), self.levels)
            return one_hot.to(self.scaling.shift.dtype)
        centred = 2 * x.to(self.scaling.shift.dtype) / max(self.levels - 1, 1) - 1
        return centred.flatten(1).unsqueeze(-1)
