r"""C_T: a test for data copying.

Meehan, Chaudhuri & Dasgupta, A Non-Parametric Test to Detect Data-Copying in Generative Models,
AISTATS 2020, arXiv:2004.05675. K-means on train makes cells. In each, the Mann-Whitney
statistic asks whether samples are nearer to train than held-out data are: with m samples at
distances a_i and n reference points at distances b_j from their nearest training points,

    U = #{(i, j) : a_i > b_j} + #{ties} / 2,    Z = (U - m n / 2) / sqrt(m n (m + n + 1) / 12),

the root corrected for ties, and C_T is the mean of Z over cells, weighted by their share of the
reference. Far below 0 the model copies, far above it underfits. The authors shift U by a
continuity correction of 1/2, which is left out here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..checks import as_points
from ..estimate import Estimate
from ..numerics.clusters import cluster_centers, nearest_center
from .nearest_neighbour_ratio import TrainedMetric, distances_to_train

_LEAST = 20  # samples of a cell that counts, as in the paper's experiments (tau = 20 / m)


def ct_score(
    samples: Tensor, reference: Tensor, train: Tensor, cells: int = 5, seed: int = 0
) -> Estimate:
    """Tests whether samples are nearer to the training set than held-out data are, cell by cell.

    Args:
        samples: x ~ model, shape `(N, *shape)`.
        reference: Held-out data that the model has not seen, shape `(M, *shape)`.
        train: The data that the model was fitted to, shape `(T, *shape)`.
        cells: Number of cells; those with fewer than 20 samples or no reference point do not
            count.
        seed: Seed of k-means.

    Returns:
        C_T, in standard deviations of one cell's null law: it grows as the root of the number of
        points. NaN when no cell counts. The standard error (a jackknife over single points, in
        closed form) is over samples and reference; train and the cells that count are held fixed.

    Raises:
        ValueError: See `checks.as_pair`; or fewer training points than cells.
    """
    near, usual = distances_to_train(samples, reference, train)
    t = as_points("train", train)
    if not 1 <= cells <= len(t):
        raise ValueError(f"Expected 1 <= cells <= {len(t)} (training points), got {cells}.")
    centers = cluster_centers(t, cells, seed)
    cell_x = nearest_center(as_points("samples", samples), centers)
    cell_y = nearest_center(as_points("reference", reference), centers)
    parts = [_Cell(near[cell_x == c], usual[cell_y == c]) for c in range(cells)]
    kept = [part for part in parts if len(part.a) >= _LEAST and len(part.b) > 0]
    if not kept:
        note = f"no cell has {_LEAST} samples and a reference point"
        return Estimate(math.nan, math.nan, len(near), note)
    value, own, shared = _weighted_mean(kept, len(near), len(usual))
    note = "" if len(kept) == cells else f"{len(kept)} of {cells} cells count"
    return Estimate(value, math.sqrt(own + shared), len(near), note, math.sqrt(shared))


class _Cell:
    """The distances to train of the samples, `a`, and of the reference, `b`, in one cell."""

    def __init__(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
        self.a, self.b = np.sort(a), np.sort(b)
        both = np.concatenate([a, b])
        ties = np.unique(both, return_counts=True)[1].astype(np.float64)
        self.untied = 1 - float((ties**3 - ties).sum()) / max(len(both) ** 3 - len(both), 1)

    def z(self, u: Any, m: int, n: int) -> Any:
        """Z of the statistics u of m samples and n reference points; 0 where all distances tie."""
        spread = math.sqrt(self.untied * m * n * (m + n + 1) / 12)
        return (u - m * n / 2) / spread if spread else 0.0 * u

    def placements(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each sample and each reference point adds to U."""
        a, b = self.a, self.b
        of_a = (np.searchsorted(b, a, "left") + np.searchsorted(b, a, "right")) / 2
        of_b = len(a) - (np.searchsorted(a, b, "left") + np.searchsorted(a, b, "right")) / 2
        return of_a, of_b

    def left_out(self) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Z, and Z without each of the samples and without each of the reference points."""
        (of_a, of_b), m, n = self.placements(), len(self.a), len(self.b)
        u = float(of_a.sum())
        return self.z(u, m, n), self.z(u - of_a, m - 1, n), self.z(u - of_b, m, n - 1)


def _weighted_mean(kept: list[_Cell], n: int, m: int) -> tuple[float, float, float]:
    """Mean of Z weighted by the reference; its variance over samples and over reference."""
    weight = sum(len(cell.b) for cell in kept)
    found = [(len(cell.b), *cell.left_out()) for cell in kept]
    total = sum(w * z for w, z, _, _ in found)
    value = total / weight
    no_sample = [(total + w * (less - z)) / weight for w, z, less, _ in found]
    no_reference = [
        (total - w * z + (w - 1) * less) / max(weight - 1, 1) for w, z, _, less in found
    ]
    return value, _jackknife(no_sample, value, n), _jackknife(no_reference, value, m)


def _jackknife(left_out: list[NDArray[np.float64]], value: float, n: int) -> float:
    """Variance from the values without one of n points; points of no counted cell add none."""
    shift = np.concatenate(left_out) - value
    return max(float((n - 1) / n * ((shift**2).sum() - shift.sum() ** 2 / n)), 0.0)


class CTScore(TrainedMetric):
    """`ct_score` over all the batches seen.

    Args:
        cells: See `ct_score`.
        seed: See `ct_score`.
        kwargs: Passed to `torchmetrics.Metric`.
    """

    def __init__(self, cells: int = 5, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = cells
        self.seed = seed

    def _estimate(self) -> Estimate:
        return ct_score(*self.all_three(), self.cells, self.seed)
