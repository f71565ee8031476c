r"""Sinkhorn divergence: entropic optimal transport without its bias.

Genevay, Peyre & Cuturi, arXiv:1706.00292, and Feydy et al., arXiv:1810.08278, eqs. 1-3: with

    OT_e(P, Q) = min_pi <pi, |x - y|^2> + e KL(pi | P x Q),
    S_e(P, Q) = OT_e(P, Q) - OT_e(P, P) / 2 - OT_e(Q, Q) / 2,

which goes to W_2^2 as e goes to 0 and to |E x - E y|^2 as e goes to infinity, and is zero if and
only if P = Q.

Standard error: delta method with the dual potentials; a sample moves S_e by f_PQ(x) - f_PP(x)
(Gonzalez-Sanz, Loubes & Niles-Weed, arXiv:2207.07427).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from ..numerics.moments import centre, centred
from ..numerics.pairwise import squared_distances


def sinkhorn_divergence(
    samples: Tensor,
    reference: Tensor,
    regularization: float | None = None,
    iterations: int = 1000,
    tolerance: float = 1e-7,
) -> Estimate:
    """Returns S_e with the squared Euclidean cost, in the log domain (POT between the sides).

    Costs three problems of O(N M) time an iteration and O(N M) memory, on the device of the input.

    Args:
        samples: Points or features, shape `(N, *shape)` or `(N,)`.
        reference: Points or features, shape `(M, *shape)` or `(M,)`.
        regularization: e, in units of the squared distance; by default 5 % of the mean squared
            distance between two points of the reference.
        iterations: The most that each problem gets; a note tells where the marginals are off by
            1e-4 after them.
        tolerance: Error of the marginals at which the iterations stop.

    Raises:
        ValueError: See `checks.as_pair`; or a regularisation that is not positive.
    """
    if regularization is not None and regularization <= 0:
        raise ValueError(f"Expected a positive regularization, got {regularization}.")
    x, y = centred(*as_pair(samples, reference, single=True))
    e = regularization or 0.1 * (_total_variance(y) or _total_variance(x) or 1.0)
    f, g, error = _solve(x, y, e, iterations, tolerance)
    (own_x, error_x), (own_y, error_y) = (
        _solve_own(side, e, iterations, tolerance) for side in (x, y)
    )
    of_x, of_y = f - own_x, g - own_y
    own, shared = float(of_x.var()) / len(x), float(of_y.var()) / len(y)
    error = max(error, error_x, error_y)
    note = f"Marginals off by {error:.1g} after {iterations} iterations." if error > 1e-4 else ""
    value = float(of_x.mean() + of_y.mean())
    return Estimate(value, math.sqrt(own + shared), len(x), note, math.sqrt(shared))


class SinkhornDivergence(TwoSampleMetric):
    """`sinkhorn_divergence` of all points seen.

    Args:
        regularization: As in `sinkhorn_divergence`.
        iterations: As in `sinkhorn_divergence`.
        tolerance: As in `sinkhorn_divergence`.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = False

    def __init__(
        self,
        regularization: float | None = None,
        iterations: int = 1000,
        tolerance: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.regularization, self.iterations, self.tolerance = (
            regularization,
            iterations,
            tolerance,
        )

    def _estimate(self) -> Estimate:
        return sinkhorn_divergence(
            *self.both(), self.regularization, self.iterations, self.tolerance
        )


def _total_variance(x: Tensor) -> float:
    """Half the mean squared distance between two points."""
    return float((x - centre(x)).square().sum()) / (len(x) - 1)


def _solve(
    x: Tensor, y: Tensor, e: float, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor, float]:
    """Returns potentials f and g, whose means add up to OT_e, and the marginals' error."""
    import ot  # slow to import, and other metrics do without

    a, b = x.new_full((len(x),), 1 / len(x)), y.new_full((len(y),), 1 / len(y))
    plan, log = ot.bregman.sinkhorn_log(
        a, b, squared_distances(x, y), e, iterations, tolerance, log=True, warn=False
    )
    # POT's plan is exp(u + v - C / e), ours exp((f + g - C) / e) / (n m).
    f, g = e * (log["log_u"] + math.log(len(x))), e * (log["log_v"] + math.log(len(y)))
    error = (plan.sum(dim=1) - a).abs().sum() + (plan.sum(dim=0) - b).abs().sum()
    return f, g, float(error)


def _solve_own(x: Tensor, e: float, iterations: int, tolerance: float) -> tuple[Tensor, float]:
    """Returns the potential f = g of OT_e(P, P): averaged steps converge far faster."""
    cost, f = squared_distances(x, x).div_(-e), x.new_zeros(len(x))
    for _ in range(iterations):
        step = math.log(len(x)) - torch.logsumexp(cost + f, dim=1)  # f in units of e
        error = float((f - step).expm1().abs().mean())
        f = (f + step) / 2
        if error < tolerance:
            break
    return e * f, error
