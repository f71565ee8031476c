from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from dgmbench.leaderboards.tables.ranking import (
    Measured,
    alike,
    gap_error,
    reach,
    separates,
    too_good,
    winners,
    worse_than,
)

Mean = partial(Measured, seeds=3)


def test_ties_lie_within_two_errors_of_the_difference_where_no_spread_is_known():
    # The error of the difference is 0.5, so that 1.0 ties and 1.01 does not.
    cells = {"best": Mean(0.0, 0.3), "at": Mean(1.0, 0.4), "beyond": Mean(1.01, 0.4)}
    assert winners(cells, "lower") == {"best", "at"}


def test_an_error_bar_that_is_much_wider_than_that_of_the_best_is_no_tie():
    """Of three seeds one far draw may leave a number that nothing is told from."""
    best = Mean(0.03, 0.005, drawn=0.004)
    far = Mean(18_000.0, 18_000.0, drawn=18_000.0)
    assert alike(far, best) and winners({"best": best, "far": far}, "lower") == {"best"}
    fair = Mean(0.05, 0.04, drawn=0.03)
    assert winners({"best": best, "fair": fair}, "lower") == {"best", "fair"}
    # It ties where it lies within what is known of the best, and with a best without an error.
    wide = Mean(0.032, 0.5, drawn=0.5)
    assert winners({"best": best, "wide": wide}, "lower") == {"best", "wide"}
    cells = {"all modes": Mean(60.0, 0.0), "most": Mean(59.7, 0.3, drawn=0.3)}
    assert winners(cells, "higher") == {"all modes", "most"}


def test_nobody_is_best_below_three_seeds():
    one, two = Measured(0.0, 0.1), Measured(0.0, 0.1, seeds=2, drawn=0.1)
    assert winners({"one": one, "two": two}, "lower") == set()
    assert winners({"one": one, "three": Mean(9.0, 0.1)}, "lower") == {"three"}


@pytest.mark.parametrize(("seeds", "quantile"), [(2, 4.303), (3, 2.776), (10, 2.101)])
def test_few_seeds_reach_as_far_as_students_t(seeds, quantile):
    """Two means of k seeds each, nothing shared: 2 (k - 1) degrees of freedom."""
    cell = Measured(0.0, 1.0, seeds=seeds, drawn=1.0)
    assert reach(cell, cell) == pytest.approx(quantile, abs=0.001)


def test_what_seeds_share_is_known_well():
    cell = Mean(0.0, 1.0, drawn=0.01)
    assert reach(cell, cell) == pytest.approx(1.96, abs=0.001)


def test_equals_are_called_alike_in_95_of_100():
    """The level that the table promises, by simulation: three seeds, half of the error shared."""
    rng, alike = np.random.default_rng(0), 0
    for _ in range(4000):
        pair = []
        for _ in range(2):
            values = rng.normal(0, 1, 3) + rng.normal(0, 0.5)
            drawn = values.std(ddof=1) / math.sqrt(3)
            pair.append(Mean(values.mean(), math.hypot(drawn, 0.5), drawn=drawn))
        alike += abs(pair[0].value - pair[1].value) <= reach(*pair) * gap_error(*pair)
    assert alike / 4000 == pytest.approx(0.95, abs=0.02)


def test_higher_turns_the_order_round_and_no_direction_has_no_best():
    cells = {"a": Mean(0.1, 0.01), "b": Mean(0.9, 0.01)}
    assert winners(cells, "higher") == {"b"}
    assert winners(cells, "lower") == {"a"}
    assert winners(cells, "") == set()


def test_unknown_errors_leave_only_equal_numbers_as_ties():
    cells = {"a": Mean(1.0), "b": Mean(1.0), "c": Mean(1.0001)}
    assert winners(cells, "lower") == {"a", "b"}


def test_a_bound_may_win_and_an_estimate_may_not():
    cells = {
        "exact": Mean(1.0, 0.01, "="),
        "bound": Mean(0.5, 0.01, "<="),
        "estimate": Mean(0.1, 0.01, "~"),
    }
    assert winners(cells, "lower") == {"bound"}
    # An upper bound that is highest says nothing of the truth behind it.
    assert winners({**cells, "bound": Mean(9.0, 0.01, "<=")}, "higher") == {"exact"}


def test_empty_and_infinite_cells_are_never_best():
    cells = {"none": Mean(None), "inf": Mean(-math.inf), "one": Mean(1.0, 0.1)}
    assert winners(cells, "lower") == {"one"}
    assert winners({"none": Mean(None)}, "lower") == set()


def test_controls_are_told_apart_by_two_errors():
    oracle = Measured(0.0, 0.3)
    assert separates(oracle, Measured(1.01, 0.4), "lower")
    assert not separates(oracle, Measured(0.99, 0.4), "lower")
    assert not separates(oracle, Measured(1.01, 0.4), "higher")
    assert separates(oracle, Measured(math.inf), "lower")


def test_differences_of_rounding_are_none():
    """Exact laws that are right to the last digit of float32 are alike, and no collapse."""
    exact = partial(Mean, mark="=", rounding=3e-7)
    a, b, oracle = exact(-3.7e-8, 1.1e-8), exact(1.1e-7, 1e-9), exact(0.0, 0.0)
    assert winners({"a": a, "b": b}, "lower") == {"a", "b"}
    assert not too_good(a, oracle, "lower")
    assert not worse_than(b, a, "lower")
    c = exact(3e-6, 1e-9)
    assert worse_than(c, a, "lower") and winners({"a": a, "c": c}, "lower") == {"a"}


def test_distances_of_small_data_are_told_apart():
    """A distance has the scale of its data: only what models say of themselves is rounded."""
    near, far = Mean(1e-9, 1e-11), Mean(5e-8, 1e-11)
    assert worse_than(far, near, "lower") and separates(near, far, "lower")
    assert winners({"near": near, "far": far}, "lower") == {"near"}
