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
from numpy.typing import NDArray

from ...metrics import (
    alpha_precision,
    beta_recall,
    clipped_coverage,
    clipped_density,
    prdc,
    probabilistic_precision,
    probabilistic_recall,
)
from .comparison import Comparison, Finding, Listing, part
from .published import those

Array = NDArray[np.float64]
Draws = Iterator[tuple[str, float, Array, Array]]  # group, place, real, synthetic
Verdict = bool | str | None  # passed, or as which kind; None where nothing is asked

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


# The experiments.

N = 1000
SHIFTS = {1: 6.0, 8: 3.0, 64: 1.0}  # largest difference of means, by dimension
WIDTHS = {1: 3.0, 8: 1.0, 64: 0.5}  # largest log10 of the ratio of deviations
NARROW = {1: 1 / 6, 8: 1 / 3, 64: 1.0}  # deviation of each of ten modes
SIZES = np.logspace(2, 4, 20).astype(int)


def mean_difference(g: np.random.Generator) -> Draws:
    """Normal laws whose means differ in every coordinate."""
    for d, most in SHIFTS.items():
        real = g.normal(size=(N, d))
        for shift in np.linspace(-most, most, 51):
            yield f"d = {d}", shift, real, g.normal(shift, size=(N, d))


def with_outlier(g: np.random.Generator) -> Draws:
    """The same with one outlier on either side."""
    for d, most in SHIFTS.items():
        real, outlier = g.normal(size=(N, d)), np.full((1, d), most)
        for shift in np.linspace(-most, most, 51):
            synthetic = g.normal(shift, size=(N, d))
            yield f"synthetic, d = {d}", shift, real, np.concatenate([synthetic, outlier])
            yield f"real, d = {d}", shift, np.concatenate([real, outlier]), synthetic


def with_pareto(g: np.random.Generator) -> Draws:
    """The same in one coordinate beside one of heavy tails that agrees."""
    heavy = 1.01
    real = np.stack([g.normal(size=N), g.pareto(heavy, N) + 1], axis=1)
    for shift in np.linspace(-6, 6, 51):
        yield "", shift, real, np.stack([g.normal(shift, size=N), g.pareto(heavy, N) + 1], axis=1)


def deviation_difference(g: np.random.Generator) -> Draws:
    """Normal laws of different width; the place is the log10 of the ratio."""
    for d, most in WIDTHS.items():
        real = g.normal(size=(N, d))
        for power in np.linspace(-most, most, 51):
            yield f"d = {d}", power, real, g.normal(scale=10**power, size=(N, d))


def _mixture(g: np.random.Generator, means: Array, scale: float, weights: Array) -> Array:
    which = g.choice(len(means), size=N, p=weights / weights.sum())
    return g.normal(means[which], scale)


def simultaneous_dropping(g: np.random.Generator) -> Draws:
    """Ten modes of which nine lose weight together."""
    for d, scale in NARROW.items():
        means = np.tile(np.linspace(0, 10, 10)[:, None], d)
        real = _mixture(g, means, scale, np.ones(10))
        for dropped in np.linspace(0, 1, 50):
            weights = np.array([1.0, *[1 - dropped] * 9])
            yield f"d = {d}", dropped, real, _mixture(g, means, scale, weights)


def sequential_dropping(g: np.random.Generator) -> Draws:
    """Ten modes of which one after the other goes."""
    for d, scale in NARROW.items():
        means = np.tile(np.linspace(0, 10, 10)[:, None], d)
        real = _mixture(g, means, scale, np.ones(10))
        for dropped in range(10):
            weights = (np.arange(10) < 10 - dropped).astype(float)
            yield f"d = {d}", dropped, real, _mixture(g, means, scale, weights)


# Of the authors' code: five real modes and five that are invented.
MODES = np.array(
    [
        [5.46794328, -4.08481523],
        [4.87211875, -13.64864684],
        [-16.39432073, 9.09802249],
        [-2.15447941, 12.46200019],
        [11.55784483, -4.96049923],
        [-24.60558474, 14.18020818],
        [16.84215967, -3.18710751],
        [-5.47807206, -6.77247129],
        [9.46726546, 1.05922347],
        [-5.40346201, -17.29490131],
    ]
)


def dropping_and_invention(g: np.random.Generator) -> Draws:
    """Of five modes one to five are there, then more than there should be."""
    real = _mixture(g, MODES[:5], 0.25, np.ones(5))
    for count in range(1, 11):
        yield "", count, real, _mixture(g, MODES[:count], 0.25, np.ones(count))


def one_against_two(g: np.random.Generator) -> Draws:
    """One wide normal law for two modes that move apart."""
    for d in SHIFTS:
        for apart in np.linspace(0, 5, 20):
            means = np.tile(np.array([[-apart / 2], [apart / 2]]), d)
            real = _mixture(g, means, 1.0, np.ones(2))
            yield f"d = {d}", apart, real, g.normal(scale=(1 + apart**2) ** 0.5, size=(N, d))


def _sphere(g: np.random.Generator, n: int, d: int) -> Array:
    points = g.normal(size=(n, d))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def sphere_surface(g: np.random.Generator) -> Draws:
    """Surfaces of spheres of different radius."""
    for d in (2, 16, 128):
        real = _sphere(g, N, d)
        for radius in np.linspace(0.1, 1.9, 51):
            yield f"d = {d}", radius, real, radius * _sphere(g, N, d)


def _overlapping(g: np.random.Generator, n: int, d: int) -> Array:
    """Points of a unit cube that shares a fifth of its volume with [0, 1]^d."""
    return g.uniform(size=(n, d)) + 1 - 0.2 ** (1 / d)


def cube_of_size(g: np.random.Generator) -> Draws:
    """Two cubes that share a fifth of their volume, by the number of points of both."""
    for d in SHIFTS:
        for n in SIZES:
            yield f"d = {d}", n, g.uniform(size=(n, d)), _overlapping(g, n, d)


def cube_of_samples(g: np.random.Generator) -> Draws:
    """The same by the number of synthetic points alone."""
    for d in SHIFTS:
        real = g.uniform(size=(N, d))
        for n in SIZES:
            yield f"d = {d}", n, real, _overlapping(g, n, d)


def _ball(g: np.random.Generator, n: int, d: int) -> Array:
    return _sphere(g, n, d) * g.uniform(size=(n, 1)) ** (1 / d)


def _torus(g: np.random.Generator, n: int) -> Array:
    """A ring of radius 1 whose section is a disc of radius 0.1."""
    angle, section = g.uniform(0, 2 * math.pi, n), 0.1 * _ball(g, n, 2)
    across = 1 + section[:, 0]
    return np.stack([across * np.cos(angle), across * np.sin(angle), section[:, 1]], axis=1)


def sphere_and_torus(g: np.random.Generator) -> Draws:
    """A ball inside a ring that it does not touch, by the number of synthetic points."""
    ball, torus = 0.8 * _ball(g, N, 3), _torus(g, N)
    for n in SIZES:
        yield "real ball", n, ball, _torus(g, n)
        yield "real torus", n, torus, 0.8 * _ball(g, n, 3)


def scaled_dimension(g: np.random.Generator) -> Draws:
    """Disjoint in one coordinate, with a second in other and other units."""
    for power in np.linspace(-3, 3, 20):
        scale = np.array([1.0, 10**power])
        shift = np.array([6.0, 0.0])
        yield "", power, g.normal(size=(N, 2)) * scale, (g.normal(size=(N, 2)) + shift) * scale


def one_disjoint_dimension(g: np.random.Generator) -> Draws:
    """Disjoint in one coordinate, with more and more that agree."""
    for more in np.logspace(0, 3, 20).astype(int):
        real, synthetic = g.normal(size=(2, N, more + 1))
        synthetic[:, 0] += 6
        yield "", more, real, synthetic


def discrete_and_continuous(g: np.random.Generator) -> Draws:
    """Whole numbers for real ones, by log10 of the width."""
    for power in np.linspace(0, 3, 20):
        whole, real = (
            np.round(10**power * g.normal(size=(N, 1))),
            10**power * g.normal(size=(N, 1)),
        )
        yield "real discrete", power, whole, 10**power * g.normal(size=(N, 1))
        yield "real continuous", power, real, np.round(10**power * g.normal(size=(N, 1)))


# What must show: functions of the places and values of one curve.

Rule = Callable[[Array, Array], Verdict]
NEAR, APART, LEVEL, DROP = 0.05, 0.2, 0.1, 0.1


def at(place: float, wanted: float) -> Rule:
    """The value at a place is as wanted; -inf and inf are the ends."""

    def rule(places: Array, values: Array) -> Verdict:
        return bool(abs(_value(places, values, place) - wanted) <= NEAR)

    return rule


def wide(place: float) -> Rule:
    """Where samples lie far beyond the data: 1 is "high", 0 is "low"."""

    def rule(places: Array, values: Array) -> Verdict:
        value = _value(places, values, place)
        return "high" if abs(value - 1) <= NEAR else "low" if abs(value) <= NEAR else False

    return rule


def _value(places: Array, values: Array, place: float) -> float:
    return float(values[np.abs(places - np.clip(place, places[0], places[-1])).argmin()])


def bell(middle: float) -> Rule:
    """High in the middle and low at both ends."""

    def rule(places: Array, values: Array) -> Verdict:
        top, left, right = _value(places, values, middle), values[0], values[-1]
        low = min(left, right) - values.min() <= LEVEL
        return bool(
            top - left >= APART and top - right >= APART and values.max() - top <= LEVEL and low
        )

    return rule


def falls(places: Array, values: Array) -> Verdict:
    """From high to low."""
    return bool(
        values[0] - values[-1] >= APART
        and values.max() - values[0] <= LEVEL
        and values[-1] - values.min() <= LEVEL
    )


def rises(places: Array, values: Array) -> Verdict:
    """From low to high."""
    return falls(places, values[::-1])


def falls_by(quantile: float) -> Rule:
    """From high to low, and visibly so at a quantile of the places."""

    def rule(places: Array, values: Array) -> Verdict:
        there = np.quantile(places, quantile, method="nearest")
        return falls(places, values) and bool(values[0] - _value(places, values, there) >= DROP)

    return rule


def flat(places: Array, values: Array) -> Verdict:
    """The same everywhere."""
    return bool(values.max() - values.min() <= NEAR)


def settles(places: Array, values: Array) -> Verdict:
    """The same in the second half."""
    return flat(places, values[places >= np.quantile(places, 0.5)])


def low_or_high(low: Rule, high: Rule) -> Rule:
    """One shape or the other, and which."""

    def rule(places: Array, values: Array) -> Verdict:
        return "low" if low(places, values) else "high" if high(places, values) else False

    return rule


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
