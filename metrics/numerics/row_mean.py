"""The mean of a number per row, with its standard error, from four sums.

The sums are merged by the formula of Chan, Golub & LeVeque (The American Statistician 37, 1983).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..checks import in_double
from ..estimate import Estimate, EstimatedMetric


def rows_of(name: str, x: Tensor, finite: bool = False) -> Tensor:
    """Returns a vector of one number per row in float64, shape `(B,)`.

    Args:
        name: What it is called, for the message.
        x: The numbers, shape `(B,)`.
        finite: Whether -infinity is refused, too.

    Raises:
        ValueError: Not a vector, or numbers that are NaN or +infinity.
    """
    if not isinstance(x, Tensor) or x.ndim != 1:
        got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"Expected {name} to be a tensor of shape (B,), got {got}.")
    x = in_double(x.detach())
    bad = int((~x.isfinite()).sum() if finite else (x.isnan() | (x == torch.inf)).sum())
    if bad:
        wanted = "finite" if finite else "neither NaN nor +infinity in"
        raise ValueError(f"Expected {wanted} {name}, got {bad} of {len(x)} rows otherwise.")
    return x


def row_moments(values: Tensor) -> Tensor:
    """Finite rows, their mean, their squared deviations, and infinite rows, shape `(4,)`."""
    finite = values[values.isfinite()]
    mean = finite.mean() if len(finite) else values.new_zeros(())
    count, infinite = (values.new_tensor(k) for k in (len(finite), len(values) - len(finite)))
    return torch.stack([count, mean, (finite - mean).square().sum(), infinite])


def merged(parts: Tensor) -> Tensor:
    """One `row_moments` of several, shape `(K, 4)` to `(4,)`."""
    count, mean, m2, infinite = parts.unbind(dim=1)
    n = count.sum()
    center = (count * mean).sum() / n.clamp_min(1)
    spread = m2.sum() + (count * (mean - center).square()).sum()
    return torch.stack([n, center, spread, infinite.sum()])


def mean_estimate(moments: Tensor) -> Estimate:
    """Returns the mean of the rows summed up in `row_moments`, shape `(4,)`.

    Raises:
        ValueError: Fewer than two rows.
    """
    count, mean, m2, infinite = moments.tolist()
    n = round(count + infinite)
    if n < 2:
        raise ValueError(f"Expected at least 2 rows, got {n}.")
    if infinite:
        note = f"{round(infinite)} of {n} rows have no density"
        return Estimate(math.inf, math.nan, n, note)
    stderr = math.sqrt(m2 / (n - 1) / n)
    # A table would print an error bar of 0 here, which wants its reason.
    constant = stderr <= 1e-7 * abs(mean)
    return Estimate(mean, stderr, n, "the same at every point" if constant else "")


def row_mean(values: Tensor) -> Estimate:
    """Returns the mean of numbers per row `(B,)` with its standard error over rows.

    Raises:
        ValueError: Fewer than two rows.
    """
    return mean_estimate(row_moments(values.double()))


class RowMean(EstimatedMetric):
    """A mean over rows: four numbers of state, whatever the number of rows."""

    unit = "nats"
    higher_is_better = False

    moments: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        empty = torch.zeros(4, dtype=torch.float64)
        self.add_state("moments", default=empty, dist_reduce_fx=merged)
        # A `MetricCollection` takes metrics with like states after one batch for one, and two
        # kinds of mean are alike while a batch is empty or infinite: names tell them apart.
        self.add_state(f"is_{type(self).__name__}", torch.zeros(()), dist_reduce_fx="max")

    def _add(self, values: Tensor) -> None:
        self.moments = merged(
            torch.stack([self.moments, row_moments(values).to(self.moments.device)])
        )
