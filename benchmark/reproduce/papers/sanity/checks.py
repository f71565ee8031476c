"""Sanity checks of fidelity and diversity: fifteen simple experiments, each with what must show.

Räisä, van Breugel & van der Schaar, Position: All Current Generative Fidelity and Diversity
Metrics are Flawed, ICML 2025, arXiv:2505.22450; experiments, criteria and tolerances are those of
the authors' code. An experiment moves one thing, such as the distance of two normal laws, and asks
of the curve of a metric a value at some places ("bounds") and a shape ("purpose"). A diversity
metric may count what lies far beyond the data as diverse or not, if it does so throughout: it then
passes as "high" or "low".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from .....metrics import (
    alpha_precision,
    beta_recall,
    clipped_coverage,
    clipped_density,
    prdc,
    probabilistic_precision,
    probabilistic_recall,
)
from ...comparison import Comparison, Finding, Listing, part
from ...published import those
from .experiments import (
    Array,
    Draws,
    cube_of_samples,
    cube_of_size,
    deviation_difference,
    discrete_and_continuous,
    dropping_and_invention,
    mean_difference,
    one_against_two,
    one_disjoint_dimension,
    scaled_dimension,
    sequential_dropping,
    simultaneous_dropping,
    sphere_and_torus,
    sphere_surface,
    with_outlier,
    with_pareto,
)
from .rules import (
    Rule,
    Verdict,
    at,
    bell,
    falls,
    falls_by,
    flat,
    low_or_high,
    rises,
    settles,
    wide,
)

FIDELITY = {
    "precision": "I-Prec",
    "density": "Density",
    "clipped_density": "Clipped density",
    "symmetric_precision": "symPrec",
    "probabilistic_precision": "P-Prec",
    "alpha_precision": "IAP",
}
DIVERSITY = {
    "recall": "I-Rec",
    "coverage": "Coverage",
    "clipped_coverage": "Clipped coverage",
    "symmetric_recall": "symRec",
    "probabilistic_recall": "P-Rec",
    "beta_recall": "IBR",
}


def measured_at(real: Array, synthetic: Array) -> dict[str, float]:
    """All fidelity and diversity metrics, of data standardised by the real side."""
    mean, deviation = real.mean(axis=0), real.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    y, x = (torch.from_numpy((side - mean) / deviation) for side in (real, synthetic))
    # k = 3 for precision and recall, by expected coverage for density and coverage, 5 for others.
    of_three = prdc(x, y, 3, stderr=False)
    of_five = prdc(x, y, 5, stderr=False)
    chosen = _enough_neighbours(len(y))
    of_chosen = of_five if chosen == 5 else prdc(x, y, chosen, stderr=False)
    exchanged = prdc(y, x, 5, stderr=False)
    plain = {name: of_three[name].value for name in ("precision", "recall")}
    plain |= {name: of_chosen[name].value for name in ("density", "coverage")}
    plain["symmetric_precision"] = min(of_five["precision"].value, exchanged["coverage"].value)
    plain["symmetric_recall"] = min(of_five["recall"].value, of_five["coverage"].value)
    others: tuple[Callable[..., Any], ...] = (
        clipped_density,
        clipped_coverage,
        probabilistic_precision,
        probabilistic_recall,
        alpha_precision,
        beta_recall,
    )
    return plain | {metric.__name__: metric(x, y, stderr=False).value for metric in others}


def _enough_neighbours(n: int, expected: float = 0.95) -> int:
    """The least k for which n samples of the law of n others cover more than a share of them."""
    missed, k = 1.0, 0
    while 1 - missed <= expected and k < 20:
        k += 1
        missed *= (n - k) / (2 * n - k)
    return k


@dataclass(frozen=True)
class Check:
    """An experiment and what it asks of a metric.

    Attributes:
        title: Its name in the paper.
        draws: Yields group, place, real and synthetic points; the places of a group rise.
        asks: For each desideratum the rules for fidelity and for diversity.
        of_group: Further rules by what the group's name begins with.
    """

    title: str
    draws: Callable[[np.random.Generator], Draws]
    asks: dict[str, tuple[list[Rule], list[Rule]]]
    of_group: dict[str, tuple[list[Rule], list[Rule]]] | None = None


PURPOSE, FEW, DATA, BOUNDS, INVARIANCE = (
    "D1b purpose",
    "D2 hyperparameters",
    "D3 data",
    "D4 bounds",
    "D5 invariance",
)
FIRST, LAST = -math.inf, math.inf


def _both(*rules: Rule) -> tuple[list[Rule], list[Rule]]:
    return list(rules), list(rules)


def _around(middle: float) -> dict[str, tuple[list[Rule], list[Rule]]]:
    """One in the middle, nought at both ends, a bell between."""
    ends = _both(at(middle, 1), at(FIRST, 0), at(LAST, 0))
    return {PURPOSE: _both(bell(middle)), BOUNDS: ends}


def _of_dropping(quantile: float) -> dict[str, tuple[list[Rule], list[Rule]]]:
    return {
        PURPOSE: ([flat], [falls_by(quantile)]),
        BOUNDS: ([at(FIRST, 1), at(LAST, 1)], [at(FIRST, 1)]),
    }


CHECKS = (
    Check("Gaussian Mean Difference", mean_difference, _around(0)),
    Check("Gaussian Mean Difference + Outlier", with_outlier, _around(0)),
    Check("Gaussian Mean Difference + Pareto", with_pareto, _around(0)),
    Check(
        "Gaussian Std. Deviation Difference",
        deviation_difference,
        {
            PURPOSE: ([falls], [low_or_high(bell(0), rises)]),
            BOUNDS: ([at(0, 1), at(FIRST, 1), at(LAST, 0)], [at(0, 1), at(FIRST, 0), wide(LAST)]),
        },
    ),
    Check("Simultaneous Mode Dropping", simultaneous_dropping, _of_dropping(0.95)),
    Check("Sequential Mode Dropping", sequential_dropping, _of_dropping(0.5)),
    Check(
        "Mode Dropping + Invention",
        dropping_and_invention,
        {
            PURPOSE: ([falls], [rises]),
            BOUNDS: ([at(5, 1), at(FIRST, 1)], [at(5, 1), at(LAST, 1)]),
        },
    ),
    Check(
        "Mode Collapse",
        one_against_two,
        {PURPOSE: ([falls], [low_or_high(falls, flat)]), BOUNDS: _both(at(FIRST, 1))},
    ),
    Check("Hypersphere Surface", sphere_surface, _around(1)),
    Check(
        "Hypercube, Varying Sample Size",
        cube_of_size,
        {PURPOSE: _both(at(LAST, 0.2)), DATA: _both(settles)},
    ),
    Check(
        "Hypercube, Varying Syn. Size",
        cube_of_samples,
        {PURPOSE: _both(at(LAST, 0.2)), FEW: _both(settles)},
    ),
    Check(
        "Sphere vs. Torus", sphere_and_torus, {PURPOSE: _both(settles), BOUNDS: _both(at(LAST, 0))}
    ),
    Check(
        "Scaling One Dimension",
        scaled_dimension,
        {INVARIANCE: _both(flat), BOUNDS: _both(at(FIRST, 0), at(LAST, 0))},
    ),
    Check(
        "One Disjoint Dim. + Many Identical Dim.",
        one_disjoint_dimension,
        {PURPOSE: _both(flat), BOUNDS: _both(at(FIRST, 0), at(LAST, 0))},
    ),
    Check(
        "Discrete Num. vs. Continuous Num.",
        discrete_and_continuous,
        {PURPOSE: _both(flat), BOUNDS: ([], [])},
        {
            "real discrete": ([at(FIRST, 0), at(LAST, 0)], [wide(FIRST), wide(LAST)]),
            "real continuous": ([at(FIRST, 1), at(LAST, 1)], [at(FIRST, 0), at(LAST, 0)]),
        },
    ),
)


def curves(check: Check, repeats: int) -> dict[str, dict[str, tuple[Array, Array]]]:
    """Means over repeats: by metric and group the places and the values."""
    found: dict[tuple[str, str], dict[float, list[float]]] = {}
    for repeat in range(repeats):
        points = part(f"{check.title}, {repeat}", partial(_points, check, repeat))
        for group, place, values in points:
            for metric, value in values.items():
                found.setdefault((metric, group), {}).setdefault(place, []).append(value)
    means: dict[str, dict[str, tuple[Array, Array]]] = {}
    for (metric, group), at_places in found.items():
        values = np.array([np.mean(at_places[place]) for place in at_places])
        means.setdefault(metric, {})[group] = np.array(list(at_places)), values
    return means


def _points(check: Check, repeat: int) -> list[tuple[str, float, dict[str, float]]]:
    draws = check.draws(np.random.default_rng(repeat))
    return [(group, float(place), measured_at(y, x)) for group, place, y, x in draws]


def judged(check: Check, metric: str, groups: dict[str, tuple[Array, Array]]) -> dict[str, str]:
    """Whether a metric does what is asked: T, F, H (as a high one) or L, by desideratum."""
    side = 0 if metric in FIDELITY else 1
    letters = {}
    for desideratum, rules in check.asks.items():
        verdicts = []
        for group, (places, values) in groups.items():
            more = (
                (check.of_group or {}).get(group, ([], [])) if desideratum == BOUNDS else ([], [])
            )
            verdicts += [rule(places, values) for rule in [*rules[side], *more[side]]]
        letters[desideratum] = _together(verdicts)
    return letters


def _together(verdicts: list[Verdict]) -> str:
    kinds = {verdict for verdict in verdicts if isinstance(verdict, str)}
    if False in verdicts or len(kinds) > 1:
        return "F"
    return kinds.pop()[0].upper() if kinds else "T"


def sanity_checks(repeats: int = 5) -> Iterator[Finding | Listing]:
    """All fifteen, of all fidelity and diversity metrics; beside those of the paper's table 3."""
    letters: dict[tuple[str, str], dict[str, str]] = {}
    for check in CHECKS:
        for metric, groups in curves(check, repeats).items():
            for desideratum, letter in judged(check, metric, groups).items():
                letters.setdefault((desideratum, check.title), {})[metric] = letter
    names = {label: metric for metric, label in FIDELITY.items()}
    for row in those("sanity_checks", source_id="raisa2025"):
        letter = letters[row.metric, row.dataset][names[row.method]]
        note = "points as they come; the paper embeds them" if row.method == "IAP" else ""
        yield Finding(row, float(letter != "F"), tolerance=0.0, note=note)
    for title, labels in (("Fidelity", FIDELITY), ("Diversity", DIVERSITY)):
        rows = [
            (*key, *(found[metric] for metric in labels)) for key, found in sorted(letters.items())
        ]
        columns = ("Desideratum", "Sanity check", *labels.values())
        yield Listing(
            f"{title}: passed (T; H as a high, L as a low metric) or failed (F)", columns, rows
        )


SANITY_CHECKS = Comparison(
    "sanity-checks",
    "Räisä, van Breugel & van der Schaar 2025, arXiv:2505.22450, table 3 and the authors' code",
    "Fifteen simple experiments, each with what a metric of fidelity or diversity must show.",
    "an hour",
    "Passed or failed as in the paper.",
    "Five repeats; the paper has ten. Its table is known from two transcriptions; what is in both "
    "is judged.",
    sanity_checks,
    numbers=("sanity_checks",),
)
