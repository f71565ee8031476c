r"""Sliced Wasserstein distance of order 2.

Bonneel, Rabin, Peyre & Pfister, Sliced and Radon Wasserstein barycenters of measures, J.
Mathematical Imaging and Vision 51 (2015):

    SW_2^2(P, Q) = E_theta W_2^2(theta.x, theta.y),

theta uniform on the sphere. On a line the optimal plan couples quantiles, so that each direction
costs two sorts.

Standard error: delta method. A point moves W_2^2 on a line by the Kantorovich potential f, f'(t) =
2 (t - T(t)) with T the coupling, integrated by the trapezoidal rule (which gives dual potentials
of the discrete problem).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from ..numerics.moments import centred
from ..numerics.threads import spread, torch_on_one_thread

_BLOCK = 25  # directions at a time: what the memory depends on
_SLOPES = 50  # directions that the standard error is estimated from


def sliced_wasserstein(
    samples: Tensor, reference: Tensor, directions: int = 1000, seed: int = 0
) -> Estimate:
    """Returns SW_2 (the root). O(L N (D + log N)) time, O(N (D + 50 threads)) memory.

    The standard error is over fresh points with these directions.

    Args:
        samples: Points or features, shape `(N, *shape)` or `(N,)`.
        reference: Points or features, shape `(M, *shape)` or `(M,)`.
        directions: Number L of directions; with D = 1 there is but one.
        seed: Seed of the directions; the caller's random state is left alone.

    Raises:
        ValueError: See `checks.as_pair`; or no direction.
    """
    return root_estimate(*squared_sliced(samples, reference, directions, seed), len(samples))


@torch_on_one_thread()
def squared_sliced(
    samples: Tensor, reference: Tensor, directions: int, seed: int
) -> tuple[float, list[float]]:
    """Returns SW_2^2 and the parts of its variance that samples and reference make.

    Args and errors as in `sliced_wasserstein`.
    """
    if directions < 1:
        raise ValueError(f"Expected at least one direction, got {directions}.")
    x, y = centred(*as_pair(samples, reference, single=True))
    theta = _directions(x, directions, seed)  # (L, D)
    pieces = Coupling(len(x), len(y), x.device)
    blocks = theta.split(_BLOCK)
    square = sum(_squares(x, y, blocks, pieces)) / len(theta)
    return square, _variances(x, y, theta, pieces)


def root_estimate(square: float, variances: Sequence[float], n: int) -> Estimate:
    """Returns the root of a squared distance, with the standard error of the root.

    That is s / (2 W) for a standard error s of the square (delta method), and at most sqrt(s), by
    which the root moves when the square does by s: near 0 the former has no bound.

    Args:
        square: The squared distance.
        variances: The parts of its variance that samples and reference make.
        n: Number of samples.
    """
    value = math.sqrt(max(square, 0.0))

    def of_root(variance: float) -> float:
        s = math.sqrt(variance)
        return min(s / (2 * value), math.sqrt(s)) if value > 0 else math.sqrt(s)

    return Estimate(value, of_root(sum(variances)), n, shared=of_root(variances[1]))


class SlicedWasserstein(TwoSampleMetric):
    """`sliced_wasserstein` of all points seen.

    Args:
        directions: As in `sliced_wasserstein`.
        seed: As in `sliced_wasserstein`.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = False

    def __init__(self, directions: int = 1000, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.directions, self.seed = directions, seed

    def _estimate(self) -> Estimate:
        return sliced_wasserstein(*self.both(), self.directions, self.seed)


class Coupling:
    """The quantile coupling of n and m points on a line, all of one weight.

    Attributes:
        of_x: Rank of the sample in each piece of mass, shape `(K,)`.
        of_y: Rank of the reference point, shape `(K,)`.
        weight: Mass of the piece, sums to 1, shape `(K,)`.
    """

    def __init__(self, n: int, m: int, device: torch.device) -> None:
        ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])  # in units of 1 / (n m): exact
        self.n, self.m = n, m
        self.of_x, self.of_y = (starts // m).to(device), (starts // n).to(device)
        self.weight = ((ends - starts).to(torch.float64) / (n * m)).to(device)

    def gaps(self, x: Tensor, y: Tensor) -> Tensor:
        """Returns x - y along the coupling of sorted `(L, n)` and `(L, m)`, shape `(L, K)`.

        May use the memory of x.
        """
        return x.sub_(y) if self.n == self.m else x[:, self.of_x].sub_(y[:, self.of_y])

    def targets(self, y: Tensor) -> Tensor:
        """Returns the mean of the partners of each x, shape `(L, n)`, from sorted y `(L, m)`."""
        if self.n == self.m:
            return y
        mass = y[:, self.of_y] * (self.weight * self.n)
        return y.new_zeros(len(y), self.n).index_add_(1, self.of_x, mass)

    def swapped(self) -> Coupling:
        """Returns the coupling seen from the other side."""
        other = Coupling.__new__(Coupling)
        other.n, other.m, other.weight = self.m, self.n, self.weight
        other.of_x, other.of_y = self.of_y, self.of_x
        return other


def potentials(x: Tensor, targets: Tensor) -> Tensor:
    """Returns f with f' = 2 (t - T(t)) at sorted points `(L, N)` with partners `(L, N)`."""
    steps = x.diff(dim=1) * (targets[:, 1:] + targets[:, :-1])
    slope = torch.nn.functional.pad(steps.cumsum(dim=1), (1, 0))
    return x.square() - slope


def _directions(x: Tensor, count: int, seed: int) -> Tensor:
    d = x.shape[1]
    if d == 1:
        return x.new_ones(1, 1)
    generator = torch.Generator().manual_seed(seed)
    theta = torch.randn(count, d, generator=generator, dtype=torch.float64)
    return (theta / theta.norm(dim=1, keepdim=True)).to(x.device)


def _squares(x: Tensor, y: Tensor, blocks: Sequence[Tensor], pieces: Coupling) -> list[float]:
    """Sums of W_2^2 along the directions of each block."""

    def along(block: Tensor) -> float:
        gaps = pieces.gaps(_sorted_lines(block, x), _sorted_lines(block, y))
        return float((gaps.square_() @ pieces.weight).sum())

    return list(spread(along, blocks, x.device))


def _sorted_lines(theta: Tensor, x: Tensor) -> Tensor:
    """Sorts rows `(N, D)` along directions `(L, D)`; on a CPU by NumPy, which is faster at it."""
    lines = _lines(theta, x)
    if x.device.type != "cpu":
        return lines.sort(dim=1).values
    lines.numpy().sort(axis=1)
    return lines


def _lines(theta: Tensor, x: Tensor) -> Tensor:
    if x.device.type != "cpu":
        return theta @ x.mT
    return torch.from_numpy(theta.numpy() @ x.numpy().T)


def _order(lines: Tensor) -> Tensor:
    if lines.device.type != "cpu":
        return lines.argsort(dim=1)
    return torch.from_numpy(lines.numpy().argsort(axis=1))


def _variances(x: Tensor, y: Tensor, theta: Tensor, pieces: Coupling) -> list[float]:
    """Variances of SW_2^2 over fresh samples and over a fresh reference."""
    some = theta[:_SLOPES]

    def moved(block: Tensor) -> tuple[_Moved, _Moved]:
        lines_x, lines_y = _lines(block, x), _lines(block, y)
        order_x, order_y = _order(lines_x), _order(lines_y)
        lines_x, lines_y = lines_x.gather(1, order_x), lines_y.gather(1, order_y)
        of_x = potentials(lines_x, pieces.targets(lines_y))
        of_y = potentials(lines_y, pieces.swapped().targets(lines_x))
        return _Moved.by(order_x, of_x), _Moved.by(order_y, of_y)

    variances = []
    for parts in zip(*spread(moved, some.split(_BLOCK), x.device), strict=True):
        total = torch.stack([part.total for part in parts]).sum(dim=0)
        side = _Moved(total, sum(part.alone for part in parts))
        variances.append(side.variance(len(some), len(theta)) / len(total))
    return variances


@dataclass(frozen=True)
class _Moved:
    """Sums of potentials over directions.

    Attributes:
        total: Point by point, shape `(N,)`.
        alone: Of their variances over points.
    """

    total: Tensor
    alone: float

    @classmethod
    def by(cls, order: Tensor, f: Tensor) -> _Moved:
        """Potentials `(L, N)` of points that stand in `order`, shape `(L, N)`."""
        total = torch.zeros_like(f).scatter_(1, order, f).sum(dim=0)
        return cls(total, float(f.var(dim=1).sum()))

    def variance(self, some: int, count: int) -> float:
        """Variance over points of the mean over `count` directions, seen in the first `some`."""
        together = float(self.total.var())
        if some == count:
            return together / count**2
        between = (together - self.alone) / (some * (some - 1))
        return max(between * (1 - 1 / count) + self.alone / (some * count), 0.0)
