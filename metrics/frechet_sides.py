r"""One side of a Frechet distance: centred points as Q R with orthonormal Q, without forming Q.

The covariance is S = R^T R and x_i - m = sqrt(n - 1) Q_i R. R is the Cholesky factor of S where S
is well conditioned; it comes from the centred points themselves (a reflection where n <= D, a QR
decomposition where n > D) where it is not, because squaring loses half of the digits of a small
singular value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .moments import Moments, centred_rows, scatter_matrix
from .order import shuffled_order

_EPS = torch.finfo(torch.float64).eps
SOME = 4096  # points that a standard error is estimated from: it is off by 1 % or 2 %


@dataclass(frozen=True)
class Side:
    """Mean, R with covariance R^T R, and what Q does to a matrix.

    Attributes:
        n: Number of points.
        mean: Mean, shape `(D,)`.
        trace: Trace of the covariance.
        factor: R, shape `(K, D)`.
        rows: The centred points that the standard error is estimated from, shape `(N', D)`; may be
            none.
        whiten: Maps W, shape `(K, L)`, to R^-1 W where R comes from the covariance, and to itself
            where R comes from points.
        row_norms: Maps whitened W to the squared norms of the rows of Q W, shape `(N',)`.
        squared: Whether R comes from the covariance.
        note: What the reader must know.
    """

    n: int
    mean: Tensor
    trace: float
    factor: Tensor
    rows: Tensor
    whiten: Callable[[Tensor], Tensor]
    row_norms: Callable[[Tensor], Tensor]
    squared: bool = False
    note: str = ""

    def rounding(self, whitened: Tensor) -> float:
        """First-order effect |S| tr T / 2 of the covariance's rounding, T = (R^-1 W)(R^-1 W)^T."""
        if not self.squared:
            return 0.0
        return _EPS * self.trace * float(whitened.square().sum()) / 2


def point_side(x: Tensor) -> Side:
    """Returns the fast side of float64 rows, shape `(N, D)`: by Cholesky where it exists."""
    if len(x) <= x.shape[1]:
        return _wide_side(x)
    mean, rows = centred_rows(x)
    merged = Moments(len(x), mean, scatter_matrix(rows))
    all_are_cheap = len(x) <= SOME or x.shape[1] < 1024
    some = rows if all_are_cheap else rows[shuffled_order(x)[:SOME]]
    return _cholesky_side(merged, some) or exact_side(x)


def exact_side(x: Tensor) -> Side:
    """Returns the side of float64 rows, shape `(N, D)`, at full precision whatever the rank."""
    if len(x) <= x.shape[1]:
        return _wide_side(x)
    n = len(x)
    mean, rows = centred_rows(x)
    basis, factor = torch.linalg.qr(rows / math.sqrt(n - 1))
    trace = float(factor.square().sum())

    def row_norms(weights: Tensor) -> Tensor:
        return (basis @ weights).square().sum(dim=1)

    return Side(n, mean, trace, factor, rows, _as_it_is, row_norms)


def moment_side(merged: Moments, rows: Tensor) -> Side:
    """Returns the side of moments; `rows`, shape `(N', D)`, are some of the points."""
    return _cholesky_side(merged, rows - merged.mean) or truncated_side(merged, rows)


def truncated_side(merged: Moments, rows: Tensor) -> Side:
    """Returns the side of moments at any rank: eigenvalues that are rounding are left out."""
    variances, axes = torch.linalg.eigh(merged.covariance)
    real = variances > len(variances) * _EPS * variances[-1]
    scale, axes = variances[real].sqrt(), axes[:, real]  # (K,), (D, K)
    centred = rows - merged.mean

    def whiten(weights: Tensor) -> Tensor:
        return axes @ (weights / scale[:, None])

    norms = partial(_projected_norms, centred, merged.n)
    note = f"Rank {len(scale)} < D = {len(axes)} and moments alone: about 7 digits."
    note = note if len(scale) < len(axes) else ""
    factor, trace = (axes * scale).mT, float(merged.covariance.trace())
    return Side(merged.n, merged.mean, trace, factor, centred, whiten, norms, True, note)


def _wide_side(x: Tensor) -> Side:
    """N <= D: the reflection that takes the vector of ones to the first axis drops the mean."""
    n, root = len(x), math.sqrt(len(x))
    mean, rows = centred_rows(x)
    factor = (rows[1:] + rows[0] / (root - 1)) / math.sqrt(n - 1)  # (N - 1, D)

    def row_norms(weights: Tensor) -> Tensor:
        total = weights.sum(dim=0)
        others = (weights - total / (n - root)).square().sum(dim=1)
        return torch.cat([total.square().sum()[None] / n, others])

    return Side(n, mean, float(factor.square().sum()), factor, rows, _as_it_is, row_norms)


def _cholesky_side(merged: Moments, rows: Tensor) -> Side | None:
    covariance = merged.covariance
    factor, failed = torch.linalg.cholesky_ex(covariance, upper=True)
    if int(failed):
        return None

    def whiten(weights: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(factor, weights, upper=True)

    norms, trace = partial(_projected_norms, rows, merged.n), float(covariance.trace())
    return Side(merged.n, merged.mean, trace, factor, rows, whiten, norms, True)


def _projected_norms(rows: Tensor, n: int, whitened: Tensor) -> Tensor:
    """Row norms of Q W = X R^-1 W / sqrt(n - 1), in single precision: for standard errors."""
    size = rows.square().mean().sqrt().clamp(min=torch.finfo(torch.float64).tiny)
    projection = (whitened * (size / math.sqrt(n - 1))).to(torch.float32)
    norms = rows.new_empty(len(rows))
    for start in range(0, len(rows), 512):
        block = (rows[start : start + 512] / size).to(torch.float32) @ projection
        norms[start : start + 512] = block.square_().sum(dim=1)
    return norms


def _as_it_is(weights: Tensor) -> Tensor:
    return weights
