r"""Nearest-neighbour ratio: are samples nearer to the training set than fresh data are?

    ratio = median_i d(x_i, train) / median_j d(y_j, train),

with d the Euclidean distance to the nearest training point, x samples and y held-out data. One for
samples of the data's own law, below one where the model copies, exactly zero when more than half
of the samples are copies of training rows. Medians, because a few wild samples would hide the
copies from a mean. It is the comparison of Meehan, Chaudhuri & Dasgupta, AISTATS 2020,
arXiv:2004.05675, as a ratio and without their cells.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, EstimatedMetric
from ..numerics.neighbours import nearest_neighbours


def nearest_neighbour_ratio(samples: Tensor, reference: Tensor, train: Tensor) -> Estimate:
    """Compares the distance to the training set of samples and of held-out data.

    Args:
        samples: x ~ model, shape `(N, *shape)`.
        reference: Held-out data that the model has not seen, shape `(M, *shape)`.
        train: The data that the model was fitted to, shape `(T, *shape)`.

    Returns:
        The ratio of medians. NaN when half of the reference are training points. The standard
        error is over samples and reference; train is held fixed, since the model depends on it.
        Where distances take few values, as between bits, and both medians stay at one of them, it
        is near 0, which the note says. Time is O((N + M) T D), memory linear.

    Raises:
        ValueError: See `checks.as_pair`.
    """
    near, usual = distances_to_train(samples, reference, train)
    (top, top_variance), (base, base_variance) = _median(near), _median(usual)
    if base == 0:
        return Estimate(math.nan, math.nan, len(near), "half of the reference are training points")
    ratio = top / base
    stderr = math.sqrt(top_variance + ratio**2 * base_variance) / base
    shared = ratio * math.sqrt(base_variance) / base
    copies = int((near == 0).sum())
    notes = [f"{copies} of {len(near)} samples are copies of training points"] if copies else []
    if _tied(near) and _tied(usual):
        notes.append("distances tie at both medians: their ratio cannot tell")
        return Estimate(math.nan, math.nan, len(near), "; ".join(notes))
    return Estimate(ratio, stderr, len(near), "; ".join(notes), shared)


def distances_to_train(
    samples: Tensor, reference: Tensor, train: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns each point's distance to its nearest training point: samples, then reference.

    Args:
        samples: Shape `(N, *shape)`.
        reference: Shape `(M, *shape)`.
        train: Shape `(T, *shape)`.

    Returns:
        Distances, shapes `(N,)` and `(M,)`.

    Raises:
        ValueError: See `checks.as_pair`.
    """
    x, y = as_pair(samples, reference)
    t = as_pair(samples, train)[1]
    distance = nearest_neighbours(torch.cat([x, y]), t)[0][:, 0].cpu().numpy()
    return distance[: len(x)], distance[len(x) :]


def _median(values: NDArray[np.float64]) -> tuple[float, float]:
    """The median and its variance over the exact bootstrap (Maritz & Jarrett, JASA 73, 1978)."""
    n = len(values)
    ordered = np.sort(values)
    weight = np.diff(stats.beta.cdf(np.arange(n + 1) / n, (n + 1) / 2, (n + 1) / 2))
    mean = float(weight @ ordered)
    return float(np.median(ordered)), float(weight @ (ordered - mean) ** 2)


def _tied(values: NDArray[np.float64]) -> bool:
    """Whether the order statistics one standard deviation of rank off the median equal it."""
    n, half = len(values), math.sqrt(len(values)) / 2
    ordered = np.sort(values)
    low, high = max(0, math.floor(n / 2 - half)), min(n - 1, math.ceil(n / 2 + half))
    return bool(ordered[low] == ordered[high])


class TrainedMetric(EstimatedMetric):
    """A metric of `samples`, `reference` and `train` that keeps all rows of the three."""

    samples: list[Tensor]
    reference: list[Tensor]
    train_rows: list[Tensor]

    shares = "reference"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # `train` is a method of every module, so that state has a longer name.
        self.add_rows("samples", "reference", "train_rows")

    def update(self, samples: Tensor, reference: Tensor, train: Tensor) -> None:
        """Adds points of one event shape, `(B, *shape)` each; a side may be empty."""
        self.append_rows(samples=samples, reference=reference, train_rows=train)

    def all_three(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns all samples, all of the reference and all of train."""
        return self.rows("samples"), self.rows("reference"), self.rows("train_rows")


class NearestNeighbourRatio(TrainedMetric):
    """`nearest_neighbour_ratio` over all the batches seen."""

    def _estimate(self) -> Estimate:
        return nearest_neighbour_ratio(*self.all_three())
