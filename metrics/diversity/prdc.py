r"""Precision, recall, density and coverage.

Kynkäänniemi et al., Improved Precision and Recall Metric, NeurIPS 2019, arXiv:1904.06991, eq. 1-2;
Naeem et al., Reliable Fidelity and Diversity Metrics, ICML 2020, arXiv:2002.09797.

Around each point v of a set V lies the ball B(v) whose radius is the distance to the k-th nearest
other point of V. With samples x_1..x_N and reference y_1..y_M:

    precision = 1/N  sum_i 1[x_i in some B(y_j)],    recall   = 1/M sum_j 1[y_j in some B(x_i)],
    density   = 1/kN sum_i #{j : x_i in B(y_j)},     coverage = 1/M sum_j 1[some x_i in B(y_j)].

The balls of precision and recall are closed (<=), those of density and coverage open (<), as in
the authors' code.

The standard error is that of independent halves. Deal both sides into halves a and b: T_a and T_b
are independent and of one law, so E (T_a - T_b)^2 / 2 is the variance of T at half the size; it is
averaged over deals. To the full size it is continued by the power of n that the halves of halves
show,

    V(n) = V(n/2) r,    r = V(n/2) / V(n/4), not below the 1/2 of a mean and not above 1,

since the balls change with n: where a few outlying balls decide, T settles more slowly than a mean
(with r = 1/2 throughout the error bar would be down to 0.8 of the truth). In simulations with 200
to 400 points a side it is 0.96 to 1.3 of the truth; a jackknife, which counts interactions of
neighbours more than once, is 1.1 to 1.9 of it, and a binomial error forgets that the balls are
random too. Intervals fall short of their level in two corners, where no symmetric one can hold it:
at values so near 0 or 1 that most sets show just that, and where the two sides meet in outliers
alone. For normal laws of the plane 2.8 standard deviations apart, 300 points a side, precision and
recall are 0.7 +- 0.14, the error bar is right on average but varies by 40 % from set to set, and
95 % intervals cover 0.82 (density 0.89, coverage 0.95). Samples in a tight cluster far from the
reference are its extreme: all or none of them lie in the ball of its farthest outlier. Noise
against 2,048 images of MNIST has a precision of 0.36 whose standard deviation over fresh
references is 0.43. Such an error bar is right, and a note says what it means; none is above the
0.5 that a share can have.

The part of the reference comes from the halves, too. With T_ab of the samples' half a and the
reference's half b, E (T_aa - T_ab) (T_ba - T_bb) / 2 is the variance that the reference makes
alone, at half the size; its share of V(n/2) is taken for its share of V(n).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from ..numerics.halves import NOT_ASKED
from ..numerics.neighbours import TIE, nearest_neighbours, pairs_within
from ..numerics.sorting import shuffled_order

_NAMES = ("precision", "recall", "density", "coverage")
_DEALS = 63  # with the whole set, one bit each of a 64-bit word
_FEW = 0.2  # standard error of a share that few balls decide
_SOME = 2048  # points a side from which the decay of the variance is told
_BITS = np.uint64(1) << np.arange(_DEALS + 1, dtype=np.uint64)


def prdc(
    samples: Tensor, reference: Tensor, k: int = 5, stderr: bool = True
) -> dict[str, Estimate]:
    """Measures fidelity (precision, density) and diversity (recall, coverage).

    Args:
        samples: x ~ model, shape `(N, *shape)`.
        reference: y ~ data, shape `(M, *shape)`.
        k: Neighbours that make a ball's radius, the point itself not counted.
        stderr: Whether standard errors are estimated, which takes most of the time, above all
            where samples lie far from the reference; else NaN.

    Returns:
        `precision`, `recall`, `density` and `coverage`. All but density lie in [0, 1]; for
        samples of the reference's own law density is 1 in expectation and coverage is about 1 -
        2^-k. Standard errors are NaN where a side has fewer than 2 (k + 1) points. Time is O((N +
        M)^2 D), memory linear.

    Raises:
        ValueError: See `checks.as_pair`; or a side has fewer than k + 1 points.
    """
    x, y = as_pair(samples, reference)
    if not 1 <= k < min(len(x), len(y)):
        raise ValueError(
            f"Expected at least k + 1 points a side and k >= 1, "
            f"got k = {k}, {len(x)} samples and {len(y)} reference."
        )
    if not stderr:
        found = _values(x, y, k)
        return {name: Estimate(v, math.nan, len(x), NOT_ASKED) for name, v in found.items()}
    deals = _DEALS if min(len(x), len(y)) >= 2 * (k + 1) else 0
    halves = _halves(x, y, k, deals)
    decay = _decay(x, y, k, halves.variances) if deals else 1.0
    most = np.where(np.array(_NAMES) == "density", np.inf, 0.25)  # of the variance of a share
    variances = (halves.variances * decay).clip(max=most)
    parts = (halves.values, variances, (halves.shared * decay).clip(max=variances))
    rows = zip(_NAMES, *(part.tolist() for part in parts), strict=True)
    return {name: _estimate(value, v, shared, len(x)) for name, value, v, shared in rows}


def _values(x: Tensor, y: Tensor, k: int) -> dict[str, float]:
    """The four numbers alone, from all distances, a block of samples at a time."""
    radius_x, radius_y = (
        nearest_neighbours(side, side, k, exclude_self=True)[0][:, -1] for side in (x, y)
    )
    precise, pairs = 0, 0
    recalled, covered = (torch.zeros(len(y), dtype=torch.bool, device=y.device) for _ in range(2))
    for rows in torch.arange(len(x), device=x.device).split(1024):
        distance = torch.cdist(x[rows], y, compute_mode="donot_use_mm_for_euclid_dist")
        closest = distance * (1 - TIE)
        inside = distance * (1 + TIE) < radius_y
        precise += int((closest <= radius_y).any(dim=1).sum())
        recalled |= (closest <= radius_x[rows, None]).any(dim=0)
        covered |= inside.any(dim=0)
        pairs += int(inside.sum())
    n = len(x)
    shares = (precise / n, float(recalled.double().mean()), pairs / (k * n))
    return dict(zip(_NAMES, (*shares, float(covered.double().mean())), strict=True))


class _Halves(NamedTuple):
    """The four numbers, and at half the size their variances (NaN without deals), shape `(4,)`."""

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    shared: NDArray[np.float64]  # what the reference alone makes of the variance


def _halves(x: Tensor, y: Tensor, k: int, deals: int) -> _Halves:
    ball_x, ball_y = _Balls.around(x, k, deals, seed=1), _Balls.around(y, k, deals, seed=2)
    inside = _memberships(x, y, ball_x, ball_y)
    inside["density"] /= k
    sides = {"precision": ball_x, "recall": ball_y, "density": ball_x, "coverage": ball_y}
    shares = np.stack([inside[name] / side.sizes().clip(1) for name, side in sides.items()])
    values = shares[:, 0, 0, 0]
    if not deals:
        return _Halves(values, *np.full((2, 4), np.nan))
    (aa, bb), (ab, ba) = np.moveaxis(shares[..., 1 : deals + 1], 0, 2)
    ab[1::2], ba[1::2] = ba[1::2].copy(), ab[1::2].copy()  # these stand by the reference's half
    variances = ((aa - bb) ** 2).mean(axis=1) / 2
    shared = ((aa - ab) * (ba - bb)).mean(axis=1) / 2
    return _Halves(values, variances, shared.clip(0, variances))


def _decay(x: Tensor, y: Tensor, k: int, at_half: NDArray[np.float64]) -> NDArray[np.float64]:
    """V(n) / V(n/2), from what halves of halves say of V(n/2) / V(n/4); shape `(4,)`."""
    least = min(len(x), len(y))
    if least < 4 * (k + 1):
        return np.full(len(at_half), 0.5)
    order_x, order_y = shuffled_order(x, seed=3), shuffled_order(y, seed=4)
    if least > _SOME:
        order_x, order_y = (o[: len(o) * _SOME // least] for o in (order_x, order_y))
    x, y = x[order_x], y[order_y]
    if least > _SOME:
        at_half = _halves(x, y, k, _DEALS).variances
    parts = [_halves(x[i::2], y[i::2], k, _DEALS).variances for i in (0, 1)]
    at_quarter = np.mean(parts, axis=0)
    ratio = np.divide(at_half, at_quarter, out=np.zeros_like(at_half), where=at_quarter > 0)
    return ratio.clip(0.5, 1)


@dataclass(frozen=True)
class _Balls:
    """The balls of one side, in the whole set (bit 0) and in the point's own half of each deal.

    Attributes:
        half: Which half the point is in, a bit a deal, shape `(N,)`; bit 0 is set.
        radius: Distances to the nearest neighbours in increasing order, shape `(N, table)`.
        bits: Deals in which the ball's radius is `radius[:, t]` or more, shape `(N, table + 1)`.
        reach: The largest radius, shape `(N,)`.
    """

    half: NDArray[np.uint64]
    radius: NDArray[np.float64]
    bits: NDArray[np.uint64]
    reach: Tensor

    @classmethod
    def around(cls, x: Tensor, k: int, deals: int, seed: int) -> _Balls:
        # Among 3 k + 5 neighbours fewer than k lie in one's own half once in 150; the last one
        # stands in.
        table = min(len(x) - 1, 3 * k + 5 if deals else k)
        distance, index = nearest_neighbours(x, x, table, exclude_self=True)
        half = _deal(x, deals, seed)
        bits = np.zeros((len(x), table + 1), dtype=np.uint64)
        farthest = np.zeros(len(x), dtype=np.int64)
        for rows in np.array_split(np.arange(len(x)), len(x) // 1024 + 1):
            kth = _kth_in_half(half[rows], half[index[rows].cpu().numpy()], k, deals)
            farthest[rows] = kth.max(axis=1)
            for t in range(table):
                bits[rows, t] = (kth >= t) @ _BITS[: deals + 1]
        reach = distance.gather(1, torch.as_tensor(farthest, device=x.device)[:, None])[:, 0]
        return cls(half, distance.cpu().numpy(), bits, reach)

    def sizes(self) -> NDArray[np.float64]:
        """Points in the half of ones and in the half of zeros, shape `(2, 1 + deals)`."""
        return np.stack([_count(self.half), _count(~self.half)])

    def closed(self, i: NDArray[np.int64], distance: NDArray[np.float64]) -> NDArray[np.uint64]:
        """Deals in which the closed ball around point i reaches so far, shape `(P,)`."""
        return self.bits[i, (self.radius[i] < distance[:, None] * (1 - TIE)).sum(axis=1)]

    def open(self, i: NDArray[np.int64], distance: NDArray[np.float64]) -> NDArray[np.uint64]:
        """Deals in which the open ball around point i reaches so far, shape `(P,)`."""
        return self.bits[i, (self.radius[i] <= distance[:, None] * (1 + TIE)).sum(axis=1)]


def _deal(x: Tensor, deals: int, seed: int) -> NDArray[np.uint64]:
    """Deals the rows into halves by content and seed, shape `(N,)`."""
    generator = torch.Generator().manual_seed(seed)
    side = np.ones((len(x), 1 + deals), dtype=bool)
    for s in range(1, 1 + deals):
        side[torch.randperm(len(x), generator=generator)[: len(x) // 2].numpy(), s] = False
    half = np.empty(len(x), dtype=np.uint64)
    half[shuffled_order(x).cpu().numpy()] = side @ _BITS[: deals + 1]
    return half


def _kth_in_half(
    half: NDArray[np.uint64], neighbours: NDArray[np.uint64], k: int, deals: int
) -> NDArray[np.int64]:
    """Which neighbour is the k-th in a point's own half, shape `(B, 1 + deals)`."""
    same = ~(half[:, None] ^ neighbours)
    seen = np.zeros((len(half), deals + 1), dtype=np.int64)
    kth = np.zeros_like(seen)
    for t in range(neighbours.shape[1] - 1):
        seen += (same[:, t, None] & _BITS[: deals + 1]) != 0
        kth += seen < k
    return kth


def _memberships(
    x: Tensor, y: Tensor, ball_x: _Balls, ball_y: _Balls
) -> dict[str, NDArray[np.float64]]:
    """Points in a ball (pairs for density) in each half of each deal.

    The balls are of the same half of the other side, or of the other one; shapes
    `(2, 2, 1 + deals)` by this and by the point's half.
    """
    precise, covered = (np.zeros((2, len(side)), dtype=np.uint64) for side in (x, y))
    recalled, pairs = np.zeros_like(covered), np.zeros((2, 2, 64))
    for i_, j_, distance in pairs_within(x, y, ball_x.reach, ball_y.reach):
        i, j, d = i_.cpu().numpy(), j_.cpu().numpy(), distance.cpu().numpy()
        apart = ball_x.half[i] ^ ball_y.half[j]
        of_x, of_y, strictly = ball_x.closed(i, d), ball_y.closed(j, d), ball_y.open(j, d)
        for place, together in enumerate((~apart, apart)):
            np.bitwise_or.at(precise[place], i, together & of_y)
            np.bitwise_or.at(recalled[place], j, together & of_x)
            np.bitwise_or.at(covered[place], j, together & strictly)
            pairs[place] += _split(together & strictly, ball_x.half[i])
    return {
        "precision": np.stack([_split(words, ball_x.half) for words in precise]),
        "recall": np.stack([_split(words, ball_y.half) for words in recalled]),
        "density": pairs,
        "coverage": np.stack([_split(words, ball_y.half) for words in covered]),
    }


def _count(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """How many words have each bit set, shape `(64,)`."""
    total = np.zeros(64)
    for block in np.array_split(words, len(words) // 2**16 + 1):
        bits = np.unpackbits(block.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        total += bits.sum(axis=0, dtype=np.int32)
    return total


def _split(words: NDArray[np.uint64], half: NDArray[np.uint64]) -> NDArray[np.float64]:
    return np.stack([_count(words & half), _count(words & ~half)])


def _estimate(value: float, variance: float, shared: float, n: int) -> Estimate:
    if math.isnan(variance):
        return Estimate(value, math.nan, n, "too few points for a standard error")
    note = "" if variance > 0 else f"the same in every half: an error below 1/{n}, not none"
    if variance > _FEW**2:
        note = "a few balls of outliers decide it: another draw of the data may give any value"
    return Estimate(value, math.sqrt(variance), n, note, math.sqrt(shared))


class PRDC(TwoSampleMetric):
    """`prdc` over all the batches seen.

    Args:
        k: See `prdc`.
        stderr: See `prdc`.
        kwargs: Passed to `torchmetrics.Metric`.
    """

    unit: ClassVar[dict[str, str]] = dict.fromkeys(_NAMES, "")
    higher_is_better: Any = dict.fromkeys(_NAMES, True) | {"density": None}

    def __init__(self, k: int = 5, stderr: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if k < 1:
            raise ValueError(f"Expected k >= 1, got {k}.")
        self.k, self.stderr = k, stderr

    def _estimate(self) -> dict[str, Estimate]:
        return prdc(*self.both(), self.k, self.stderr)
