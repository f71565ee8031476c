r"""Authenticity: the share of samples that do not look like copies of a training point.

Alaa et al., How Faithful is your Synthetic Data?, ICML 2022, arXiv:2102.08921, section 4. A
sample x with nearest training point t is authentic when it lies farther from t than t's nearest
other training point:

    authentic(x)  iff  ||x - t|| > min_{t' != t} ||t - t'||.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, EstimatedMetric, share_estimate
from ..numerics.neighbours import TIE, nearest_neighbours, pairs_within


def authenticity(samples: Tensor, train: Tensor) -> Estimate:
    """Measures the share of authentic samples (AuthPct without its factor 100).

    Args:
        samples: x ~ model, shape `(N, *shape)`.
        train: The data that the model was fitted to, shape `(T, *shape)`.

    Returns:
        A share in [0, 1], 0 for a memoriser. Fresh data score one minus the chance that nearest
        neighbours are mutual: for many points 1/3 on the line, 0.38 in the plane, 1/2 in high
        dimension. A distance equal to t's is not authentic, and of equally near t any one makes x
        a copy. The standard error holds train fixed, since the model depends on it: given train,
        samples are independent. Time is O((N + T) T D), memory linear.

    Raises:
        ValueError: See `checks.as_pair`.
    """
    x, t = as_pair(samples, train)
    nearest = nearest_neighbours(x, t)[0][:, 0]
    gap = nearest_neighbours(t, t, exclude_self=True)[0][:, 0]
    copied = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for i, _, distance in pairs_within(x, t, torch.zeros_like(nearest), gap):
        copied[i[distance <= nearest[i] * (1 + TIE)]] = True
    share = 1 - float(copied.to(torch.float64).mean())
    return share_estimate(share, share * (1 - share) / (len(x) - 1), len(x), shared=0.0)


class Authenticity(EstimatedMetric):
    """`authenticity` over all the batches seen."""

    higher_is_better = True
    shares = "none"

    samples: list[Tensor]
    train_rows: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # `train` is a method of every module.
        self.add_rows("samples", "train_rows")

    def update(self, samples: Tensor, train: Tensor) -> None:
        """Adds points of shapes `(B, *shape)` and `(C, *shape)`; one side may be empty."""
        self.append_rows(samples=samples, train_rows=train)

    def _estimate(self) -> Estimate:
        return authenticity(self.rows("samples"), self.rows("train_rows"))
