r"""Mean pairwise distance: how far apart two samples of a model are.

    D = 2 / (n (n - 1)) sum_{i < j} ||x_i - x_j||,

Euclidean and unbiased (a U-statistic; Hoeffding, Annals of Mathematical Statistics 19, 1948). The
same with a perceptual distance is the diversity score of Zhu et al., BicycleGAN, NeurIPS 2017,
arXiv:1711.11586: give it features.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from ..checks import as_points
from ..estimate import Estimate, EstimatedMetric
from ..numerics.neighbours import squared_distances
from ..numerics.pairwise import squared_distances as all_squared_distances
from ..numerics.pairwise import tile_size, tiles

_NEAR = 1e-8  # of the squared norms: nearer pairs are measured by their differences


def pairwise_diversity(samples: Tensor) -> Estimate:
    """Averages the Euclidean distance over all pairs of samples.

    Args:
        samples: x ~ model, shape `(N, *shape)`.

    Returns:
        The mean distance, in the unit of the data. Its standard error is the jackknife of a
        U-statistic, less the second-order part that a jackknife counts twice. Time is O(N^2 D),
        memory linear.

    Raises:
        ValueError: See `checks.as_points`.
    """
    x = as_points("samples", samples)
    n = len(x)
    sums, squares = _row_sums(x - x.mean(dim=0))
    mean = float(sums.sum()) / (n * (n - 1))
    if n < 3:
        return Estimate(mean, math.nan, n, "too few points for a standard error")
    first = 4 * (n - 1) / (n * (n - 2) ** 2) * float((sums / (n - 1) - mean).square().sum())
    # Variance of a pair's distance that its two points do not explain one by one.
    pair = squares / (n * (n - 1)) - mean**2 - first * n / 2
    second = 2 * max(pair, 0.0) / (n * (n - 1))
    return Estimate(mean, math.sqrt(max(first - second, second)), n, shared=0.0)


def _row_sums(x: Tensor) -> tuple[Tensor, float]:
    """Sums of each point's distances, shape `(N,)`, and the sum of all their squares."""
    sums, squares = x.new_zeros(len(x)), 0.0
    for rows, columns in tiles(len(x), len(x), tile_size(x)):
        if columns.start < rows.start:
            continue
        tile = _distances(x[rows], x[columns])
        sums[rows] += tile.sum(dim=1)
        weight = 1.0
        if columns.start > rows.start:
            sums[columns] += tile.sum(dim=0)
            weight = 2.0
        squares += weight * float(tile.square().sum())
    return sums, squares


def _distances(a: Tensor, b: Tensor) -> Tensor:
    d2 = all_squared_distances(a, b)
    scale = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    i, j = (d2 <= _NEAR * scale).nonzero(as_tuple=True)
    if len(i):
        d2[i, j] = squared_distances(a, b, i, j)
    return d2.sqrt_()


class PairwiseDiversity(EstimatedMetric):
    """`pairwise_diversity` over all the batches seen."""

    higher_is_better = True
    shares = "none"

    samples: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_rows("samples")

    def update(self, samples: Tensor) -> None:
        """Adds a batch of points, shape `(B, *shape)`; it may be empty."""
        self.append_rows(samples=samples)

    def _estimate(self) -> Estimate:
        return pairwise_diversity(self.rows("samples"))
