r"""Mode coverage: how many of K known modes a model produces, and how evenly.

Srivastava et al., VEEGAN, NeurIPS 2017, arXiv:1705.07761, and Lin et al., PacGAN, NeurIPS 2018,
arXiv:1712.04086. A sample is of high quality when it lies within 3 sigma of its nearest mode; a
mode is captured when it owns such a sample. The "reverse KL" of these papers compares the
histogram of modes with the uniform law:

    KL(h || uniform) = log K - H(h),    H(h) = -sum_k h_k log h_k,  in nats.

PacGAN's code takes h over the high-quality samples on ring and grid; on Stacked MNIST every
sample has a class and all of them count.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..checks import as_points
from ..estimate import Estimate, EstimatedMetric, share_estimate
from ..numerics.neighbours import nearest_neighbours

Histogram = Literal["high-quality", "all"]


def nearest_mode(samples: Tensor, centers: Tensor, radius: Tensor | float) -> Tensor:
    """Labels each sample with its nearest mode, or with -1 beyond the radius.

    Args:
        samples: Points, shape `(N, *shape)`.
        centers: Modes, shape `(K, *shape)`.
        radius: 3 sigma, a number or one for each mode, shape `(K,)`; infinity labels all samples.

    Returns:
        Indices in 0..K-1 or -1, int64, shape `(N,)`; of equally near modes the first.

    Raises:
        ValueError: Event shapes differ, or points are NaN or infinite.
    """
    x, c = as_points("samples", samples, least=1), as_points("centers", centers, least=1)
    if samples.shape[1:] != centers.shape[1:]:
        raise ValueError(
            f"Expected samples and centers of one event shape, "
            f"got {tuple(samples.shape[1:])} and {tuple(centers.shape[1:])}."
        )
    distance, mode = (found[:, 0] for found in nearest_neighbours(x, c.to(x.device), 1))
    reach = torch.as_tensor(radius, dtype=x.dtype, device=x.device).expand(len(c))
    return torch.where(distance <= reach[mode], mode, -1)


def mode_coverage(
    labels: Tensor,
    modes: int,
    nearest: Tensor | None = None,
    histogram: Histogram = "high-quality",
) -> dict[str, Estimate]:
    """Counts captured modes, the share of high-quality samples, and the reverse KL.

    Args:
        labels: Mode in 0..K-1 of each sample, -1 for a sample within no mode, int64, shape `(N,)`.
        modes: Number K of modes.
        nearest: Nearest mode of each sample whatever its quality, shape `(N,)`, for
            `histogram="all"`; labels are used in its place if none of them is -1.
        histogram: "high-quality" takes the histogram of the reverse KL over high-quality samples
            (ring and grid), "all" over all samples (Stacked MNIST).

    Returns:
        `modes_captured` (of K), `high_quality` (share in [0, 1]) and `reverse_kl` (nats, in
        [0, log K]; NaN when its histogram is empty). The entropy of the histogram of a perfect
        sampler is low by about (K - 1) / 2n, which the note of `reverse_kl` says where it matters.

    Raises:
        ValueError: Labels that are no modes, fewer than two samples, or `histogram="all"` without
            the nearest mode of samples labelled -1.
    """
    counts = _counts("labels", labels, modes)
    n, good = len(labels), int(counts.sum())
    share = good / n
    return {
        "modes_captured": _captured(counts, n),
        "high_quality": share_estimate(share, share * (1 - share) / (n - 1), n, shared=0.0),
        "reverse_kl": _reverse_kl(_histogram(labels, counts, modes, nearest, histogram), modes),
    }


def _counts(name: str, labels: Tensor, modes: int) -> Tensor:
    """How many labels each mode has, shape `(K,)`; -1 is not counted."""
    if labels.ndim != 1 or labels.is_floating_point() or labels.dtype == torch.bool:
        got = f"{labels.dtype} of shape {tuple(labels.shape)}"
        raise ValueError(f"Expected {name} to be integers of shape (N,), got {got}.")
    if len(labels) < 2:
        raise ValueError(f"Expected at least 2 {name}, got {len(labels)}.")
    low, high = int(labels.min()), int(labels.max())
    if low < -1 or high >= modes:
        raise ValueError(f"Expected {name} in -1..{modes - 1}, got {low}..{high}.")
    return torch.bincount(labels.long()[labels >= 0], minlength=modes).cpu().double()


def _histogram(
    labels: Tensor, counts: Tensor, modes: int, nearest: Tensor | None, histogram: Histogram
) -> Tensor:
    if histogram == "high-quality":
        return counts
    if histogram != "all":
        raise ValueError(f'Expected histogram "high-quality" or "all", got "{histogram}".')
    every = counts if nearest is None else _counts("nearest", nearest, modes)
    if int(every.sum()) != len(labels):
        raise ValueError(
            f'Expected the nearest mode of all {len(labels)} samples for histogram="all", '
            f"got {int(every.sum())}."
        )
    return every


def _captured(counts: Tensor, n: int) -> Estimate:
    """Number of modes with a sample, and its standard error from an empirical Bayes model.

    The counts are Poisson with means lambda ~ Gamma(a, a / mean), a of maximum likelihood. Given a
    mode's count c, E exp(-t lambda) = (1 + t / (1 + a / mean))^-(a + c). Modes of more than 20
    samples are certain to be captured and would only spoil the fit.
    """
    seen = float((counts > 0).sum())
    few = counts[counts <= 20]
    if not bool(few.any()):
        return Estimate(seen, 0.0, n, f"of {len(counts)} modes")
    a, mean = _gamma_shape(few), few.mean()
    shape, rate = a + few, 1 + a / mean
    missed, missed_twice = ((1 + t / rate) ** -shape for t in (1, 2))
    with_total = (
        shape / rate * (1 + 1 / rate) ** -(shape + 1)
    ).sum()  # sum of lambda exp(-lambda)
    variance = float((missed - missed_twice).sum() - with_total**2 / n)
    # To a thousandth of a mode: what is below is the model of the counts, not the data.
    stderr = round(math.sqrt(max(variance, 0.0)), 3)
    return Estimate(seen, stderr, n, f"of {len(counts)} modes", shared=0.0)


def _gamma_shape(counts: Tensor) -> Tensor:
    """Shape a of the Gamma law whose Poisson mixture fits the counts best, on a grid of log a."""
    a = torch.logspace(-2, 4, 121, dtype=counts.dtype)[:, None]
    mean = counts.mean()
    fit = (
        (a + counts).lgamma() - a.lgamma() + a * (a / (a + mean)).log() - counts * (a + mean).log()
    )
    return a[fit.sum(dim=1).argmax(), 0]


def _reverse_kl(counts: Tensor, modes: int) -> Estimate:
    """Returns log K - H; its standard error smooths the counts as for the captured modes."""
    n = int(counts.sum())
    if n < 2:
        return Estimate(math.nan, math.nan, n, "fewer than two samples within a mode")
    share = counts / n
    value = max(math.log(modes) + float(torch.xlogy(share, share).sum()), 0.0)
    a, mean = _gamma_shape(counts), counts.mean()
    stderr = math.sqrt(_entropy_variance((a + counts) / (1 + a / mean))) / n
    bias = (int((counts > 0).sum()) - 1) / (2 * n)
    note = f"high by about {bias:.2g}, the entropy's bias at this n" if bias > stderr / 4 else ""
    return Estimate(value, stderr, n, note, shared=0.0)


def _entropy_variance(rate: Tensor) -> float:
    """Variance of sum_k n_k log n_k at a fixed total, of Poisson n_k with means `rate`."""
    slope = rate.log() + 1
    variance, with_total = rate * slope.square() + 0.5, rate * slope  # a Taylor series, for many
    few = rate < 40
    k = torch.arange(120, dtype=rate.dtype)
    law = (torch.xlogy(k, rate[few, None]) - rate[few, None] - (k + 1).lgamma()).exp()
    term, next_term = torch.xlogy(k, k), torch.xlogy(k + 1, k + 1)
    variance[few] = law @ term.square() - (law @ term).square()
    with_total[few] = rate[few] * (law @ (next_term - term))
    # The fixed total takes away its first order, and one of the halves of the second.
    return max(float(variance.sum() - with_total.sum() ** 2 / rate.sum()) - 0.5, 0.0)


class ModeCoverage(EstimatedMetric):
    """`mode_coverage` over all the batches seen.

    Args:
        histogram: See `mode_coverage`.
        kwargs: Passed to `torchmetrics.Metric`.
    """

    unit: ClassVar[dict[str, str]] = {
        "modes_captured": "",
        "high_quality": "",
        "reverse_kl": "nats",
    }
    higher_is_better: Any = {  # noqa: RUF012
        "modes_captured": True,
        "high_quality": True,
        "reverse_kl": False,
    }
    shares = "none"

    labels: list[Tensor]
    nearest: list[Tensor]
    modes: Tensor

    def __init__(self, histogram: Histogram = "high-quality", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.histogram: Histogram = histogram
        self.add_rows("labels", "nearest")
        self.add_state("modes", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="max")

    def update(self, labels: Tensor, modes: int, nearest: Tensor | None = None) -> None:
        """Adds a batch of labels (and nearest modes), shape `(N,)`, of K = `modes` modes."""
        seen = int(self.modes)
        if modes < 1 or seen not in (0, modes):
            raise ValueError(f"Expected modes {'>= 1' if not seen else f'= {seen}'}, got {modes}.")
        self.modes = torch.full_like(self.modes, modes)
        near = labels if nearest is None else nearest
        # The histogram over all samples may need it; a batch without one says so by its labels.
        self.append_rows(labels=labels, nearest=near)

    def _estimate(self) -> dict[str, Estimate]:
        nearest = self.rows("nearest") if self.histogram == "all" else None
        return mode_coverage(self.rows("labels"), int(self.modes), nearest, self.histogram)
