r"""Vendi score: the effective number of distinct samples.

Friedman & Dieng, The Vendi Score, TMLR 2023, arXiv:2210.02410, eq. 1, and of any order q Pasarkar
& Dieng, Cousins of the Vendi Score, AISTATS 2024, arXiv:2310.12952. With a kernel k(x, x) = 1 and
the eigenvalues l_1..l_n of K / n:

    VS_q = (sum_i l_i^q)^{1 / (1 - q)},  VS_1 = exp(-sum_i l_i log l_i),  VS_inf = 1 / max_i l_i.

The non-zero eigenvalues of F F' / n are those of F' F / n, so the smaller of the two Gram matrices
is decomposed: K itself is never formed for the cosine kernel in d < n dimensions. In few
dimensions the RBF kernel comes as a pivoted Cholesky factor F, exact to 1e-12 of its trace, whose
rank is small for points of the plane; in many its rank is n, and K is decomposed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..checks import as_points, in_double
from ..estimate import Estimate, EstimatedMetric
from ..numerics.linalg import eigenvalues, gram, spectrum
from ..numerics.moments import less, middle
from ..numerics.pairwise import median_distance
from ..numerics.subset import thinned
from ..numerics.threads import torch_on_one_thread

Kernel = Literal["cosine", "rbf"]
_WIDE = 8  # dimensions from which on an RBF kernel of its usual width has full rank


@torch_on_one_thread()
def vendi_score(
    samples: Tensor,
    q: float = 1.0,
    kernel: Kernel = "cosine",
    bandwidth: float | None = None,
    reference: Tensor | None = None,
) -> Estimate:
    """Measures diversity without a reference.

    Args:
        samples: Points, shape `(N, *shape)`.
        q: Order in [0, inf]; 0 counts all distinct directions alike, infinity the commonest alone.
        kernel: "cosine" (x.y / |x||y|; at most D) or "rbf", exp(-||x - y||^2 / 2 h^2).
        bandwidth: Width h of the RBF kernel; by default the median distance within (up to 2,000
            of) the reference, or the samples where there is none.
        reference: Data that set the width, shape `(M, *shape)`, so that every model on a task is
            judged by the same kernel; not used otherwise.

    Returns:
        A number from 1 (all alike) to N. The delta-method standard error comes from 256 to
        1,024 points where there are more (`thinning`: it is off by 2 % to 5 %) and leaves out the
        second order: it is small when the score is far below N. It takes the kernel's width as
        given, so that none of it is shared by seeds. NaN at q = 0. Time is O(N D min(N, D)).

    Raises:
        ValueError: See `checks.as_points`; q < 0, a row of zeros under the cosine kernel, an
            unknown kernel, or a bandwidth that is not positive.
    """
    if not q >= 0:
        raise ValueError(f"Expected an order q >= 0, got {q}.")
    x = as_points("samples", samples, single=True)
    operator = _Operator.of(x, kernel, _width(x, kernel, bandwidth, reference))
    values, squares = operator.spectrum(thinned(x, len(operator.matrix)))
    score = _score(values, q)
    influence = score * (squares @ _slope(values, q))
    stderr = float(influence.std()) / math.sqrt(len(x)) if q > 0 else math.nan
    return Estimate(score, stderr, len(x), shared=0.0)


@dataclass(frozen=True)
class _Operator:
    """A matrix with the non-zero eigenvalues of K / n.

    Attributes:
        matrix: F' F / n, shape `(rank, rank)`, or K / n itself, shape `(N, N)`.
        factor: F with K = F F', shape `(N, rank)`; None where the matrix is K / n.
    """

    matrix: Tensor
    factor: Tensor | None

    @classmethod
    def of(cls, x: Tensor, kernel: Kernel, width: float) -> _Operator:
        """The smallest of a kernel between float64 or float32 rows, shape `(N, D)`."""
        if kernel == "cosine":
            factor = _unit_rows(x)
        elif kernel != "rbf":
            raise ValueError(f'Expected kernel "cosine" or "rbf", got "{kernel}".')
        elif not width > 0:
            raise ValueError(f"Expected a positive bandwidth, got {width}.")
        else:
            x = less(x, middle(x)) / width
            if x.shape[1] >= _WIDE:
                return cls(_rbf(x).div_(len(x)), None)
            factor = _pivoted_cholesky(x)
        n, rank = factor.shape
        if rank > n:
            return cls(gram([factor.mT]).div_(n), None)
        return cls(gram([factor]).div_(n), factor)

    def eigenvalues(self) -> Tensor:
        """The non-zero ones, increasing, shape `(R,)`."""
        values = eigenvalues(self.matrix)
        return values[_nonzero(values)]

    def spectrum(self, some: Tensor) -> tuple[Tensor, Tensor]:
        """Non-zero eigenvalues, and squares of some rows' coordinates along the axes of F.

        The derivative of tr f(F'F / n) in the direction of a row v is v' f'(.) v less a constant.
        Of an eigenvector u of K / n the coordinates of the rows are sqrt(n l) u.
        """
        if self.factor is not None:
            values, along = spectrum(self.matrix, self.factor[some])
            squares = along.square()
        else:
            n = len(self.matrix)
            values, along = spectrum(self.matrix, torch.eye(n).to(self.matrix)[some])
            squares = along.square() * values * n
        kept = _nonzero(values)
        return values[kept], squares[:, kept]


def _nonzero(values: Tensor) -> Tensor:
    return values > values[-1] * len(values) * torch.finfo(values.dtype).eps


def _score(values: Tensor, q: float) -> float:
    if q == 1:
        return float(torch.special.entr(values).sum().exp())
    if math.isinf(q):
        return float(1 / values[-1])
    if q == 0:
        return float(len(values))
    return float((q * values.log()).logsumexp(dim=0).div(1 - q).exp())


def _slope(values: Tensor, q: float) -> Tensor:
    """Derivative of log VS_q by each eigenvalue."""
    if q == 1:
        return -values.log() - 1
    if math.isinf(q):
        return torch.where(values == values[-1], -1 / values[-1], 0.0)
    log_sum = (q * values.log()).logsumexp(dim=0)
    return q / (1 - q) * ((q - 1) * values.log() - log_sum).exp()


def _width(x: Tensor, kernel: Kernel, bandwidth: float | None, reference: Tensor | None) -> float:
    """The given width, else the median distance within the reference, else within x."""
    data = x if reference is None else as_points("reference", reference)
    if bandwidth is not None or kernel == "cosine":
        return 1.0 if bandwidth is None else float(bandwidth)
    return median_distance(in_double(data))


def _unit_rows(x: Tensor) -> Tensor:
    norm: Any
    if x.device.type == "cpu":  # by NumPy: torch's threads would spin on into the next product
        rows: Any = x.numpy()
        norm = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    else:
        rows, norm = x, torch.linalg.vector_norm(x, dim=1, dtype=torch.float64)
    zeros = int((norm == 0).sum())
    if zeros:
        raise ValueError(f"Expected non-zero rows for the cosine kernel, got {zeros} of {len(x)}.")
    return torch.as_tensor(rows / norm[:, None])


def _rbf(x: Tensor) -> Tensor:
    """exp(-||x - y||^2 / 2) between centred rows, in the memory of one `(N, N)`."""
    k = gram([x.mT])
    half = k.diagonal().div(2)
    k.sub_(half[:, None]).sub_(half).clamp_(max=0).exp_()
    return k.fill_diagonal_(1)


def _pivoted_cholesky(x: Tensor, tolerance: float = 1e-12) -> Tensor:
    """F with F F' = exp(-||x - y||^2 / 2) up to a trace of `tolerance` N, shape `(N, rank)`.

    Harbrecht, Peters & Schneider, Applied Numerical Mathematics 62 (2012). Memory is O(N rank).
    """
    n = len(x)
    factor = x.new_zeros(n, 0)
    columns: list[Tensor] = []
    left = x.new_ones(n)
    while len(columns) < n and float(left.sum()) > tolerance * n:
        pivot = int(left.argmax())
        column = (x - x[pivot]).square().sum(dim=1).div(-2).exp()
        if columns:
            factor = _grown(factor, columns)
            column = column - factor[:, : len(columns)] @ factor[pivot, : len(columns)]
        column = column / left[pivot].sqrt()
        columns.append(column)
        left = (left - column.square()).clamp_min(0)
        left[pivot] = 0
    return torch.stack(columns, dim=1)


def _grown(factor: Tensor, columns: list[Tensor]) -> Tensor:
    """The factor with all columns written, its storage doubled when it is full."""
    k = len(columns)
    if factor.shape[1] < k:
        wider = factor.new_zeros(len(factor), 2 * k)
        wider[:, : factor.shape[1]] = factor
        factor = wider
    factor[:, k - 1] = columns[-1]
    return factor


class VendiScore(EstimatedMetric):
    """`vendi_score` over all the batches seen.

    Args:
        q: See `vendi_score`.
        kernel: See `vendi_score`.
        bandwidth: See `vendi_score`.
        kwargs: Passed to `torchmetrics.Metric`.
    """

    unit = ""
    higher_is_better = True
    shares = "none"

    samples: list[Tensor]
    reference: list[Tensor]

    def __init__(
        self,
        q: float = 1.0,
        kernel: Kernel = "cosine",
        bandwidth: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not q >= 0:
            raise ValueError(f"Expected an order q >= 0, got {q}.")
        self.q = q
        self.kernel: Kernel = kernel
        self.bandwidth = bandwidth
        self.add_rows("samples", "reference")

    def update(self, samples: Tensor, reference: Tensor | None = None) -> None:
        """Adds a batch of points `(N, *shape)`, and of the reference; either may be empty."""
        given = {} if reference is None else {"reference": reference}
        self.append_rows(samples=samples, **given)

    def compute(self) -> Tensor:
        """Returns the score alone, without the work for its standard error."""
        samples = as_points("samples", self.rows("samples"), single=True)
        width = _width(samples, self.kernel, self.bandwidth, self._reference())
        values = _Operator.of(samples, self.kernel, width).eigenvalues()
        return self._scalar(Estimate(_score(values, self.q), math.nan, len(samples)))

    def _estimate(self) -> Estimate:
        samples, reference = self.rows("samples"), self._reference()
        return vendi_score(samples, self.q, self.kernel, self.bandwidth, reference)

    def _reference(self) -> Tensor | None:
        return self.rows("reference") if len(self.reference) else None
