"""Tests over several tasks at once: a row of numbers a task, a column a model.

Demsar, Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006. Each task
counts once; what a number's own error bar says is not used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

MOST_MODELS = 12  # among more, the critical difference separates nobody
LEVEL = 0.05


@dataclass(frozen=True)
class CriticalDifference:
    """Friedman's test, and the distance of mean ranks above which two models differ (Nemenyi).

    Attributes:
        ranks: Mean rank over tasks, by model, 1 the best; equal numbers share their ranks.
        difference: The critical difference of two mean ranks at the level of 5 %.
        p: Of Friedman's test that all models are alike.
        tasks: Number of tasks.
    """

    ranks: Mapping[str, float]
    difference: float
    p: float
    tasks: int

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Largest sets of models, in the order of rank, that are not told apart."""
        names = sorted(self.ranks, key=lambda name: self.ranks[name])
        found: list[tuple[str, ...]] = []
        for first, name in enumerate(names):
            reach = self.ranks[name] + self.difference
            group = tuple(other for other in names[first:] if self.ranks[other] <= reach)
            if len(group) > 1 and not (found and set(group) <= set(found[-1])):
                found.append(group)
        return found


def critical_difference(scores: ArrayLike, models: Sequence[str]) -> CriticalDifference:
    """Ranks models on every task.

    Args:
        scores: Higher is better, shape `(T, M)`, without gaps.
        models: Their M names.

    Raises:
        ValueError: Fewer than two tasks, or not 3 to 12 models, or numbers that are not finite.
    """
    table = _checked(scores, models)
    T, M = table.shape
    if not 3 <= M <= MOST_MODELS:
        raise ValueError(f"Expected 3 to {MOST_MODELS} models, got {M}.")
    ranks = stats.rankdata(-table, axis=1).mean(0)
    quantile = float(stats.studentized_range.ppf(1 - LEVEL, M, math.inf)) / math.sqrt(2)
    different = bool((table != table[:, :1]).any())
    p = float(stats.friedmanchisquare(*table.T).pvalue) if different else 1.0
    return CriticalDifference(
        dict(zip(models, ranks.tolist(), strict=True)),
        quantile * math.sqrt(M * (M + 1) / (6 * T)),
        p,
        T,
    )


def wilcoxon_holm(scores: ArrayLike, models: Sequence[str]) -> dict[tuple[str, str], float]:
    """Returns two-sided p-values of Wilcoxon's signed ranks of each pair, corrected by Holm.

    Args:
        scores: Higher is better, shape `(T, M)`, without gaps.
        models: Their M names.

    Raises:
        ValueError: Fewer than two tasks or models, or numbers that are not finite.
    """
    table = _checked(scores, models)
    raw = {}
    for (a, first), (b, second) in combinations(enumerate(models), 2):
        apart = table[:, a] - table[:, b]
        raw[first, second] = float(stats.wilcoxon(apart).pvalue) if apart.any() else 1.0
    return holm(raw)


def holm(raw: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Returns p-values corrected together: the k-th smallest of m times m - k + 1, never falling.

    Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    found, largest = {}, 0.0
    for rank, pair in enumerate(sorted(raw, key=lambda pair: raw[pair])):
        largest = max(largest, min(1.0, raw[pair] * (len(raw) - rank)))
        found[pair] = largest
    return found


def tasks_needed(models: int) -> int:
    """Returns how many tasks Wilcoxon's test with Holm's correction needs to tell any pair apart.

    The smallest p-value of T tasks is 2 / 2^T, and the first of m pairs is judged at 5 % / m.
    """
    pairs = models * (models - 1) // 2
    return math.ceil(math.log2(2 * max(pairs, 1) / LEVEL))


def rank_intervals(
    values: ArrayLike, errors: ArrayLike, draws: int = 2000, seed: int = 0
) -> list[tuple[int, int]]:
    """Returns the ranks, 1 the best, that hold 95 % of each number's under its error.

    Numbers are drawn anew from normal laws with their standard errors and ranked.

    Args:
        values: Higher is better, shape `(M,)`.
        errors: Standard errors, shape `(M,)`.
        draws: How often they are drawn.
        seed: Seed of the draws.

    Raises:
        ValueError: Not as many errors as values, or numbers that are not finite.
    """
    mean, error = np.asarray(values, float), np.asarray(errors, float)
    if mean.shape != error.shape or not (np.isfinite(mean).all() and np.isfinite(error).all()):
        raise ValueError("Expected as many finite errors as finite values.")
    drawn = mean + error * np.random.default_rng(seed).standard_normal((draws, len(mean)))
    ranks = stats.rankdata(-drawn, axis=1, method="min")
    low, high = np.quantile(ranks, [0.025, 0.975], axis=0, method="nearest")
    return [(int(a), int(b)) for a, b in zip(low, high, strict=True)]


def _checked(scores: ArrayLike, models: Sequence[str]) -> NDArray[np.float64]:
    table = np.asarray(scores, float)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] != len(models) or len(models) < 2:
        raise ValueError(
            f"Expected scores of two tasks or more, a column for each of {len(models)} models, "
            f"got shape {table.shape}."
        )
    if not np.isfinite(table).all():
        raise ValueError("Expected finite scores; a model that lacks a task is left out first.")
    return table
