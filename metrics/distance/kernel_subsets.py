r"""The kernel distance on random subsets of the points.

With c the middle of all points, u = (x - c) / r of length at most 1, and g = u.v,

    x.y / D + 1 = s g + a + b,   s = r^2 / D,   a = (x - c).c / D + h / 2,   h = c.c / D + 1,

and the cubic kernel is s^3 g^3 + 3 s^2 g^2 (a + b) + 3 s g (a + b)^2 + (a + b)^3. The last two
terms need no pairs: their sums factor into sums over points. What depends on one point alone
cancels in the distance and is left out, which leaves 3 p q (2 h + p + q), p = a - h / 2 and
q = b - h / 2, of (a + b)^3. The products g, and the sums along a tile of their squares and cubes,
have the precision of the input; the rest is double.

On a CPU they are computed by NumPy side by side, on any other device by torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..numerics.subset import order_along
from ..numerics.threads import spread

Array = Any  # an array of NumPy, or a tensor: what is done with it here is spelled alike in both

_ROWS = 128  # points whose coordinates are held in double precision at once
_TILE = 250  # points whose products with all others are held at once, on a CPU
_TILE_ELSEWHERE = 2048


def subset_values(
    x: Tensor, y: Tensor, subsets: int, size: int, seed: int, dtype: torch.dtype
) -> Tensor:
    """Returns the unbiased MMD^2 with the cubic kernel on each subset, float64, `(subsets,)`.

    Args:
        x: Float64 or float32 rows, shape `(N, D)`.
        y: Float64 or float32 rows, shape `(M, D)`.
        subsets: Number of subsets.
        size: Points of each side in a subset, at least 2.
        seed: Seed of the subsets, which do not depend on the order of the rows.
        dtype: Precision of the products.
    """
    a, b = points_of(x, y, dtype)
    generator = torch.Generator().manual_seed(seed)
    orders = [order_along(side) for side in (x, y)]
    drawn = ([_drawn(order, size, generator) for order in orders] for _ in range(subsets))
    if x.device.type == "cpu":
        a, b = a.in_numpy(), b.in_numpy()
    values = spread(lambda rows: subset_value(a, b, *rows), drawn, x.device)
    return torch.tensor(list(values), dtype=torch.float64)


def _drawn(order: Tensor, size: int, generator: torch.Generator) -> Tensor:
    return order[torch.randperm(len(order), generator=generator)[:size].to(order.device)]


@dataclass(frozen=True)
class Points:
    """Points of one side.

    Attributes:
        rows: u, shape `(N, D)`, in the precision of the products.
        lengths: |u|, shape `(N,)`.
        own: Shift p, shape `(N,)`.
        level: h.
        scale: s.
        math: The library of the arrays: `torch`, or `numpy`.
    """

    rows: Array
    lengths: Array
    own: Array
    level: float
    scale: float
    math: Any = torch

    @classmethod
    def of(cls, x: Tensor, middle: Tensor, dtype: torch.dtype) -> Points:
        """Points as they are, r = 1."""
        n, d = x.shape
        rows, buffer = x.new_empty(n, d, dtype=dtype), middle.new_empty(_ROWS, d)
        own, lengths = middle.new_empty(n), middle.new_empty(n)
        for i in range(0, n, _ROWS):
            block = torch.sub(x[i : i + _ROWS], middle, out=buffer[: n - i])
            own[i : i + _ROWS] = block @ middle / d
            lengths[i : i + _ROWS] = torch.linalg.vector_norm(block, dim=1)
            rows[i : i + _ROWS] = block
        return cls(rows, lengths, own, float(middle @ middle) / d + 1, 1 / d)

    def shrunk(self, radius: float) -> Points:
        """The same points with another r; these rows become theirs."""
        rows, lengths = self.rows.div_(radius), self.lengths / radius
        return replace(self, rows=rows, lengths=lengths, scale=self.scale * radius**2)

    def in_numpy(self) -> Points:
        """The same points as arrays of NumPy."""
        parts = {name: getattr(self, name).numpy() for name in ("rows", "lengths", "own")}
        return replace(self, **parts, math=np)

    @property
    def shift(self) -> Array:
        """a, shape `(N,)`."""
        return self.own + self.level / 2

    def some(self, rows: Tensor) -> Points:
        """The points of these indices."""
        chosen: Array = rows if self.math is torch else rows.numpy()
        parts = {name: getattr(self, name)[chosen] for name in ("rows", "lengths", "own")}
        return replace(self, **parts)

    @cached_property
    def moments(self) -> Array:
        """Sums of a^k u for k = 0, 1, 2, float64, shape `(3, D)`."""
        powers = self.math.stack([self.own * 0 + 1, self.shift, self.shift**2])
        blocks = range(0, len(self.rows), _ROWS)
        double = self.math.float64
        return sum(
            powers[:, i : i + _ROWS] @ self.math.asarray(self.rows[i : i + _ROWS], dtype=double)
            for i in blocks
        )


def points_of(x: Tensor, y: Tensor, dtype: torch.dtype) -> list[Points]:
    """Returns both sides about their common middle, with one r."""
    middle = (x.mean(dim=0, dtype=torch.float64) + y.mean(dim=0, dtype=torch.float64)) / 2
    sides = [Points.of(side, middle, dtype) for side in (x, y)]
    radius = max(float(side.lengths.max()) for side in sides) or 1.0
    return [side.shrunk(radius) for side in sides]


def subset_value(x: Points, y: Points, of_x: Tensor, of_y: Tensor) -> float:
    """Returns the unbiased MMD^2 between equally many points of two sides, given by index."""
    x, y, size = x.some(of_x), y.some(of_y), len(of_x)
    within = (_total(x, x) + _total(y, y)) / (size * (size - 1))
    return within - 2 * _total(x, y) / size**2


def _total(x: Points, y: Points) -> float:
    """Sum of the kernel over all pairs, those of a point with itself left out where x is y."""
    s, h, a, b, p, q = x.scale, x.level, x.shift, y.shift, x.own, y.own
    cubes, of_x, of_y = _cubes_and_squares(x, y)
    squares = of_x @ a + of_y @ b
    u, v = x.moments, y.moments
    linear = u[2] @ v[0] + 2 * u[1] @ v[1] + u[0] @ v[2]
    alone = 2 * h * p.sum() * q.sum() + (p**2).sum() * q.sum() + p.sum() * (q**2).sum()
    if x is y:
        linear -= 4 * ((x.lengths * a) ** 2).sum()
        alone -= 2 * (p**2 * (h + p)).sum()
    return float(s**3 * cubes + 3 * (s**2 * squares + s * linear + alone))


def _cubes_and_squares(x: Points, y: Points) -> tuple[Array, Array, Array]:
    """Sum of g^3 over all pairs; of g^2 over the pairs of each x, and over those of each y.

    Where x is y, pairs of a point with itself are left out.
    """
    cubes, of_x, of_y = x.own * 0, x.own * 0, y.own * 0
    for rows, columns, times in _tiles(x, y):
        g = x.rows[rows] @ y.rows[columns].T
        if x is y and rows == columns:
            g.reshape(-1)[:: len(g) + 1] = 0
        squares = g * g
        of_x[rows] += times * squares.sum(axis=1)
        of_y[columns] += times * squares.sum(axis=0)
        cubes[rows] += times * x.math.einsum("ij,ij->i", squares, g)
    return cubes.sum(), of_x, of_y


def _tiles(x: Points, y: Points) -> Iterator[tuple[slice, slice, int]]:
    """Rows, columns and weight of tiles that cover all pairs, where x is y one half for both."""
    step = _TILE if x.math is np else _TILE_ELSEWHERE
    for i in range(0, len(x.rows), step):
        rows, later = slice(i, i + step), slice(i + step, len(x.rows))
        if x is not y:
            yield rows, slice(0, len(y.rows)), 1
        else:
            yield rows, rows, 1
            yield rows, later, 2
