from __future__ import annotations

import math

from dgmbench.leaderboards.tables.ranking import Measured, separates, winners


def test_ties_lie_within_two_errors_of_the_difference():
    # The error of the difference is 0.5, so that 1.0 ties and 1.01 does not.
    cells = {
        "best": Measured(0.0, 0.3),
        "at": Measured(1.0, 0.4),
        "beyond": Measured(1.01, 0.4),
    }
    assert winners(cells, "lower") == {"best", "at"}


def test_higher_turns_the_order_round_and_no_direction_has_no_best():
    cells = {"a": Measured(0.1, 0.01), "b": Measured(0.9, 0.01)}
    assert winners(cells, "higher") == {"b"}
    assert winners(cells, "lower") == {"a"}
    assert winners(cells, "") == set()


def test_unknown_errors_leave_only_equal_numbers_as_ties():
    cells = {"a": Measured(1.0), "b": Measured(1.0), "c": Measured(1.0001)}
    assert winners(cells, "lower") == {"a", "b"}


def test_a_bound_may_win_and_an_estimate_may_not():
    cells = {
        "exact": Measured(1.0, 0.01, "="),
        "bound": Measured(0.5, 0.01, "<="),
        "estimate": Measured(0.1, 0.01, "~"),
    }
    assert winners(cells, "lower") == {"bound"}
    # An upper bound that is highest says nothing of the truth behind it.
    assert winners({**cells, "bound": Measured(9.0, 0.01, "<=")}, "higher") == {"exact"}


def test_empty_and_infinite_cells_are_never_best():
    cells = {"none": Measured(None), "inf": Measured(-math.inf), "one": Measured(1.0, 0.1)}
    assert winners(cells, "lower") == {"one"}
    assert winners({"none": Measured(None)}, "lower") == set()


def test_controls_are_told_apart_by_two_errors():
    oracle = Measured(0.0, 0.3)
    assert separates(oracle, Measured(1.01, 0.4), "lower")
    assert not separates(oracle, Measured(0.99, 0.4), "lower")
    assert not separates(oracle, Measured(1.01, 0.4), "higher")
    assert separates(oracle, Measured(math.inf), "lower")
