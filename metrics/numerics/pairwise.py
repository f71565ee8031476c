r"""Means of a kernel over pairs of points, and the U-statistics of two samples made of them.

For a symmetric kernel k, x_1..x_n ~ P and y_1..y_m ~ Q, independent:

    T = mean_{i != l} k(x_i, x_l) + mean_{j != l} k(y_j, y_l) - 2 mean_{i, j} k(x_i, y_j),

the squared maximum mean discrepancy (Gretton et al., JMLR 13, 2012, eq. 3; with -|x - y| the
energy distance). Hoeffding's decomposition gives its variance: with the row means a_i = mean_l
k(x_i, x_l) and b_i = mean_j k(x_i, y_j), x_i moves T by 2 (a_i - b_i), and what is left has the
second-order variance

    2 v_xx / (n (n - 1)) + 4 v_xy / (n m) + 2 v_yy / (m (m - 1)),

v the mean square of the doubly centred kernel. The sample variance of the row means contains it
twice, so it is taken off once. It matters where P is near Q, where the first order vanishes. What
y does alone, the part of the variance that samples drawn anew leave, is the first order of y and
the term with v_yy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..estimate import Estimate
from .moments import middle
from .sorting import shuffled_order

_MEDIAN_POINTS = 2000
Kernel = Callable[[Tensor, Tensor], Tensor]  # (N, D) and (M, D) to (N, M)


@dataclass(frozen=True)
class PairMeans:
    """Row means of a kernel, pairs of a point with itself left out.

    Attributes:
        xx: Mean over l != i of k(x_i, x_l), shape `(N,)`.
        yy: The same of y, shape `(M,)`.
        xy: Mean over j of k(x_i, y_j), shape `(N,)`.
        yx: Mean over i of k(x_i, y_j), shape `(M,)`.
        own: Means of k(x_i, x_i) and of k(y_j, y_j).
        second: Second-order parts of the variance of the statistic: of pairs within x, of pairs
            within y, of pairs across.
    """

    xx: Tensor
    yy: Tensor
    xy: Tensor
    yx: Tensor
    own: tuple[float, float]
    second: tuple[float, float, float]

    def unbiased(self) -> float:
        """The U-statistic."""
        return float(self.xx.mean() + self.yy.mean() - 2 * self.xy.mean())

    def biased(self) -> float:
        """The V-statistic, in which a point also meets itself."""
        n, m = len(self.xx), len(self.yy)
        return self.unbiased() - float(
            (self.xx.mean() - self.own[0]) / n + (self.yy.mean() - self.own[1]) / m
        )

    def stderr(self) -> float:
        """Standard deviation of both statistics over fresh x and fresh y."""
        second = sum(self.second)
        first = 4 * float((self.xx - self.xy).var() / len(self.xx))
        first += 4 * float((self.yy - self.yx).var() / len(self.yy))
        return math.sqrt(max(first - second, second))

    def shared(self) -> float:
        """Standard deviation of their expectation over fresh x, for fresh y."""
        _, within, across = self.second
        moved = 4 * float((self.yy - self.yx).var() / len(self.yy))
        return math.sqrt(max(moved - within - across, within))

    def estimate(self, unbiased: bool = True) -> Estimate:
        """The U-statistic, or else the V-statistic, with its error bar."""
        value = self.unbiased() if unbiased else self.biased()
        return Estimate(value, self.stderr(), len(self.xx), shared=self.shared())


def median_distance(x: Tensor) -> float:
    """Returns the median distance between different points, from 2,000 of them at most.

    Which ones depends on content alone, not on the order. Where more than half of the pairs
    coincide it is the root mean square distance; where all do it is 1.

    Args:
        x: Float64 rows, shape `(N, D)`, N >= 2.
    """
    chosen = x[shuffled_order(x)[:_MEDIAN_POINTS]] if len(x) > _MEDIAN_POINTS else x
    distances = torch.pdist(chosen - middle(chosen))
    return float(distances.median()) or float(distances.square().mean().sqrt()) or 1.0


def pair_means(kernel: Kernel, x: Tensor, y: Tensor) -> PairMeans:
    """Returns the row means of `kernel`, tile by tile: O((N + M)^2 D) time, O(N + M) memory.

    Args:
        kernel: Symmetric; maps blocks `(B, D)` and `(C, D)` to a fresh `(B, C)`.
        x: Float64 rows, shape `(N, D)`, N >= 2.
        y: Float64 rows, shape `(M, D)`, M >= 2.
    """
    n, m = len(x), len(y)
    xx, own_x, square_xx = _own_sums(kernel, x)
    yy, own_y, square_yy = _own_sums(kernel, y)
    xy, yx, square_xy = _cross_sums(kernel, x, y)
    xx, yy, xy, yx = xx / (n - 1), yy / (m - 1), xy / m, yx / n
    second = (
        2 * _degenerate(square_xx / (n * (n - 1)), xx, xx) / (n * (n - 1)),
        2 * _degenerate(square_yy / (m * (m - 1)), yy, yy) / (m * (m - 1)),
        4 * _degenerate(square_xy / (n * m), xy, yx) / (n * m),
    )
    return PairMeans(xx, yy, xy, yx, (own_x / n, own_y / m), second)


def tile_size(x: Tensor) -> int:
    """Rows and columns of a tile: one that stays in cache, or fills a GPU."""
    return 512 if x.device.type == "cpu" else 4096


def tiles(n: int, m: int, step: int) -> Iterator[tuple[slice, slice]]:
    """Yields the index ranges that cut an n x m matrix into tiles."""
    for i in range(0, n, step):
        for j in range(0, m, step):
            yield slice(i, i + step), slice(j, j + step)


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Returns |x_i - y_j|^2, shape `(N, M)`, by one matrix product.

    The rounding error is about 1e-16 of the squared norms: centre the rows first.
    """
    ones_x, ones_y = x.new_ones(len(x), 1), y.new_ones(len(y), 1)
    left = torch.cat([-2 * x, x.square().sum(dim=1, keepdim=True), ones_x], dim=1)
    right = torch.cat([y, ones_y, y.square().sum(dim=1, keepdim=True)], dim=1)
    return (left @ right.mT).clamp_(min=0)


def _own_sums(kernel: Kernel, x: Tensor) -> tuple[Tensor, float, float]:
    """Row sums off the diagonal, the sum on it, and the sum of squares off it."""
    sums, own, square = x.new_zeros(len(x)), 0.0, 0.0
    for rows, columns in tiles(len(x), len(x), tile_size(x)):
        if columns.start < rows.start:
            continue
        tile = kernel(x[rows], x[columns])
        if columns.start == rows.start:
            own += float(tile.diagonal().sum())
            tile.fill_diagonal_(0)
            square += _square_sum(tile)
        else:
            sums[columns] += tile.sum(dim=0)
            square += 2 * _square_sum(tile)
        sums[rows] += tile.sum(dim=1)
    return sums, own, square


def _cross_sums(kernel: Kernel, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, float]:
    """Row sums, column sums and the sum of squares."""
    of_x, of_y, square = x.new_zeros(len(x)), x.new_zeros(len(y)), 0.0
    for rows, columns in tiles(len(x), len(y), tile_size(x)):
        tile = kernel(x[rows], y[columns])
        of_x[rows] += tile.sum(dim=1)
        of_y[columns] += tile.sum(dim=0)
        square += _square_sum(tile)
    return of_x, of_y, square


def _square_sum(tile: Tensor) -> float:
    return float(torch.linalg.vector_norm(tile)) ** 2  # not `torch.dot`, whose threads cost more


def _degenerate(mean_square: float, of_rows: Tensor, of_columns: Tensor) -> float:
    """Mean square of the doubly centred kernel."""
    lines = float(of_rows.square().mean() + of_columns.square().mean())
    return max(mean_square - lines + float(of_rows.mean()) ** 2, 0.0)
