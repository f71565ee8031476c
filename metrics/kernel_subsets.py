r"""The kernel distance on random subsets of the points.

With c the middle of all points, u = (x - c) / r of length at most 1, and g = u.v,

    x.y / D + 1 = s g + a + b,   s = r^2 / D,   a = (x - c).c / D + h / 2,   h = c.c / D + 1,

and the cubic kernel is s^3 g^3 + 3 s^2 g^2 (a + b) + 3 s g (a + b)^2 + (a + b)^3. The last two
terms need no pairs: their sums factor into sums over points. What depends on one point alone
cancels in the distance and is left out, which leaves 3 p q (2 h + p + q), p = a - h / 2 and
q = b - h / 2, of (a + b)^3. The products g, and the sums along a tile of their squares and cubes,
have the precision of the input; the rest is double.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from .pairwise import tiles
from .thinning import order_along

_ROWS = 128  # points whose coordinates are held in double precision at once
_TILE = 2048  # points a side whose products are held at once
_OWN_TILE = 336  # of a set with itself: smaller tiles take fewer pairs twice


def subset_values(
    x: Tensor, y: Tensor, subsets: int, size: int, seed: int, dtype: torch.dtype
) -> Tensor:
    """Returns the unbiased MMD^2 with the cubic kernel on each subset, float64, `(subsets,)`.

    Args:
        x: Float64 rows, shape `(N, D)`.
        y: Float64 rows, shape `(M, D)`.
        subsets: Number of subsets.
        size: Points of each side in a subset, at least 2.
        seed: Seed of the subsets, which do not depend on the order of the rows.
        dtype: Precision of the products.
    """
    middle = (x.mean(dim=0) + y.mean(dim=0)) / 2
    sides = [_Points.of(side, middle, dtype) for side in (x, y)]
    radius = max(float(side.lengths.max()) for side in sides) or 1.0
    sides = [side.shrunk(radius) for side in sides]
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        a, b = (side.some(size, generator) for side in sides)
        within = (_total(a, a) + _total(b, b)) / (size * (size - 1))
        values.append(within - 2 * _total(a, b) / size**2)
    return torch.tensor(values, dtype=torch.float64)


@dataclass(frozen=True)
class _Points:
    """Points of one side.

    Attributes:
        rows: u, shape `(N, D)`, in the precision of the products.
        lengths: |u|, shape `(N,)`.
        own: Shift p, shape `(N,)`.
        level: h.
        scale: s.
        order: Indices that sort the rows by content, shape `(N,)`.
    """

    rows: Tensor
    lengths: Tensor
    own: Tensor
    level: float
    scale: float
    order: Tensor

    @classmethod
    def of(cls, x: Tensor, middle: Tensor, dtype: torch.dtype) -> _Points:
        """Points as they are, r = 1."""
        n, d = x.shape
        rows, own, lengths = x.new_empty(n, d, dtype=dtype), x.new_empty(n), x.new_empty(n)
        buffer = x.new_empty(_ROWS, d)
        for i in range(0, n, _ROWS):
            block = torch.sub(x[i : i + _ROWS], middle, out=buffer[: n - i])
            own[i : i + _ROWS] = block @ middle / d
            lengths[i : i + _ROWS] = torch.linalg.vector_norm(block, dim=1)
            rows[i : i + _ROWS] = block
        return cls(rows, lengths, own, float(middle @ middle) / d + 1, 1 / d, order_along(x))

    def shrunk(self, radius: float) -> _Points:
        """The same points with another r; these rows become theirs."""
        rows, lengths = self.rows.div_(radius), self.lengths / radius
        return replace(self, rows=rows, lengths=lengths, scale=self.scale * radius**2)

    @property
    def shift(self) -> Tensor:
        """a, shape `(N,)`."""
        return self.own + self.level / 2

    def some(self, n: int, generator: torch.Generator) -> _Points:
        drawn = torch.randperm(len(self.rows), generator=generator)[:n].to(self.rows.device)
        drawn = self.order[drawn]
        rows, lengths = self.rows[drawn], self.lengths[drawn]
        return replace(self, rows=rows, lengths=lengths, own=self.own[drawn], order=drawn)

    @cached_property
    def moments(self) -> Tensor:
        """Sums of a^k u for k = 0, 1, 2, float64, shape `(3, D)`."""
        powers = torch.stack([torch.ones_like(self.own), self.shift, self.shift.square()])
        total = powers.new_zeros(3, self.rows.shape[1])
        buffer = powers.new_empty(_ROWS, self.rows.shape[1])
        for some, rows in zip(powers.split(_ROWS, dim=1), self.rows.split(_ROWS), strict=True):
            total.addmm_(some, buffer[: len(rows)].copy_(rows))
        return total


def _total(x: _Points, y: _Points) -> float:
    """Sum of the kernel over all pairs, those of a point with itself left out where x is y."""
    s, h, a, b, p, q = x.scale, x.level, x.shift, y.shift, x.own, y.own
    cubes, of_x, of_y = _cubes_and_squares(x, y)
    squares = of_x @ a + of_y @ b
    u, v = x.moments, y.moments
    linear = u[2] @ v[0] + 2 * u[1] @ v[1] + u[0] @ v[2]
    alone = 2 * h * p.sum() * q.sum() + p.square().sum() * q.sum() + p.sum() * q.square().sum()
    if x is y:
        linear -= 4 * (x.lengths * a).square().sum()
        alone -= 2 * (p.square() * (h + p)).sum()
    return float(s**3 * cubes + 3 * (s**2 * squares + s * linear + alone))


def _cubes_and_squares(x: _Points, y: _Points) -> tuple[Tensor, Tensor, Tensor]:
    """Sum of g^3 over all pairs; of g^2 over the pairs of each x, and over those of each y.

    Where x is y, pairs of a point with itself are left out.
    """
    cubes, of_x, of_y = x.own.new_zeros(()), torch.zeros_like(x.own), torch.zeros_like(y.own)
    for rows, columns in tiles(len(x.rows), len(y.rows), _OWN_TILE if x is y else _TILE):
        if x is y and columns.start < rows.start:
            continue
        times = 2 if x is y and columns.start > rows.start else 1
        g = x.rows[rows] @ y.rows[columns].mT
        if x is y and times == 1:
            g.fill_diagonal_(0)
        squares = g.square()
        of_x[rows] += times * squares.sum(dim=1)
        of_y[columns] += times * squares.sum(dim=0)
        cubes += times * squares.mul_(g).sum(dim=1).sum(dtype=torch.float64)
    return cubes, of_x, of_y
