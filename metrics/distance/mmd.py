r"""Squared maximum mean discrepancy and its permutation test.

Gretton, Borgwardt, Rasch, Schoelkopf & Smola, A kernel two-sample test, JMLR 13 (2012), eq. 3
(unbiased) and 5 (biased):

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y).

One Gaussian of median width is blind to fine structure, so the default kernel is the mean of
Gaussians exp(-|x - y|^2 / (2 h^2)) with h = 1/8, 1/4, 1/2, 1, 2 times the median distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from ..numerics.moments import centred, middle
from ..numerics.pairwise import (
    Kernel,
    median_distance,
    pair_means,
    squared_distances,
    tile_size,
    tiles,
)
from ..numerics.sorting import content_order

_WIDTHS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)


class GaussianKernel:
    """Mean of Gaussian kernels exp(-|x - y|^2 / (2 h^2)) over a bank of widths h.

    Args:
        widths: The widths, all positive.

    Raises:
        ValueError: No width, or one that is not positive.
    """

    def __init__(self, *widths: float) -> None:
        if not widths or min(widths) <= 0:
            raise ValueError(f"Expected positive widths, got {widths}.")
        self.widths = sorted(widths, reverse=True)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Returns the kernel of rows `(N, D)` and `(M, D)`, shape `(N, M)`."""
        distances = squared_distances(x, y)
        power = torch.exp(distances / (-2 * self.widths[0] ** 2))
        total = power.clone() if len(self.widths) > 1 else power
        for wider, width in zip(self.widths, self.widths[1:], strict=False):
            if wider == 2 * width:  # half the width is the fourth power: cheaper than another exp
                power.square_().square_()
            else:
                power = torch.exp(distances / (-2 * width**2))
            total += power
        return total.div_(len(self.widths))


def gaussian_bank(reference: Tensor, relative: Sequence[float] = _WIDTHS) -> GaussianKernel:
    """Returns the default kernel: widths relative to the median distance of rows `(M, D)`."""
    median = median_distance(reference)
    return GaussianKernel(*(factor * median for factor in relative))


def mmd(
    samples: Tensor, reference: Tensor, kernel: Kernel | None = None, unbiased: bool = True
) -> Estimate:
    """Returns MMD^2. O((N + M)^2 D) time, memory linear in N + M.

    The standard error is that of the U-statistic for a fixed kernel; the median's own noise is not
    in it.

    Args:
        samples: Points or features, shape `(N, *shape)`.
        reference: Points or features, shape `(M, *shape)`.
        kernel: Maps rows `(B, D)` and `(C, D)`, float64, to a fresh `(B, C)`; the bank by default,
            with widths relative to the reference's median distance.
        unbiased: The U-statistic, which can fall below zero; else the V-statistic.

    Raises:
        ValueError: See `checks.as_pair`.
    """
    x, y = as_pair(samples, reference)
    kernel = gaussian_bank(y) if kernel is None else kernel
    if isinstance(kernel, GaussianKernel):  # sees differences only, and an offset costs digits
        x, y = centred(x, y)
    return pair_means(kernel, x, y).estimate(unbiased)


def mmd_test(
    samples: Tensor,
    reference: Tensor,
    kernel: Kernel | None = None,
    permutations: int = 500,
    seed: int = 0,
) -> Estimate:
    """Returns the p-value of the permutation test of P = Q on the unbiased MMD^2.

    p = (1 + number of permutations with MMD^2 at or above the observed) / (1 + permutations):
    valid at every n, because the default bank takes its widths from both samples together. The
    note tells MMD^2. O((N + M)^2 (D + permutations)) time, O((N + M) permutations) memory.

    A p-value belongs to the data at hand: over fresh data it is uniform under P = Q and estimates
    nothing. So the standard error is, other than elsewhere, that of the permutations alone, by
    which p strays from the p-value of all relabellings: with B of them, K at or above,
    sqrt(B s (1 - s)) / (B + 1) at s = (K + 1) / (B + 2), which is never 0 (the posterior mean of a
    share under a uniform prior; Davison & Hinkley, Bootstrap Methods, 1997, section 4.2.5, for
    the error).

    Args:
        samples: Points or features, shape `(N, *shape)`.
        reference: Points or features, shape `(M, *shape)`.
        kernel: As in `mmd`; must not depend on which sample a point is in.
        permutations: Number of random relabellings.
        seed: Seed of the relabellings, which do not depend on the order of the rows.

    Raises:
        ValueError: See `checks.as_pair`; or fewer than one permutation.
    """
    if permutations < 1:
        raise ValueError(f"Expected at least one permutation, got {permutations}.")
    x, y = as_pair(samples, reference)
    pool = torch.cat([x, y])
    kernel = gaussian_bank(pool) if kernel is None else kernel
    order = content_order(pool)
    pool = pool[order]
    pool = pool - middle(pool) if isinstance(kernel, GaussianKernel) else pool
    labels = (order < len(x)).to(pool.dtype)[:, None]
    labels = torch.cat([labels, _relabel(pool, len(x), permutations, seed)], dim=1)
    observed, *others = relabelled_mmd(kernel, pool, labels).tolist()
    slack = 1e-12 * max(map(abs, [observed, *others]))  # a tie counts, whatever its rounding
    above = sum(other >= observed - slack for other in others)
    share = (above + 1) / (permutations + 2)
    stderr = math.sqrt(permutations * share * (1 - share)) / (permutations + 1)
    note = f"Unbiased MMD^2 = {observed:.6g}; {permutations} permutations."
    return Estimate((above + 1) / (permutations + 1), stderr, len(x), note, shared=0.0)


def _relabel(pool: Tensor, n: int, permutations: int, seed: int) -> Tensor:
    """Returns random labels, 1 for n of the points, shape `(N + M, P)`."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.zeros(len(pool), permutations, dtype=pool.dtype)
    for p in range(permutations):
        labels[torch.randperm(len(pool), generator=generator)[:n], p] = 1
    return labels.to(pool.device)


def relabelled_mmd(kernel: Kernel, pool: Tensor, labels: Tensor) -> Tensor:
    """Returns the unbiased MMD^2 of each labelling, shape `(P,)`.

    With s a column of labels, the sums within and across are s^T K s, s^T K 1 - s^T K s and the
    rest, K without diagonal.

    Args:
        kernel: Symmetric.
        pool: Rows of both sides, shape `(N + M, D)`.
        labels: 1 for a sample, 0 for a reference point, shape `(N + M, P)`; all columns have one
            sum.
    """
    within, sums = pool.new_zeros(labels.shape[1]), pool.new_zeros(len(pool))
    for rows, columns in tiles(len(pool), len(pool), tile_size(pool)):
        tile = kernel(pool[rows], pool[columns])
        if rows.start == columns.start:
            tile.fill_diagonal_(0)
        within += (labels[rows] * (tile @ labels[columns])).sum(dim=0)
        sums[rows] += tile.sum(dim=1)
    n = float(labels[:, 0].sum())
    m = len(pool) - n
    across = labels.mT @ sums - within
    rest = sums.sum() - 2 * across - within
    return within / (n * (n - 1)) + rest / (m * (m - 1)) - 2 * across / (n * m)


class MMD(TwoSampleMetric):
    """`mmd` of all points seen.

    Args:
        kernel: As in `mmd`.
        unbiased: As in `mmd`.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = False

    def __init__(self, kernel: Kernel | None = None, unbiased: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel, self.unbiased = kernel, unbiased

    def _estimate(self) -> Estimate:
        return mmd(*self.both(), kernel=self.kernel, unbiased=self.unbiased)


class MMDTest(TwoSampleMetric):
    """`mmd_test` of all points seen; `compute` is the p-value.

    Its error is that of the relabellings, which are drawn anew for other samples.

    Args:
        kernel: As in `mmd_test`.
        permutations: As in `mmd_test`.
        seed: As in `mmd_test`.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = None
    shares = "none"

    def __init__(
        self,
        kernel: Kernel | None = None,
        permutations: int = 500,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel, self.permutations, self.seed = kernel, permutations, seed

    def _estimate(self) -> Estimate:
        return mmd_test(*self.both(), self.kernel, self.permutations, self.seed)
