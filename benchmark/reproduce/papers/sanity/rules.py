"""What a curve must show in a sanity check: functions of its places and values.

Criteria and tolerances are those of the authors' code (arXiv:2505.22450).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .experiments import Array

Verdict = bool | str | None  # passed, or as which kind; None where nothing is asked
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
