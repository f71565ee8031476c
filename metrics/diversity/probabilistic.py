r"""Probabilistic precision and recall: how likely a point lies in the support of the other side.

Park & Kim, Probabilistic Precision and Recall Towards Reliable Evaluation of Generative Models,
ICCV 2023, arXiv:2309.01590. With R the mean over the reference of the distance to the
k-th nearest other point, every reference point y_j vouches for points near it, independently of
the others:

    P(x in supp y) = 1 - prod_j (1 - s(||x - y_j||)),       s(d) = max(0, 1 - d / (a R)),
    precision      = mean_i P(x_i in supp y),    recall = mean_j P(y_j in supp x).

One radius serves the whole side, so that an outlier makes no larger ball than another point.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from ..numerics.halves import estimate_by_halves
from ..numerics.neighbours import nearest_neighbours, pairs_within


def probabilistic_precision(
    samples: Tensor, reference: Tensor, k: int = 4, a: float = 1.2, stderr: bool = True
) -> Estimate:
    """Measures fidelity: the mean chance that a sample lies in the reference's support.

    Args:
        samples: x ~ model, shape `(N, *shape)`.
        reference: y ~ data, shape `(M, *shape)`.
        k: Neighbours that make the radius, the point itself not counted.
        a: The radius is that many times the mean distance to the k-th neighbour.
        stderr: Whether the standard error is estimated, which takes most of the time; else NaN.

    Returns:
        A number in [0, 1]; below 1 for samples of the reference's own law. Time is O((N + M) M D),
        memory linear; for the error bar about twenty times as much.

    Raises:
        ValueError: See `checks.as_pair`; a side has fewer than k + 1 points; or a <= 0.
    """
    x, y = _sides(samples, reference, k, a)
    return estimate_by_halves(lambda v, w: _in_support(v, w, k, a), x, y, k + 1, stderr)


def probabilistic_recall(
    samples: Tensor, reference: Tensor, k: int = 4, a: float = 1.2, stderr: bool = True
) -> Estimate:
    """Measures diversity: the mean chance that a reference point lies in the samples' support.

    Args, value, time and errors as in `probabilistic_precision`.
    """
    x, y = _sides(samples, reference, k, a)
    return estimate_by_halves(lambda v, w: _in_support(w, v, k, a), x, y, k + 1, stderr)


def _sides(samples: Tensor, reference: Tensor, k: int, a: float) -> tuple[Tensor, Tensor]:
    x, y = as_pair(samples, reference)
    if not (1 <= k < min(len(x), len(y)) and a > 0):
        raise ValueError(
            f"Expected at least k + 1 points a side, k >= 1 and a > 0, "
            f"got k = {k}, a = {a}, {len(x)} samples and {len(y)} reference."
        )
    return x, y


def _in_support(points: Tensor, of: Tensor, k: int, a: float) -> float:
    radius = a * float(nearest_neighbours(of, of, k, exclude_self=True)[0][:, -1].mean())
    log_outside = torch.zeros(len(points), dtype=torch.float64, device=of.device)
    reach = [torch.full_like(side[:, 0], radius) for side in (points, of)]
    for i, _, distance in pairs_within(points, of, *reach):
        share = (distance / radius).clamp(max=1) if radius > 0 else torch.zeros_like(distance)
        log_outside.index_add_(0, i, share.log())
    return float((1 - log_outside.exp()).mean())


class ProbabilisticPrecision(TwoSampleMetric):
    """`probabilistic_precision` over all the batches seen.

    Args:
        k: See `probabilistic_precision`.
        a: See `probabilistic_precision`.
        stderr: See `probabilistic_precision`.
        kwargs: Passed to `torchmetrics.Metric`.
    """

    higher_is_better = True

    def __init__(self, k: int = 4, a: float = 1.2, stderr: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k, self.a, self.stderr = k, a, stderr

    def _estimate(self) -> Estimate:
        return probabilistic_precision(*self.both(), self.k, self.a, self.stderr)


class ProbabilisticRecall(ProbabilisticPrecision):
    """`probabilistic_recall` over all the batches seen; as `ProbabilisticPrecision`."""

    def _estimate(self) -> Estimate:
        return probabilistic_recall(*self.both(), self.k, self.a, self.stderr)
