r"""Wasserstein distance of order 2 between two sets of points, exactly.

    W_2^2 = min_pi sum_ij pi_ij |x_i - y_j|^2 over couplings pi of the two empirical laws,

by the network simplex of POT (Flamary et al., POT: Python Optimal Transport, JMLR 22, 2021).

Standard error: del Barrio & Loubes, Central limit theorems for empirical transportation cost in
general dimension, Annals of Probability 47 (2019): around its expectation W_2^2 is asymptotically
normal, with the variance of the optimal potentials.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from ..numerics.moments import centred
from ..numerics.pairwise import squared_distances
from ..numerics.sorting import content_order
from .sliced_wasserstein import root_estimate, sliced_wasserstein

_ITERATIONS = 10_000_000
ROUNDING = 1e-13  # of the cost of the optimum, beside the largest cost


def wasserstein(samples: Tensor, reference: Tensor) -> Estimate:
    """Returns W_2 (the root).

    Costs O(N^3 log N) time and O(N M) memory on the processor (2,000 points a side: some seconds),
    and O(N log N) where D = 1. Empirical W_2 is biased upwards, by about n^(-1/D) for D above 4.

    Args:
        samples: Points or features, shape `(N, *shape)` or `(N,)`.
        reference: Points or features, shape `(M, *shape)` or `(M,)`.

    Raises:
        ValueError: See `checks.as_pair`.
        RuntimeError: The solver stopped short of the optimum.
    """
    import ot  # slow to import, and other metrics do without

    x, y = as_pair(samples, reference)
    if x.shape[1] == 1:
        return sliced_wasserstein(x, y)
    # The potentials are not unique: which ones come out depends on the order of the rows.
    x, y = x[content_order(x)], y[content_order(y)]
    cost = squared_distances(*centred(x, y)).cpu()
    scale = float(cost.max()) or 1.0
    relative, found = ot.emd2([], [], (cost / scale).numpy(), numItermax=_ITERATIONS, log=True)
    if found["warning"]:
        raise RuntimeError(f"Expected POT to reach the optimum, got: {found['warning']}")
    f, g = torch.as_tensor(found["u"]) * scale, torch.as_tensor(found["v"]) * scale
    variances = [float(f.var()) / len(x), float(g.var()) / len(y)]
    square = float(relative) * scale if relative > ROUNDING else 0.0
    return root_estimate(square, variances, len(x))


class Wasserstein(TwoSampleMetric):
    """`wasserstein` of all points seen."""

    higher_is_better = False

    def _estimate(self) -> Estimate:
        return wasserstein(*self.both())
