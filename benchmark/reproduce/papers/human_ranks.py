"""Whether published metrics rank models as people do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy import stats

from ..comparison import Comparison, Listing
from ..published import those

LEADERBOARD = "stein2023_dinov2_leaderboard"


def human_ranks() -> Iterator[Listing]:
    """Rank correlation of each published metric with how often people are taken in."""
    people = _by_model("human_error_rate")
    datasets = list(dict.fromkeys(dataset for dataset, _ in people))
    lines = []
    for metric in dict.fromkeys(row.metric for row in those(LEADERBOARD)):
        if metric == "human_error_rate":
            continue
        found = _by_model(metric)
        cells = [_agreement(found, people, dataset) for dataset in datasets]
        lines.append((metric, *cells))
    title = (
        "Spearman's correlation with human error, + where a metric ranks as people do (p-value)"
    )
    yield Listing(title, ("Metric", *datasets), lines)


def _by_model(metric: str) -> dict[tuple[str, str], float]:
    """Value by data set and model, turned such that more is better."""
    return {
        (row.dataset, row.method): -row.value if row.direction == "lower" else row.value
        for row in those(LEADERBOARD, metric=metric)
    }


def _agreement(
    found: dict[tuple[str, str], float], people: dict[tuple[str, str], float], dataset: str
) -> str:
    both = [key for key in people if key[0] == dataset and key in found]
    if len(both) < 4:
        return "–"
    result = stats.spearmanr([found[key] for key in both], [people[key] for key in both])
    least = 2 / math.factorial(len(both))  # of the two orders that agree most, among all
    p = max(float(result.pvalue), least)
    return f"{result.statistic:+.2f} ({p:.2g}), {len(both)} models"


HUMAN_RANKS = Comparison(
    "human-ranks",
    "Stein et al. 2023, arXiv:2306.04675, table 11",
    "Whether a metric ranks models as people do: published values of both, no weights needed.",
    "a second",
    "None: no such numbers are published in a table.",
    "",
    human_ranks,
    numbers=(LEADERBOARD,),
)
