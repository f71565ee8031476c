r"""Frechet distance between the Gaussians that share mean and covariance with two sets of points.

Dowson & Landau, The Frechet distance between multivariate normal distributions, J. Multivariate
Analysis 12 (1982); on Inception features Heusel et al., arXiv:1706.08500, eq. 6 ("FID"):

    FD = |m_1 - m_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2).

With any factors S_i = R_i^T R_i the last trace is the nuclear norm ||R_1 R_2^T||_*, which exists
at every rank. The fast way to it squares twice (Cholesky factors of covariances, eigenvalues of a
Gram matrix); bounds on the rounding of each decide whether it is taken or the exact way (factors
of the points, singular values).

Standard error: delta method. With R_1 R_2^T = U s V^T and x_i - m_1 = sqrt(n - 1) Q_i R_1, a point
moves the distance by 2 (m_1 - m_2).(x_i - m_1) + |x_i - m_1|^2 - (n - 1) |Q_i U s^(1/2)|^2, whose
variance, over some of the points, is divided by n.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import as_pair, as_points, one_width
from ..estimate import Estimate, EstimatedMetric, TwoSampleMetric
from ..numerics.linalg import gram, product, spectrum, svd, triangular_product
from ..numerics.moments import Moments, moments, unpack
from ..numerics.sorting import content_keys, mix, shuffled_order
from ..numerics.threads import torch_on_one_thread
from .frechet_sides import Side, exact_side, moment_side, point_side, truncated_side

_TOLERANCE = 1e-10  # of the traces: the rounding error that the fast way may have
_EPS = torch.finfo(torch.float64).eps


@torch_on_one_thread()
def frechet_distance(samples: Tensor, reference: Tensor) -> Estimate:
    """Returns the (squared) Frechet distance; exact at any rank and any offset.

    Costs O(N D^2 + D^3), or O(N^2 D) where N < D. At finite n it is biased upwards by about
    2 D/n + D (D + 1)/(2 n) at n = m and unit variance; the note says so where that is above 5 % of
    the value. The standard error comes from 256 to 1,024 points a side where there are more
    (`thinning`: it is off by 2 % to 5 %); where N is not well above D it is up to a quarter too
    large.

    Args:
        samples: Points or features, shape `(N, *shape)` or `(N,)`, N >= 2.
        reference: Points or features, shape `(M, *shape)` or `(M,)`, M >= 2.

    Raises:
        ValueError: See `checks.as_pair`.
    """
    x, y = as_pair(samples, reference, single=True)
    return _estimate(point_side(x), point_side(y), lambda: (exact_side(x), exact_side(y)))


def frechet_distance_infinity(
    samples: Tensor, reference: Tensor, points: int = 4, seed: int = 0
) -> Estimate:
    """Returns the Frechet distance extrapolated to infinite n, linearly in 1/n.

    After Chong & Forsyth, arXiv:1911.07023, but with disjoint blocks: both sides are dealt into k
    = 1, ..., `points` blocks, the distances of a deal are averaged, and the line in k (that is, in
    1/n) is continued to k = 0. The standard error is that of the first-order term, which
    extrapolation leaves as it is, and that of the intercept among the sizes, which alone is left
    where the first order vanishes (P = Q).

    Args:
        samples: Points or features, shape `(N, *shape)` or `(N,)`.
        reference: Points or features, shape `(M, *shape)` or `(M,)`.
        points: Number of sizes n/1, ..., n/points. Costs points (points + 1)/2 distances.
        seed: Seed of the deal, which does not depend on the order of the rows.

    Raises:
        ValueError: See `checks.as_pair`; fewer than two sizes, or blocks of fewer than two points.
    """
    x, y = as_pair(samples, reference)
    least = min(len(x), len(y)) // max(points, 1)
    if points < 2 or least < 2:
        raise ValueError(
            f"Expected at least 2 sizes and blocks of 2 points, "
            f"got {points} sizes and blocks of {least}."
        )
    x, y = x[shuffled_order(x, seed)], y[shuffled_order(y, seed + 1)]
    full = frechet_distance(x, y)
    values = [full.value] + [_mean_over_blocks(x, y, k) for k in range(2, points + 1)]
    note = f"Blocks of {least} points <= D = {x.shape[1]}." if least <= x.shape[1] else ""
    intercept, error = _intercept(values)
    return Estimate(intercept, math.hypot(full.stderr, error), len(x), note, full.shared)


class FrechetDistance(EstimatedMetric):
    """The (squared) Frechet distance, streaming.

    The state is the centred moments of each side, merged by Chan's formula, and `rows` of its
    points (all up to that number, a random subset beyond) from which the standard error is
    estimated. Up to `rows` points the value is that of `frechet_distance`; beyond, deficient rank
    costs digits, and the note says so.

    Args:
        rows: Points kept of each side; with 0 the standard error is NaN.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = False
    shares = "reference"

    def __init__(self, rows: int = 4096, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kept = rows
        for side in ("samples", "reference"):
            self.add_rows(f"{side}_moments", f"{side}_rows", f"{side}_keys")

    def update(self, samples: Tensor, reference: Tensor) -> None:
        """Adds points of shapes `(B, *shape)` and `(C, *shape)`; one side may be empty."""
        self._add("samples", samples)
        self._add("reference", reference)

    def _add(self, side: str, x: Tensor) -> None:
        if len(x) == 0:
            return
        points = as_points(side, x.detach(), least=1)
        parts = [row for part in getattr(self, f"{side}_moments") for row in part]
        seen = sum(int(row[0]) for row in parts)
        setattr(self, f"{side}_moments", [unpack([*parts, *moments(points).pack()]).pack()])
        if self.kept:
            self._keep(side, x.detach().reshape(len(x), -1), content_keys(points), seen)

    def _keep(self, side: str, rows: Tensor, keys: Tensor, seen: int) -> None:
        # Arrival numbers tell equal rows apart, so that the kept ones are a fair sample.
        keys = mix(keys + mix(torch.arange(seen, seen + len(keys), device=keys.device)))
        rows = torch.cat([*getattr(self, f"{side}_rows"), rows])
        keys = torch.cat([*getattr(self, f"{side}_keys"), keys])
        lowest = keys.argsort()[: self.kept] if len(keys) > 2 * self.kept else slice(None)
        setattr(self, f"{side}_rows", [rows[lowest]])
        setattr(self, f"{side}_keys", [keys[lowest]])

    def _estimate(self) -> Estimate:
        x, y = self._seen("samples"), self._seen("reference")
        one_width(x[0].mean, y[0].mean)
        if x[0].n == len(x[1]) and y[0].n == len(y[1]):
            return frechet_distance(x[1], y[1])
        return _estimate(
            moment_side(*x), moment_side(*y), lambda: (truncated_side(*x), truncated_side(*y))
        )

    def _seen(self, side: str) -> tuple[Moments, Tensor]:
        merged = unpack(self.rows(f"{side}_moments"))
        if merged.n < 2:
            raise ValueError(f"Expected at least 2 points in {side}, got {merged.n}.")
        if not self.kept:
            return merged, merged.mean.new_empty(0, len(merged.mean))
        rows, keys = self.rows(f"{side}_rows"), self.rows(f"{side}_keys")
        return merged, rows[keys.argsort()[: self.kept]].to(torch.float64)


class FrechetDistanceInfinity(TwoSampleMetric):
    """`frechet_distance_infinity` of all points seen.

    Args:
        points: Number of sizes.
        seed: Seed of the deal.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = False

    def __init__(self, points: int = 4, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.points, self.seed = points, seed

    def _estimate(self) -> Estimate:
        return frechet_distance_infinity(*self.both(), points=self.points, seed=self.seed)


@dataclass(frozen=True)
class _Distance:
    """The value, the sides that it is of, and (n - 1) |Q_i U s^(1/2)|^2 of some points of each."""

    value: float
    x: Side
    y: Side
    of_x: Tensor
    of_y: Tensor


@torch_on_one_thread()
def _estimate(x: Side, y: Side, exactly: Callable[[], tuple[Side, Side]]) -> Estimate:
    found = _distance(x, y, exactly)
    x, y, shift = found.x, found.y, found.x.mean - found.y.mean
    own, shared = _variance(x, shift, found.of_x) / x.n, _variance(y, -shift, found.of_y) / y.n
    note = _note(found.value, x, y)
    return Estimate(found.value, math.sqrt(own + shared), x.n, note, math.sqrt(shared))


def _distance(x: Side, y: Side, exactly: Callable[[], tuple[Side, Side]]) -> _Distance:
    """Returns the distance the fast way where its rounding is small, or else the exact one."""
    tolerance = _TOLERANCE * (x.trace + y.trace)
    if not x.rounding(y) + y.rounding(x) <= tolerance:
        x, y = exactly()
    overlap, of_x, of_y = _fast_polar(x, y, tolerance) or _safe_polar(x, y)
    shift = float((x.mean - y.mean).square().sum())
    value = shift + x.trace + y.trace - 2 * overlap
    return _Distance(max(value, 0.0), x, y, of_x, of_y)  # rounding can fall below 0


def _safe_polar(x: Side, y: Side) -> tuple[float, Tensor, Tensor]:
    """Returns the nuclear norm of R_x R_y^T = U s V^T, and `of_x` and `of_y` as above."""
    left, s, right = svd(product(x.factor, y.factor.mT))
    of_x, of_y = x.white() @ left, y.white() @ right.mT
    return float(s.sum()), of_x.square() @ s, of_y.square() @ s


def _fast_polar(x: Side, y: Side, tolerance: float) -> tuple[float, Tensor, Tensor] | None:
    """The same by eigenvalues of the smaller Gram matrix; None where they round too much.

    On the side of y, whose points are sqrt(m - 1) Q_y R_y, Q_y V s = Q_y R_y R_x^T U.
    """
    if len(x.factor) > len(y.factor):
        swapped = _fast_polar(y, x, tolerance)
        return None if swapped is None else (swapped[0], swapped[2], swapped[1])
    cross = _cross(x, y)
    of_y = product(y.rows, x.factor.mT) if y.triangular else product(y.white(), cross.mT)
    squares, along = spectrum(gram([cross.mT]), torch.cat([x.white(), of_y]))
    s = squares.clamp(min=0).sqrt()
    if not float((_EPS * squares[-1] / (2 * s)).sum()) <= tolerance:
        return None
    of_x, of_y = along.square().split([len(x.rows), len(y.rows)])
    return float(s.sum()), of_x @ s, of_y @ (1 / s)


def _cross(x: Side, y: Side) -> Tensor:
    """R_x R_y^T."""
    if x.triangular and y.triangular:
        return triangular_product(x.factor, y.factor)
    return product(x.factor, y.factor.mT)


def _variance(side: Side, shift: Tensor, transported: Tensor) -> float:
    """Variance over the points of one side of what a point does to the distance."""
    if len(side.rows) < 2:
        return math.nan
    straight = (side.rows * (side.rows + 2 * shift)).sum(dim=1)
    return float((straight - transported).var())


def _note(value: float, x: Side, y: Side) -> str:
    d, n = len(x.mean), min(x.n, y.n)
    bias = (1 / x.n + 1 / y.n) * (1 + (d + 1) / 4) * (x.trace + y.trace) / 2
    notes = [*dict.fromkeys(note for note in (x.note, y.note) if note)]
    if n <= d:
        notes.append(f"n = {n} <= D = {d}: the covariance is singular.")
    if n <= 2 * d:
        notes.append("n <= 2 D: the standard error is up to a quarter too large.")
    if bias > 0.05 * value:
        notes.append(f"Biased upwards by up to about {bias:.2g} at this n.")
    if not len(x.rows) or not len(y.rows):
        notes.append("No standard error: rows=0 keeps no points.")
    return " ".join(notes)


def _mean_over_blocks(x: Tensor, y: Tensor, k: int) -> float:
    blocks = zip(x.tensor_split(k), y.tensor_split(k), strict=True)
    return sum(_plain(a, b) for a, b in blocks) / k


def _plain(x: Tensor, y: Tensor) -> float:
    found = _distance(point_side(x), point_side(y), lambda: (exact_side(x), exact_side(y)))
    return found.value


def _intercept(values: list[float]) -> tuple[float, float]:
    """Continues the least-squares line through (1, values[0]), (2, values[1]), ... to 0.

    Returns what it meets there, and its standard error by the distances from the line; 0 for two.
    """
    k = torch.arange(1, len(values) + 1, dtype=torch.float64)
    v = torch.tensor(values, dtype=torch.float64)
    spread = (k - k.mean()).square().sum()
    slope = (k - k.mean()) @ (v - v.mean()) / spread
    left = (v - v.mean() - slope * (k - k.mean())).square().sum() / max(len(values) - 2, 1)
    error = (left * (1 / len(values) + k.mean() ** 2 / spread)).sqrt()
    return float(v.mean() - slope * k.mean()), float(error) if len(values) > 2 else 0.0
