r"""Inception score: are single predictions sharp, and all together diverse?

Salimans et al., Improved techniques for training GANs, arXiv:1606.03498, section 4:

    IS = exp E_x KL(p(y | x) || p(y)),      p(y) = E_x p(y | x),

between 1 and the number of classes. It sees no reference: a memoriser does well.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..checks import as_points
from ..estimate import Estimate, EstimatedMetric
from ..numerics.sorting import shuffled_order


def inception_score(probabilities: Tensor, splits: int = 1, seed: int = 0) -> Estimate:
    """Returns the Inception score of class probabilities.

    The published protocol is `splits=10`: the mean over ten parts, each biased by its smaller n.
    Its standard error is that of a mean over independent parts, not their standard deviation,
    which papers print. With one part it is the delta method's: p(y) moves the score in second
    order only, so each point counts by its own divergence.

    Args:
        probabilities: p(y | x) of each generated point, shape `(N, K)`; rows sum to 1.
        splits: Number of parts.
        seed: Seed of the deal into parts, which does not depend on the order of the rows.

    Raises:
        ValueError: Not probabilities, or fewer than two points a part.
    """
    p = _probabilities(probabilities, least=2 * splits)
    if splits == 1:
        divergences = _divergences(p)
        value = math.exp(float(divergences.mean()))
        stderr = value * float(divergences.std()) / math.sqrt(len(p))
        return Estimate(value, stderr, len(p), shared=0.0)
    parts = p[shuffled_order(p, seed)].tensor_split(splits)
    scores = torch.stack([_divergences(part).mean().exp() for part in parts])
    stderr = float(scores.std()) / math.sqrt(splits)
    return Estimate(float(scores.mean()), stderr, len(p), f"Mean over {splits} parts.", shared=0.0)


class InceptionScore(EstimatedMetric):
    """`inception_score` of all points seen.

    Args:
        splits: As in `inception_score`.
        seed: As in `inception_score`.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = True
    shares = "none"

    def __init__(self, splits: int = 1, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.splits, self.seed = splits, seed
        self.add_rows("probabilities")

    def update(self, probabilities: Tensor) -> None:
        """Adds class probabilities, shape `(B, K)`."""
        self.append_rows(probabilities=probabilities)

    def _estimate(self) -> Estimate:
        return inception_score(self.rows("probabilities"), self.splits, self.seed)


def _probabilities(probabilities: Tensor, least: int) -> Tensor:
    if least < 2:
        raise ValueError(f"Expected at least 1 split, got {least // 2}.")
    p = as_points("probabilities", probabilities, least)
    sums = p.sum(dim=1, keepdim=True)
    if probabilities.ndim != 2 or bool((p < 0).any()) or bool(((sums - 1).abs() > 1e-2).any()):
        raise ValueError(
            f"Expected probabilities of shape (N, K) with rows that sum to 1, got shape "
            f"{tuple(probabilities.shape)}, least entry {float(p.min()):.3g}, sums from "
            f"{float(sums.min()):.3g} to {float(sums.max()):.3g}."
        )
    return p / sums  # single and half precision miss 1 by their rounding


def _divergences(p: Tensor) -> Tensor:
    """KL(p(y | x_i) || p(y)) in nats, shape `(N,)`."""
    mean = p.mean(dim=0)
    return (torch.xlogy(p, p) - torch.xlogy(p, mean)).sum(dim=1)
