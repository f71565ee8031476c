r"""Energy distance.

Szekely & Rizzo, Energy statistics: a class of statistics based on distances, J. Statistical
Planning and Inference 143 (2013):

    E = 2 E|x - y| - E|x - x'| - E|y - y'|,

zero if and only if P = Q (finite means). It is MMD^2 with the kernel -|x - y|.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from ..numerics.moments import centred
from ..numerics.pairwise import pair_means, squared_distances

_NEAR = 1e-12  # of a tile's largest square: nearer pairs are computed by differences


def energy_distance(samples: Tensor, reference: Tensor, unbiased: bool = True) -> Estimate:
    """Returns the energy distance (not its root). O((N + M)^2 D) time, memory linear in N + M.

    Args:
        samples: Points or features, shape `(N, *shape)` or `(N,)`.
        reference: Points or features, shape `(M, *shape)` or `(M,)`.
        unbiased: The U-statistic, which can fall below zero; else the V-statistic of the papers.

    Raises:
        ValueError: See `checks.as_pair`.
    """
    x, y = centred(*as_pair(samples, reference, single=True))
    return pair_means(_negative_distances, x, y).estimate(unbiased)


class EnergyDistance(TwoSampleMetric):
    """`energy_distance` of all points seen.

    Args:
        unbiased: As in `energy_distance`.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = False

    def __init__(self, unbiased: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unbiased = unbiased

    def _estimate(self) -> Estimate:
        return energy_distance(*self.both(), unbiased=self.unbiased)


def _negative_distances(x: Tensor, y: Tensor) -> Tensor:
    squares = squared_distances(x, y)
    smallest, largest = squares.aminmax()
    if bool(smallest < _NEAR * largest):
        _repair(squares, x, y, _NEAR * largest)
    return squares.sqrt_().neg_()


def _repair(squares: Tensor, x: Tensor, y: Tensor, limit: Tensor) -> None:
    """Recomputes the squares below `limit`, in which the matrix product has left few digits."""
    for near in (squares < limit).nonzero().split(max(1, 2**20 // x.shape[1])):
        i, j = near.unbind(dim=1)
        squares[i, j] = (x[i] - y[j]).square().sum(dim=1)
