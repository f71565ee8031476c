"""How points of a domain enter a net."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ..scaling import Scaling
from .waves import frequencies, waves

EVERY = slice(None)
# Names of up to this many levels are one-hot; of more they have a learnt vector so wide.
WIDEST = 32


class Embedding(nn.Module):
    """Coordinates of a point as real features; nothing is drawn.

    | domain | features of a coordinate |
    |---|---|
    | real | standardised by `scaling`, with Fourier features where there are few coordinates |
    | ordered levels 0..K-1, bits | 2 x / (K - 1) - 1 |
    | names, which have no distances | one-hot up to 32, a learnt vector above |

    Args:
        scaling: The scaling of the domain.

    Attributes:
        features: Features E of one coordinate.
    """

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.scaling = scaling
        domain = scaling.domain
        self.levels = domain.levels
        self.names = domain.levels if domain.is_nominal else None
        self.frequencies = frequencies(domain.dim) if domain.levels is None else ()
        self.features = 1 + 2 * len(self.frequencies)
        if self.names:
            self.features = min(self.names, WIDEST)
            if self.names > WIDEST:
                self.table = nn.Embedding(self.names, WIDEST)

    def forward(self, x: Tensor, at: slice = EVERY) -> Tensor:
        """Maps points `(B, *shape)`, or their coordinates `at` alone, to features `(B, D, E)`."""
        x, dtype = x.flatten(1), self.scaling.shift.dtype
        if self.levels is None:
            shift, scale = self.scaling.shift.flatten()[at], self.scaling.scale.flatten()[at]
            return waves((x - shift) / scale, self.frequencies)
        if self.names and self.names > WIDEST:
            return self.table(x.long())
        if self.names:
            return functional.one_hot(x.long(), self.names).to(dtype)
        return (2 * x.to(dtype) / max(self.levels - 1, 1) - 1).unsqueeze(-1)
