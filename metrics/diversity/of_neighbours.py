"""What the metrics of neighbours share: the check of their sides, and their class."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..checks import as_pair
from ..estimate import TwoSampleMetric


def sides_with_neighbours(samples: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Returns both sides as float64 rows, shapes `(N, D)` and `(M, D)`.

    Raises:
        ValueError: See `checks.as_pair`; or a side has fewer than k + 1 points.
    """
    x, y = as_pair(samples, reference)
    if not 1 <= k < min(len(x), len(y)):
        raise ValueError(
            f"Expected at least k + 1 points a side and k >= 1, "
            f"got k = {k}, {len(x)} samples and {len(y)} reference."
        )
    return x, y


class NeighbourMetric(TwoSampleMetric):
    """A share in [0, 1] that is measured by balls to the k-th neighbour.

    Args:
        k: Neighbours that make a ball's radius, the point itself not counted.
        stderr: Whether the standard error is estimated; else NaN.
        kwargs: Passed to `torchmetrics.Metric`.
    """

    higher_is_better = True

    def __init__(self, k: int = 5, stderr: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k, self.stderr = k, stderr
