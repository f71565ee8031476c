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

import torch
from torch import Tensor

from ..numerics.linalg import cholesky, eigh, inverse_trace, qr
from ..numerics.moments import Moments, centred_rows, moments
from ..numerics.subset import thinned

_EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Side:
    """Mean, R with covariance R^T R, and some of the points in both their coordinates.

    Attributes:
        n: Number of points.
        mean: Mean, shape `(D,)`.
        trace: Trace of the covariance.
        factor: R, shape `(K, D)`.
        rows: The centred points that the standard error is estimated from, shape `(N', D)`; may be
            none.
        white: Returns sqrt(n - 1) Q_i of these points, shape `(N', K)`.
        inverse_trace: Trace of the inverse covariance where R comes from it; 0 where R comes from
            points.
        triangular: Whether R is upper triangular.
        note: What the reader must know.
    """

    n: int
    mean: Tensor
    trace: float
    factor: Tensor
    rows: Tensor
    white: Callable[[], Tensor]
    inverse_trace: float = 0.0
    triangular: bool = False
    note: str = ""

    def rounding(self, other: Side) -> float:
        """Bounds the first-order effect |S| tr T / 2 of the rounding of this covariance.

        T, the map that transports this Gaussian to the other, is the geometric mean of the inverse
        covariance here and the covariance there; its trace is at most that of theirs.
        """
        return _EPS * self.trace * math.sqrt(self.inverse_trace * other.trace) / 2


def point_side(x: Tensor) -> Side:
    """Returns the fast side of rows, shape `(N, D)`: by Cholesky where it exists.

    Args:
        x: Float64 or float32.
    """
    if len(x) <= x.shape[1]:
        return exact_side(x)
    merged = moments(x)
    return _cholesky_side(merged, x[thinned(x)] - merged.mean) or exact_side(x)


def exact_side(x: Tensor) -> Side:
    """Returns the side of rows, shape `(N, D)`, at full precision whatever the rank.

    Args:
        x: Float64 or float32.
    """
    if len(x) <= x.shape[1]:
        return _wide_side(x)
    root = math.sqrt(len(x) - 1)
    mean, rows = centred_rows(x)
    basis, factor = qr(rows / root)
    chosen = thinned(x)
    trace = float(factor.square().sum())
    return Side(len(x), mean, trace, factor, rows[chosen], lambda: basis[chosen] * root)


def moment_side(merged: Moments, rows: Tensor) -> Side:
    """Returns the side of moments; `rows`, shape `(N', D)`, are some of the points."""
    rows = rows[thinned(rows)]
    return _cholesky_side(merged, rows - merged.mean) or truncated_side(merged, rows)


def truncated_side(merged: Moments, rows: Tensor) -> Side:
    """Returns the side of moments at any rank: eigenvalues that are rounding are left out."""
    variances, axes = eigh(merged.covariance)
    real = variances > len(variances) * _EPS * variances[-1]
    scale, axes = variances[real].sqrt(), axes[:, real]  # (K,), (D, K)
    centred = rows[thinned(rows)] - merged.mean
    note = f"Rank {len(scale)} < D = {len(axes)} and moments alone: about 7 digits."
    note = note if len(scale) < len(axes) else ""
    factor, trace = (axes * scale).mT, float(merged.covariance.trace())
    inverse = float(scale.pow(-2).sum())

    def white() -> Tensor:
        return centred @ axes / scale

    return Side(merged.n, merged.mean, trace, factor, centred, white, inverse, note=note)


def _wide_side(x: Tensor) -> Side:
    """N <= D: the reflection that takes the vector of ones to the first axis drops the mean."""
    n, root = len(x), math.sqrt(len(x))
    mean, rows = centred_rows(x)
    scale = 1 / math.sqrt(n - 1)
    factor = torch.add(rows[0] * (scale / (root - 1)), rows[1:], alpha=scale)  # (N - 1, D)
    chosen = thinned(x)

    def white() -> Tensor:
        basis = rows.new_full((len(chosen), n - 1), 1 / (root - n))
        basis[torch.arange(len(chosen), device=x.device), chosen - 1] += 1
        basis[chosen == 0] = 1 / root
        return basis / scale

    trace = float(torch.linalg.vector_norm(factor) ** 2)
    return Side(n, mean, trace, factor, rows[chosen], white)


def _cholesky_side(merged: Moments, rows: Tensor) -> Side | None:
    covariance = merged.covariance
    factor = cholesky(covariance)
    if factor is None:
        return None

    def white() -> Tensor:
        return torch.linalg.solve_triangular(factor.mT, rows.mT, upper=False).mT

    trace = float(covariance.trace())
    inverse = inverse_trace(factor)
    return Side(merged.n, merged.mean, trace, factor, rows, white, inverse, triangular=True)
