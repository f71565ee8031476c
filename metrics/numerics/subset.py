"""Some of many rows: for a standard error, of which one digit or two matter."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_LEAST, _MOST, _NUMBERS = 256, 1024, 2**17


def thinned(x: Tensor, width: int | None = None) -> Tensor:
    """Returns the indices of all rows where they are few, else of some of them.

    These are evenly spaced along some direction, its two ends included, so that the choice depends
    on the content of the rows and not on their order, and one that lies far out is seen. They
    number 2^17 / width, within 256 and 1,024: a standard error from k normal quantities is off by
    1 / sqrt(2 k), that is by 2 % to 5 %.

    Args:
        x: Float64 or float32 rows, shape `(N, D)`.
        width: What the cost of a row grows with; D by default.
    """
    n, d = x.shape
    kept = min(max(_NUMBERS // (width or d), _LEAST), _MOST)
    if n <= kept:
        return torch.arange(n, device=x.device)
    return order_along(x)[torch.arange(kept, device=x.device) * (n - 1) // (kept - 1)]


def order_along(x: Tensor) -> Tensor:
    """Returns the indices that sort rows, shape `(N, D)`, along a direction of no meaning.

    A cheap order of content: equal rows stand together, and hardly ever do others tie.
    """
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(x.shape[1], generator=generator, dtype=torch.float64)
    # Not by a matrix product, in which the rounding of a row depends on where it stands.
    if x.device.type == "cpu":
        along = np.einsum("nd,d->n", x.detach().numpy(), direction.numpy())
        return torch.from_numpy(along.argsort())
    return (x * direction.to(x.device)).sum(dim=1).argsort()
