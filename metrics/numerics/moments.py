r"""Centred moments that can be merged: mean and scatter of rows, never raw sums of squares.

Chan, Golub & LeVeque, Updating formulae and a pairwise algorithm for computing sample variances,
COMPSTAT 1982: for two sets of rows a and b with delta = mean_b - mean_a and n = n_a + n_b,

    mean = mean_a + delta n_b / n,
    scatter = scatter_a + scatter_b + delta delta^T n_a n_b / n,

so that an offset far from zero costs no digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .linalg import gram

Array = Any  # of NumPy, or a tensor
_ROWS, _NUMBERS = 1024, 2**17  # the least that is centred at a time: stays in cache if it can


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of a set of rows.

    Attributes:
        n: Number of rows; may be 0.
        mean: Mean, float64, shape `(D,)`.
        scatter: Sum of (x - mean)(x - mean)^T, float64, shape `(D, D)`.
    """

    n: int
    mean: Tensor
    scatter: Tensor

    @property
    def covariance(self) -> Tensor:
        """Unbiased covariance, shape `(D, D)`."""
        return self.scatter / (self.n - 1)

    def merge(self, other: Moments) -> Moments:
        """Returns the moments of both sets of rows together.

        Raises:
            ValueError: The rows are not of one width.
        """
        if len(self.mean) != len(other.mean):
            raise ValueError(
                f"Expected rows of one width, got {len(self.mean)} and {len(other.mean)}."
            )
        n = self.n + other.n
        if n == 0:
            return self
        delta = other.mean - self.mean
        scatter = self.scatter + other.scatter + torch.outer(delta, delta) * (self.n * other.n / n)
        return Moments(n, self.mean + delta * (other.n / n), scatter)

    def pack(self) -> Tensor:
        """Returns all of it as one row, shape `(1, 1 + D + D * D)`, to be gathered and stacked."""
        count = self.mean.new_tensor([self.n])
        return torch.cat([count, self.mean, self.scatter.flatten()])[None]


def moments(x: Tensor) -> Moments:
    """Returns the moments of float64 or float32 rows, shape `(N, D)`, in float64.

    Takes O(D^2) memory beyond them.
    """
    x, n = x.detach(), len(x)
    if n == 0:
        nothing = x.new_zeros(x.shape[1], dtype=torch.float64)
        return Moments(0, nothing, torch.outer(nothing, nothing))
    mean, blocks = _centred_blocks(x)
    rest = mean * 0  # what rounding left of the sum

    def counted() -> Iterator[Tensor]:
        for block in blocks:
            rest[:] += block.sum(0)
            yield torch.as_tensor(block)

    scatter, left = gram(counted()), torch.as_tensor(rest)
    return Moments(n, torch.as_tensor(mean + rest / n), scatter.addr_(left, left, alpha=-1 / n))


def _centred_blocks(x: Tensor) -> tuple[Array, Iterator[Array]]:
    """The mean of float64 or float32 rows, and blocks of them less it, in memory that they share.

    On a CPU both are NumPy's: torch's threads would still spin when those of a product start.
    """
    library: Any = np if x.device.type == "cpu" else torch
    rows: Array = x.numpy() if library is np else x
    step = max(_ROWS, _NUMBERS // x.shape[1])
    mean = rows.mean(0, dtype=library.float64)
    memory = rows[:step] - mean
    starts = range(0, len(x), step)
    parts = (rows[i : i + step] for i in starts)
    return mean, (library.subtract(part, mean, out=memory[: len(part)]) for part in parts)


def unpack(rows: Sequence[Tensor] | Tensor) -> Moments:
    """Returns the merged moments of packed rows, shape `(K, 1 + D + D * D)` with K >= 1."""
    parts = [_unpack_row(row) for row in rows]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    return merged


def _unpack_row(row: Tensor) -> Moments:
    d = (math.isqrt(4 * len(row) - 3) - 1) // 2
    return Moments(int(row[0]), row[1 : 1 + d], row[1 + d :].reshape(d, d))


def centre(x: Tensor) -> Tensor:
    """Returns the mean of rows, shape `(N, D)`; a second pass removes the rounding of the first.

    Args:
        x: Float64 or float32.
    """
    mean, blocks = _centred_blocks(x.detach())
    return torch.as_tensor(mean + sum(block.sum(0) for block in blocks) / len(x))


def centred_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the mean of rows, shape `(N, D)`, and the rows less it, both float64.

    Args:
        x: Float64 or float32.
    """
    first = centre(x)
    rows = less(x, first)
    rest = rows.mean(dim=0)  # the rounding of the mean itself, where it lies far from zero
    return first + rest, rows.sub_(rest)


def less(x: Tensor, point: Tensor) -> Tensor:
    """Returns float64 or float32 rows less a float64 point, in float64."""
    if x.device.type != "cpu":
        return x - point
    return torch.from_numpy(np.subtract(x.numpy(), point.numpy()))  # torch would cast all x first


def middle(x: Tensor, most: int = 512) -> Tensor:
    """Returns the median of each coordinate of rows `(N, D)`, or of 512 of them, float64 `(D,)`.

    A mean would follow one far row away from all others, and their differences would be lost to
    rounding.
    """
    return x.detach()[:: max(1, len(x) // most)].median(dim=0).values.double()


def centred(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns both sides, float64 or float32, less the middle of the second, in float64."""
    point = middle(y)
    return less(x, point), less(y, point)
