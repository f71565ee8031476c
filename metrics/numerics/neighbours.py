r"""Exact nearest neighbours: the one pass that serves every metric of neighbours.

Squared distances are screened block by block through one matrix product,

    ||x - y||^2 = (x, ||x||^2, 1).(-2 y, 1, ||y||^2),

in single precision on a CPU, with the product's rounding bounded by c (||x||^2 + ||y||^2) + 2 e,
c = (D + 16) eps (norms are summed pairwise) and e for what underflows. Only the pairs that this
bound cannot rule out are measured in float64 from the differences x - y. So the distances are
exact to float64 rounding at any offset, a copy is at distance exactly zero, and memory is linear
in the number of points. On a CPU the blocks are `spread`, and NumPy searches them, which takes a
third of the time of torch's search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from .threads import spread

# Distances that agree to this relative difference are tied: float64 sums of squares of one value
# differ by less when the order of their terms changes, distinct distances by more.
TIE = 1e-12
_BLOCK = 2**21  # entries of a block of the distance matrix,
_LEAST_ROWS = 128  # which has so many rows at least: a product of fewer takes twice the time
_CENTRED = 256  # rows whose median is the origin, about
_GROUP = 16  # columns whose minimum stands for them in the first bound on the k-th distance


@dataclass(frozen=True)
class _Screen:
    """Lower bounds on squared distances in units of scale^2, by a matrix product."""

    x: Tensor  # (x, x2, 1), shape (N, D + 2)
    y: Tensor  # (-2 y, 1, y2), shape (M, D + 2)
    x2: Tensor  # (1 - c) ||x||^2 - e, shape (N,)
    c: float
    e: float
    scale: float

    @classmethod
    def of(cls, x: Tensor, y: Tensor) -> _Screen:
        # A median, so that no far point takes the others off the origin; any center is right.
        center = y[:: max(1, len(y) // _CENTRED)].median(dim=0).values
        ends = [v.amax(dim=0) - center for v in (x, y)] + [center - v.amin(dim=0) for v in (x, y)]
        # The farthest coordinate is 1e15, so that squares of those 1e-30 times as large are above
        # what underflows, and sums of 4,096 squares below what overflows.
        scale = max(float(torch.stack(ends).amax()) / 1e15, torch.finfo(x.dtype).tiny)
        dtype = _screen_dtype(x)
        c = (x.shape[1] + 16) * torch.finfo(dtype).eps
        a = _scaled(x, center, scale, dtype)
        b = a.clone() if y is x else _scaled(y, center, scale, dtype)
        e = 2 * (x.shape[1] + 16) * torch.finfo(dtype).tiny
        a2, b2 = ((1 - c) * v[:, :-2].square().sum(dim=1) - e for v in (a, b))
        a[:, -2], a[:, -1] = a2, 1
        b[:, :-2] *= -2
        b[:, -2], b[:, -1] = 1, b2
        return cls(a, b, a2, c, e, scale)

    def rows(self) -> Iterator[slice]:
        step = max(_LEAST_ROWS, _BLOCK // max(len(self.y), 1))
        return (slice(i, min(i + step, len(self.x))) for i in range(0, len(self.x), step))

    def lower(self, rows: slice) -> Tensor:
        """Lower bounds on ||x_i - y_j||^2 / scale^2 of a block of rows, shape `(B, M)`."""
        if self.x.device.type != "cpu":
            return self.x[rows] @ self.y.mT
        return torch.from_numpy(self.x[rows].numpy() @ self.y.numpy().T)


def _scaled(x: Tensor, center: Tensor, scale: float, dtype: torch.dtype) -> Tensor:
    """Returns (x - center) / scale in `dtype` and two columns more, shape `(N, D + 2)`.

    Without another float64 copy of all rows.
    """
    out = x.new_empty(len(x), x.shape[1] + 2, dtype=dtype)
    step = max(1, 2**18 // x.shape[1])
    for rows in range(0, len(x), step):
        out[rows : rows + step, :-2] = (x[rows : rows + step] - center).div_(scale)
    return out


def _screen_dtype(x: Tensor) -> torch.dtype:
    # The bound holds for true float32 products only, and is loose in very high dimension.
    exact = x.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    return torch.float32 if exact and x.shape[1] <= 4096 else torch.float64


def nearest_neighbours(
    x: Tensor, y: Tensor, k: int = 1, *, exclude_self: bool = False
) -> tuple[Tensor, Tensor]:
    """Finds the k nearest rows of `y` to each row of `x` (Euclidean), exactly.

    Args:
        x: Queries, float64, shape `(N, D)`.
        y: Points, float64, shape `(M, D)`.
        k: Number of neighbours.
        exclude_self: `y` is `x`, and a row is not its own neighbour; its copies still are.

    Returns:
        Distances in increasing order and indices, both of shape `(N, k)`. Of rows at equal
        distance the one that comes first in `y` stands first. Time is O(N M D), memory O((N +
        M)(D + k)).

    Raises:
        ValueError: `y` holds fewer than k neighbours.
    """
    available = len(y) - int(exclude_self)
    if not 1 <= k <= available:
        raise ValueError(
            f"Expected 1 <= k <= {available} (the neighbours there are), got k = {k}."
        )
    screen = _Screen.of(x, y)
    found = [*spread(partial(_nearest, screen, x, y, k, exclude_self), screen.rows(), x.device)]
    return torch.cat([d for d, _ in found]), torch.cat([j for _, j in found])


def _nearest(
    screen: _Screen, x: Tensor, y: Tensor, k: int, exclude_self: bool, rows: slice
) -> tuple[Tensor, Tensor]:
    lower = screen.lower(rows)
    if exclude_self:
        lower.diagonal(rows.start).fill_(torch.inf)
    # Any k columns bound the k-th distance from above. Of a column whose lower bound is t, the
    # norm is at most ||x|| + d, hence d^2 <= (t + 6 c ||x||^2 + 6 e) / (1 - 4 c).
    t = _kth_upper(lower, k).clamp_min_(0)
    x2 = screen.x2[rows].clamp(min=0) / (1 - screen.c)
    bound = (t + 6 * (screen.c * x2 + screen.e)) * (1 + 6 * screen.c)
    i, j = _where(lower <= bound[:, None])
    d2 = squared_distances(x[rows], y, i, j)
    # Stable sorts: by row, then distance, then place in y.
    order = d2.argsort(stable=True)
    order = order[i[order].argsort(stable=True)]
    count = torch.bincount(i, minlength=len(t))
    first = count.cumsum(0) - count
    take = order[first[:, None] + torch.arange(k, device=x.device)]
    return d2[take].sqrt(), j[take]


def _where(near: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of the few true entries of a matrix, row by row."""
    if near.device.type != "cpu":
        i, j = near.nonzero(as_tuple=True)
        return i, j
    places = np.flatnonzero(near.numpy())
    i, j = (torch.from_numpy(part) for part in np.unravel_index(places, tuple(near.shape)))
    return i, j


def _kth_upper(values: Tensor, k: int) -> Tensor:
    """An upper bound on the k-th smallest value of each row: the k-th smallest of group minima."""
    groups = values.shape[1] // _GROUP
    if groups >= 4 * k:
        values = values[:, : groups * _GROUP].unflatten(1, (_GROUP, groups)).amin(dim=1)
    if values.device.type != "cpu":
        return values.kthvalue(k, dim=1).values
    return torch.from_numpy(np.partition(values.numpy(), k - 1, axis=1)[:, k - 1].copy())


def squared_distances(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Returns ||x_i - y_j||^2 of pairs, in float64 from their differences, shape `(P,)`."""
    step = max(1, 2**18 // x.shape[1])
    found = x.new_empty(len(i))
    memory = x.new_empty(2, min(step, len(i)), x.shape[1])  # anew for each part would cost more
    for parts in zip(i.split(step), j.split(step), found.split(step), strict=True):
        left, right = memory[:, : len(parts[0])]
        torch.index_select(x, 0, parts[0], out=left)
        torch.index_select(y, 0, parts[1], out=right)
        torch.sum(left.sub_(right).square_(), dim=1, out=parts[2])
    return found


def pairs_within(
    x: Tensor, y: Tensor, reach_x: Tensor, reach_y: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Finds the pairs at a distance of at most the larger of their two reaches, ties included.

    Args:
        x: Points, float64, shape `(N, D)`.
        y: Points, float64, shape `(M, D)`.
        reach_x: Radii of the balls around x, shape `(N,)`.
        reach_y: Radii of the balls around y, shape `(M,)`.

    Returns:
        An iterator over indices i, j and distances of a block of pairs, each of shape `(P,)`; all
        pairs of one i come in one block. Time is O(N M D) plus O(D) a pair.
    """
    screen = _Screen.of(x, y)

    def within(rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        lower = screen.lower(rows)
        a, b = ((r / screen.scale).square() * (1 + 1e-6) for r in (reach_x[rows], reach_y))
        near = lower <= a.to(lower.dtype)[:, None]
        near |= lower <= b.to(lower.dtype)
        i, j = _where(near)
        distance = squared_distances(x[rows], y, i, j).sqrt_()
        i = i + rows.start
        keep = distance <= torch.maximum(reach_x[i], reach_y[j]) * (1 + TIE)
        return i[keep], j[keep], distance[keep]

    return spread(within, screen.rows(), x.device)
