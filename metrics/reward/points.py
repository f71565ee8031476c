"""The rewards of points: the best of a sampler's, and whether its probabilities rank them.

The mean of the best hundred of a sample, and the rank correlation between log p(x) of a sampler
and log R(x) on given points, are the two numbers of Malkin et al. 2022 (arXiv:2201.13259,
section 5.3) and Madan et al. 2023 (arXiv:2209.12782).
"""

from __future__ import annotations

from typing import Any

import torch
from scipy import stats
from torch import Tensor

from ..estimate import Estimate, EstimatedMetric
from ..numerics.jackknife import block_jackknife
from ..numerics.row_mean import rows_of

BEST = 100


def top_reward(log_reward_samples: Tensor, k: int = BEST) -> Estimate:
    """Returns the mean log-reward of the k best of n draws.

    An exact sampler has a value of its own, and more is not more faithful: it grows with n, and
    with a sampler that prefers high rewards.

    Args:
        log_reward_samples: log R of draws, in nats, shape `(N,)`.
        k: Number of the best.

    Returns:
        In nats, with the standard error of a block jackknife whose blocks keep the share k / N.

    Raises:
        ValueError: Not a vector of more than k >= 1 rows; NaN or +infinity.
    """
    log_r = rows_of("log_reward_samples", log_reward_samples)
    n = len(log_r)
    if not 1 <= k < n:
        raise ValueError(f"Expected more than k = {k} >= 1 rows, got {n}.")

    def best(rows: Tensor) -> float:
        return float(rows.topk(max(1, round(k * len(rows) / n))).values.mean())

    value = best(log_r)
    stderr = block_jackknife(best, log_r.clamp(min=-1e30))
    note = "" if stderr > 0 else "the best all have the highest reward seen"
    return Estimate(value, stderr, n, note, shared=0.0)


def reward_correlation(log_prob_points: Tensor, log_reward_points: Tensor) -> Estimate:
    """Returns Spearman's rank correlation of log p(x) and log R(x) over points.

    Args:
        log_prob_points: What a model says of log p at the points, in nats, shape `(B,)`.
        log_reward_points: log R there, in nats, shape `(B,)`.

    Returns:
        In [-1, 1], with the standard error of a block jackknife over points.

    Raises:
        ValueError: Not two vectors of one length of ten rows at least; NaN or +infinity; one of
            them is constant.
    """
    a, b = (
        rows_of("log_prob_points", log_prob_points),
        rows_of("log_reward_points", log_reward_points),
    )
    if len(a) != len(b) or len(a) < 10:
        raise ValueError(f"Expected 10 rows at least of one length, got {len(a)} and {len(b)}.")
    if a.min() == a.max() or b.min() == b.max():
        raise ValueError(
            "Expected log_prob_points and log_reward_points that vary, got a constant."
        )
    rows = torch.stack([a, b], dim=1).clamp(min=-1e30)
    stderr = block_jackknife(_spearman, rows)
    note = "" if stderr > 0 else "the same in every block"
    return Estimate(_spearman(rows), stderr, len(a), note)


def _spearman(rows: Tensor) -> float:
    pair = rows.cpu().numpy()
    return float(stats.spearmanr(pair[:, 0], pair[:, 1]).statistic)


class TopReward(EstimatedMetric):
    """`top_reward` of all draws seen.

    Args:
        k: Number of the best.
    """

    unit = "nats"
    higher_is_better = None
    shares = "none"

    log_reward_samples: list[Tensor]

    def __init__(self, k: int = BEST, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k
        self.add_rows("log_reward_samples")

    def update(self, log_reward_samples: Tensor) -> None:
        """Adds log R of draws, in nats, shape `(N,)`."""
        self.append_rows(log_reward_samples=log_reward_samples)

    def _estimate(self) -> Estimate:
        return top_reward(self.rows("log_reward_samples"), self.k)


class RewardCorrelation(EstimatedMetric):
    """`reward_correlation` over all points seen."""

    higher_is_better = True

    log_prob_points: list[Tensor]
    log_reward_points: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_rows("log_prob_points", "log_reward_points")

    def update(self, log_prob_points: Tensor, log_reward_points: Tensor) -> None:
        """Adds log p and log R at the same points, in nats, both of shape `(B,)`."""
        if len(log_prob_points) != len(log_reward_points):
            got = f"{len(log_prob_points)} and {len(log_reward_points)}"
            raise ValueError(f"Expected as many log_prob_points as log_reward_points, got {got}.")
        self.append_rows(log_prob_points=log_prob_points, log_reward_points=log_reward_points)

    def _estimate(self) -> Estimate:
        return reward_correlation(self.rows("log_prob_points"), self.rows("log_reward_points"))
