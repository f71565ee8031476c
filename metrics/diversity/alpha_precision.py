r"""Integrated alpha-precision and beta-recall: fidelity and diversity from core to outliers.

Alaa, van Breugel, Saveliev & van der Schaar, How Faithful is your Synthetic Data?, ICML 2022,
arXiv:2102.08921. The alpha-support of the reference is the ball around its centre that holds a
share alpha of it. P_alpha is the share of samples in the alpha-support of the reference; R_beta is
the share of reference points y whose nearest sample x* lies no farther from y than y's nearest
other reference point, and is among the share beta of all those x* that lie nearest to the samples'
centre. A perfect model has P_alpha = alpha and, but for the neighbours' condition, R_beta = beta:

    alpha-precision = 1 - 2 int_0^1 |P_alpha - alpha| dalpha,    beta-recall likewise.

The paper embeds the data by a net that maps the reference to a sphere (one-class embedding); here
the points are taken as they come, and centres are means: hand over features of your choice. The
balls of beta-recall are those of the authors' code (quantiles among the nearest samples, not among
all), from which published numbers come. Samples of the reference's own law have an alpha-precision
of 1 and, since the nearest of as many others is one's own side half of the time, a beta-recall of
1/2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric
from ..numerics.halves import estimate_by_halves
from ..numerics.neighbours import TIE, nearest_neighbours


def alpha_precision(samples: Tensor, reference: Tensor, stderr: bool = True) -> Estimate:
    """Measures fidelity: how closely samples fill the reference's balls, from outlier to core.

    Args:
        samples: x ~ model, shape `(N, *shape)`.
        reference: y ~ data, shape `(M, *shape)`.
        stderr: Whether the standard error is estimated, which takes most of the time; else NaN.

    Returns:
        A number in [0, 1]. Time is O((N + M)(D + log M)), for the error bar forty times as much.

    Raises:
        ValueError: See `checks.as_pair`.
    """
    return estimate_by_halves(_alpha, *as_pair(samples, reference), 2, stderr)


def beta_recall(samples: Tensor, reference: Tensor, stderr: bool = True) -> Estimate:
    """Measures diversity: how much of the reference has samples near, from outlier to core.

    Args and errors as in `alpha_precision`.

    Returns:
        A number in [0, 1]. Time is O((N + M) M D), memory linear; for the error bar about twenty
        times as much.
    """
    return estimate_by_halves(_beta, *as_pair(samples, reference), 2, stderr)


def _alpha(x: Tensor, y: Tensor) -> float:
    centre = y.mean(dim=0)
    radii = (y - centre).norm(dim=1).sort().values
    within = (x - centre).norm(dim=1).sort().values
    # P_alpha for alpha in ((j - 1)/M, j/M]: the share of samples within the j-th radius.
    share = torch.searchsorted(within, radii * (1 + TIE), right=True) / len(x)
    return 1 - 2 * _gap(share.to(torch.float64))


def _beta(x: Tensor, y: Tensor) -> float:
    distance, nearest = nearest_neighbours(y, x)
    gap = nearest_neighbours(y, y, exclude_self=True)[0]
    near = (distance * (1 - TIE) <= gap)[:, 0]
    away = (x[nearest[:, 0]] - x.mean(dim=0)).norm(dim=1)
    radii = away.sort().values
    held = away[near].sort().values
    share = torch.searchsorted(held, radii * (1 + TIE), right=True) / len(y)
    return 1 - 2 * _gap(share.to(torch.float64))


def _gap(share: Tensor) -> float:
    """Integral over [0, 1] of |s(t) - t|, s constant on M equal intervals, shape `(M,)`."""
    ends = torch.arange(len(share) + 1, dtype=torch.float64, device=share.device) / len(share)
    left, right = share - ends[:-1], share - ends[1:]
    # Of t -> |s - t| the integral is -(s - t) |s - t| / 2.
    return float((left * left.abs() - right * right.abs()).sum() / 2)


class AlphaPrecision(TwoSampleMetric):
    """`alpha_precision` over all the batches seen.

    Args:
        stderr: See `alpha_precision`.
        kwargs: Passed to `torchmetrics.Metric`.
    """

    higher_is_better = True

    def __init__(self, stderr: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stderr = stderr

    def _estimate(self) -> Estimate:
        return alpha_precision(*self.both(), self.stderr)


class BetaRecall(AlphaPrecision):
    """`beta_recall` over all the batches seen; arguments as in `AlphaPrecision`."""

    def _estimate(self) -> Estimate:
        return beta_recall(*self.both(), self.stderr)
