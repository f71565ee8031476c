r"""Clipped density and clipped coverage: fidelity and coverage as shares of good samples.

Salvy, Talbot & Thirion, Enhanced Generative Model Evaluation with Clipped Density and Coverage,
ICLR 2026, arXiv:2507.01761. With samples x_1..x_N, reference y_1..y_M, r_j the distance of y_j to
its k-th nearest other point of the reference and R_j = min(r_j, median of r),

    density  = d(x) / d(y),      d(v) = mean_i min(1, #{j : ||v_i - y_j|| <= R_j} / k),
    coverage = f^-1(c) / N,      c    = mean_j min(1, #{i : ||x_i - y_j|| < r_j} / k).

Radii are clipped, so that no outlier of the reference makes a ball that holds everything, and what
a point adds is clipped, so that no dense place makes up for bad samples. d(y), a point's own ball
not counted, is what perfect samples reach. f(m) = E c with m samples of the reference's law among
N is known: the mass of a ball has the law Beta(k, M - k), so that their number in it is
beta-binomial, whatever the law of the data. Both are at most 1.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betaln, gammaln
from torch import Tensor

from ..estimate import Estimate
from ..numerics.halves import estimate_by_halves
from ..numerics.neighbours import TIE, nearest_neighbours, pairs_within
from .of_neighbours import NeighbourMetric, sides_with_neighbours


def clipped_density(
    samples: Tensor, reference: Tensor, k: int = 5, stderr: bool = True
) -> Estimate:
    """Measures fidelity: the share of good samples that scores as these samples do.

    Args:
        samples: x ~ model, shape `(N, *shape)`.
        reference: y ~ data, shape `(M, *shape)`.
        k: Neighbours that make a ball's radius, the point itself not counted.
        stderr: Whether the standard error is estimated, which takes most of the time; else NaN.

    Returns:
        A number in [0, 1]. Time is O((N + M) M D), memory linear; for the error bar about twenty
        times as much.

    Raises:
        ValueError: See `checks.as_pair`; or a side has fewer than k + 1 points.
    """
    x, y = sides_with_neighbours(samples, reference, k)
    return estimate_by_halves(lambda a, b: _density(a, b, k), x, y, k + 1, stderr)


def clipped_coverage(
    samples: Tensor, reference: Tensor, k: int = 5, stderr: bool = True
) -> Estimate:
    """Measures coverage: the share of good samples, the others far away, that covers as well.

    Args, time and errors as in `clipped_density`.

    Returns:
        A number in [0, 1].
    """
    x, y = sides_with_neighbours(samples, reference, k)
    held = estimate_by_halves(lambda a, b: _held(a, b, k), x, y, k + 1, stderr)
    return _calibrated(held, len(x), len(y), k)


def _density(x: Tensor, y: Tensor, k: int) -> float:
    radius = nearest_neighbours(y, y, k, exclude_self=True)[0][:, -1]
    radius = radius.clamp(max=float(radius.median()))
    most = _clipped_mean(_balls_with(y, y, radius) - 1, k)
    return min(_clipped_mean(_balls_with(x, y, radius), k) / most, 1.0) if most > 0 else 0.0


def _balls_with(points: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """How many of the closed balls around y hold each point, shape `(N,)`."""
    count = torch.zeros(len(points), dtype=torch.float64, device=y.device)
    for i, j, distance in pairs_within(points, y, radius.new_zeros(len(points)), radius):
        count.index_add_(0, i, (distance * (1 - TIE) <= radius[j]).to(count.dtype))
    return count


def _clipped_mean(count: Tensor, k: int) -> float:
    return float((count / k).clamp(max=1).mean())


def _held(x: Tensor, y: Tensor, k: int) -> float:
    """c: the mean over the reference of the clipped number of samples in a ball."""
    radius = nearest_neighbours(y, y, k, exclude_self=True)[0][:, -1]
    nearest = nearest_neighbours(y, x, k)[0]
    return float((nearest * (1 + TIE) < radius[:, None]).double().mean())


def _calibrated(held: Estimate, n: int, m: int, k: int) -> Estimate:
    """f^-1(c) / n; an error of c becomes the larger of what it moves the share down and up.

    f bends, the more the nearer c is to its end, beyond which there is no up.
    """
    expected, share = expected_coverage(n, m, k), np.arange(n + 1) / n

    def calibrated(c: float) -> float:
        return float(np.interp(c, expected, share))

    value = calibrated(held.value)
    if math.isnan(held.stderr):
        return Estimate(value, math.nan, held.n, held.note)
    low, high = calibrated(held.value - held.stderr), calibrated(held.value + held.stderr)
    error = max(value - low, high - value)
    part = held.shared / held.stderr if held.stderr > 0 else 0.0
    return Estimate(value, error, held.n, held.note, part * error)


def expected_coverage(n: int, m: int, k: int) -> NDArray[np.float64]:
    """Expected coverage before calibration, of 0..n samples of the law of m reference points.

    E min(J, k) / k for J samples in a ball, J beta-binomial: 1 - sum_{j < k} (1 - j / k) P(J = j).
    """
    good = np.arange(n + 1, dtype=np.float64)
    found = np.ones(n + 1)
    for j in range(k):
        others = np.maximum(good - j, 0)  # samples outside the ball
        log_choose = gammaln(good + 1) - gammaln(j + 1) - gammaln(others + 1)
        log_p = log_choose + betaln(k + j, m - k + others) - betaln(k, m - k)
        found -= (1 - j / k) * np.where(good >= j, np.exp(log_p), 0.0)
    return np.maximum.accumulate(found.clip(0, 1))


class ClippedDensity(NeighbourMetric):
    """`clipped_density` over all the batches seen; arguments as in `NeighbourMetric`."""

    def _estimate(self) -> Estimate:
        return clipped_density(*self.both(), self.k, self.stderr)


class ClippedCoverage(NeighbourMetric):
    """`clipped_coverage` over all the batches seen; arguments as in `NeighbourMetric`."""

    def _estimate(self) -> Estimate:
        return clipped_coverage(*self.both(), self.k, self.stderr)
