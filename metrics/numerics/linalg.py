"""Dense linear algebra by the fastest routine of the device that holds the tensors.

On a CPU that is the OpenBLAS in NumPy and SciPy, which read tensors in place: it knows the product
of a matrix with its own transpose (half of the work), and on AMD processors its decompositions
take half the time of the MKL in torch. On any other device it is torch's own.

Large products and eigenproblems take as many threads as torch is set to. The rest takes one: the
threads of a decomposition wait for each other at every column, and on a busy machine that takes
many times as long as the work.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from scipy.linalg import blas, eigh_tridiagonal, lapack
from torch import Tensor

from .threads import blas_threads

_WIDE = 384  # from here on a tridiagonal matrix on the way to a spectrum pays
_LARGE, _LARGE_PRODUCT = 1024, 2**26  # eigenproblems and products that take all threads


def gram(blocks: Iterable[Tensor]) -> Tensor:
    """Returns the sum of X^T X over one or more blocks of float64 rows X, shape `(D, D)`.

    Each block, shape `(B, D)`, is done with before the next is asked for.
    """
    blocks = iter(blocks)
    first = next(blocks)
    if first.device.type != "cpu":
        total = first.mT @ first
        for block in blocks:
            total.addmm_(block.mT, block)
        return total
    with blas_threads(many=first.numel() * first.shape[1] >= _LARGE_PRODUCT):
        upper = blas.dsyrk(1.0, _array(first).T)
        for block in blocks:
            upper = blas.dsyrk(1.0, _array(block).T, beta=1.0, c=upper, overwrite_c=True)
    return _mirrored(upper.T)


def keeps_single(x: Tensor) -> bool:
    """Returns whether products of float32 rows on this device are not rounded to TF32."""
    return x.device.type == "cpu" or torch.get_float32_matmul_precision() == "highest"


def _mirrored(lower: np.ndarray, step: int = 256) -> Tensor:
    """Copies the lower triangle to the upper one, in place."""
    for i in range(0, len(lower), step):
        rows = lower[i : i + step]
        lower[:i, i : i + step] = rows[:, :i].T
        corner = rows[:, i : i + step]
        corner += np.tril(corner, -1).T
    return torch.from_numpy(lower)


def cholesky(matrix: Tensor) -> Tensor | None:
    """Returns upper triangular R with R^T R the float64 matrix; None where it is not positive."""
    if matrix.device.type != "cpu":
        factor, failed = torch.linalg.cholesky_ex(matrix, upper=True)
    else:
        with blas_threads(many=False):
            lower, failed = lapack.dpotrf(_array(matrix).T, lower=1)
        factor = torch.from_numpy(lower.T)
    return None if int(failed) else factor


def inverse_trace(factor: Tensor, probes: int = 32) -> float:
    """Estimates the trace of (R^T R)^-1, R upper triangular, to about a third.

    Hutchinson, Communications in Statistics 19 (1990): the mean of |R^-T z|^2 over random z.
    """
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(len(factor), probes, generator=generator, dtype=factor.dtype)
    solved = torch.linalg.solve_triangular(factor.mT, z.to(factor.device), upper=False)
    return float(solved.square().sum()) / probes


def eigenvalues(matrix: Tensor) -> Tensor:
    """Returns the eigenvalues of a symmetric float64 matrix, increasing."""
    if matrix.device.type != "cpu":
        return torch.linalg.eigvalsh(matrix)
    with blas_threads(many=len(matrix) >= _LARGE):
        return torch.from_numpy(np.linalg.eigvalsh(_array(matrix)))


def spectrum(matrix: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the eigenvalues of a symmetric matrix and the coordinates of rows along its axes.

    Few rows are rotated along with the matrix, in single precision: the eigenvectors would cost as
    much again as the eigenvalues.

    Args:
        matrix: Float64, shape `(D, D)`.
        rows: Float64, shape `(N, D)`.

    Returns:
        Eigenvalues, increasing, shape `(D,)`, and coordinates, shape `(N, D)`, of error below 1e-5
        of the norm of the row; exact to rounding where D is small or rows are many.
    """
    if not len(rows):
        return eigenvalues(matrix), rows
    if matrix.device.type == "cpu" and len(matrix) >= max(_WIDE, len(rows)):
        return _tridiagonal_spectrum(matrix, rows)
    values, axes = eigh(matrix)
    return values, product(rows, axes)


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the eigenvalues, increasing, and eigenvectors of a symmetric float64 matrix."""
    if matrix.device.type != "cpu":
        values, axes = torch.linalg.eigh(matrix)
        return values, axes
    with blas_threads(many=len(matrix) >= _LARGE):
        values, axes = np.linalg.eigh(_array(matrix))
    return torch.from_numpy(values), torch.from_numpy(axes)


def svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns U, s and V^T of a float64 matrix, as few columns as it has rows or columns."""
    if matrix.device.type != "cpu":
        u, s, v = torch.linalg.svd(matrix, full_matrices=False)
        return u, s, v
    with blas_threads(many=min(matrix.shape) >= _LARGE):
        u, s, v = np.linalg.svd(_array(matrix), full_matrices=False)
    return torch.from_numpy(u), torch.from_numpy(s), torch.from_numpy(v)


def qr(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Returns Q and R of a float64 matrix with more rows than columns."""
    if matrix.device.type != "cpu":
        q, r = torch.linalg.qr(matrix)
        return q, r
    with blas_threads(many=matrix.shape[1] >= _LARGE):
        q, r = np.linalg.qr(_array(matrix))
    return torch.from_numpy(q), torch.from_numpy(r)


def _tridiagonal_spectrum(matrix: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    d = len(matrix)
    work = int(lapack.dsytrd_lwork(d, lower=1)[0])
    with blas_threads(many=d >= _LARGE):
        reduced, diagonal, beside, scales, _ = lapack.dsytrd(_array(matrix).T, lower=1, lwork=work)
    size = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-300)
    columns = _array((rows / size).to(torch.float32)).T
    # The reflectors below the diagonal are those of a QR decomposition of one row less.
    reflectors, scales = (part.astype(np.float32) for part in (reduced[1:, :-1], scales))
    with blas_threads(many=False):
        values, axes = eigh_tridiagonal(diagonal, beside, check_finite=False)
        rest = lapack.sormqr("L", "T", reflectors, scales, columns[1:], 64 * len(rows))[0]
    turned = np.concatenate([columns[:1], rest]).T @ axes.astype(np.float32)
    return torch.from_numpy(values), torch.from_numpy(turned).to(torch.float64) * size


def product(a: Tensor, b: Tensor) -> Tensor:
    """Returns A B of float64 matrices."""
    if a.device.type != "cpu":
        return a @ b
    with blas_threads(many=a.numel() * b.shape[1] >= _LARGE_PRODUCT):
        return torch.from_numpy(_array(a) @ _array(b))


def triangular_product(a: Tensor, b: Tensor, step: int = 256) -> Tensor:
    """Returns A B^T of upper triangular matrices, by a third of the work of the full product."""
    out = a.new_zeros(len(a), len(b))
    for i in range(0, len(a), step):
        end = min(i + step, len(a))
        out[:end, :end] += product(a[:end, i:end], b[:end, i:end].mT)
    return out


def _array(x: Tensor) -> np.ndarray:
    return x.detach().numpy()
