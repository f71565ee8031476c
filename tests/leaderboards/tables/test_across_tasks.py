"""Tests over tasks: the worked example of Demsar (2006), and what no table can be."""

import math

import numpy as np
import pytest
from dgmbench.leaderboards.tables.across_tasks import (
    critical_difference,
    holm,
    rank_intervals,
    tasks_needed,
    wilcoxon_holm,
)

# Table 6 of Demsar 2006: AUC of C4.5 with and without tuned m and cf on 14 data sets.
AUC = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.9749],  # a tie as printed, and none in the paper's ranks
        [0.957, 0.978, 0.946, 0.970],
    ]
)
NAMES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")


def test_the_example_of_the_paper():
    found = critical_difference(AUC, NAMES)
    assert list(found.ranks.values()) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=1e-3)
    # q_0.10 is in the paper 2.291 and the difference 1.12; at 5 % it is 2.569 and 1.25.
    assert found.difference == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    # Friedman's chi^2 is 9.28 without the correction for ties that SciPy makes.
    assert 0.01 < found.p < 0.03
    assert found.groups == [(*NAMES[3:], "C4.5+m", "C4.5+cf", "C4.5")]


def test_models_far_apart_are_in_no_group():
    scores = np.arange(3.0) + np.zeros((40, 1))
    found = critical_difference(scores, "abc")
    assert found.ranks == {"a": 3.0, "b": 2.0, "c": 1.0}
    assert found.groups == [] and found.difference < 0.6 and found.p < 1e-12


def test_equal_models_are_one_group():
    found = critical_difference(np.ones((5, 3)), "abc")
    assert found.p == 1.0 and set(found.ranks.values()) == {2.0}
    assert [set(group) for group in found.groups] == [set("abc")]


def test_groups_overlap_and_none_is_within_another():
    found = critical_difference(np.arange(3.0) + np.zeros((8, 1)), "abc")
    assert 1 < found.difference < 2
    assert found.groups == [("c", "b"), ("b", "a")]


def test_holm_by_hand():
    raw = {("a", "b"): 0.01, ("a", "c"): 0.04, ("b", "c"): 0.03}
    expected = {("a", "b"): 0.03, ("b", "c"): 0.06, ("a", "c"): 0.06}
    assert holm(raw) == pytest.approx(expected)


def test_the_smallest_p_value_needs_enough_tasks():
    """Of T tasks the most extreme signed ranks have the chance 2 / 2^T."""
    scores = np.arange(2.0) + np.arange(8.0)[:, None] * [0.0, 0.1]
    assert wilcoxon_holm(scores, "ab")["a", "b"] == pytest.approx(2 / 2**8)
    assert tasks_needed(2) == 6 and 2 / 2**6 <= 0.05 < 2 / 2**5
    many = tasks_needed(60)
    assert 2 / 2**many <= 0.05 / (60 * 59 / 2) < 2 / 2 ** (many - 1)


def test_wilcoxon_finds_no_more_than_chance():
    rng = np.random.default_rng(0)
    found = [
        min(wilcoxon_holm(rng.standard_normal((12, 4)), "abcd").values()) <= 0.05
        for _ in range(200)
    ]
    assert np.mean(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_rank_intervals_hold_the_ranks_of_known_numbers():
    assert rank_intervals([3.0, 2.0, 1.0], [0.0, 0.0, 0.0]) == [(1, 1), (2, 2), (3, 3)]
    assert rank_intervals([1.0, 1.0, -9.0], [0.1, 0.1, 0.1]) == [(1, 2), (1, 2), (3, 3)]
    assert rank_intervals([], []) == []


def test_rank_intervals_hold_in_95_of_100_repeats():
    truth, error = np.array([0.3, 0.2, 0.1, 0.0]), np.full(4, 0.08)
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        seen = truth + error * rng.standard_normal(4)
        low, high = rank_intervals(seen, error, draws=400)[0]
        held += low <= 1 <= high
    assert held / 200 >= 0.9


@pytest.mark.parametrize(
    ("scores", "models", "message"),
    [
        (np.ones((1, 3)), "abc", "two tasks or more"),
        (np.ones((4, 2)), "abc", "a column for each of 3 models"),
        (np.ones((4, 2)), "ab", "3 to 12 models, got 2"),
        (np.ones((4, 13)), "abcdefghijklm", "3 to 12 models, got 13"),
        (np.full((4, 3), np.nan), "abc", "finite scores"),
    ],
)
def test_bad_tables_are_named(scores, models, message):
    with pytest.raises(ValueError, match=message):
        critical_difference(scores, models)
