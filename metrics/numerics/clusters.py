"""Clusters of k-means, the same for any order of rows and number of threads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from .neighbours import nearest_neighbours
from .sorting import shuffled_order


def cluster_centers(x: Tensor, k: int, seed: int) -> Tensor:
    """Returns k centres of k-means, shape `(k, D)`, for any order of rows or number of threads.

    Args:
        x: Rows, float64, shape `(N, D)`.
        k: Number of clusters.
        seed: Seed of k-means++.
    """
    from sklearn.cluster import KMeans  # slow to import, and most metrics do without

    rows = (x - x.mean(dim=0))[shuffled_order(x)].cpu().numpy()
    with threadpool_limits(1):
        found = KMeans(k, n_init=1, random_state=seed).fit(rows).cluster_centers_
    return torch.as_tensor(found, dtype=x.dtype, device=x.device) + x.mean(dim=0)


def nearest_center(x: Tensor, centers: Tensor) -> NDArray[np.int64]:
    """Returns the index of each row's nearest centre, shape `(N,)`."""
    return nearest_neighbours(x, centers)[1][:, 0].cpu().numpy()
