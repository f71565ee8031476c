import itertools
import math

import numpy as np
import pytest
import torch
from dgmbench.metrics.estimate import Estimate
from dgmbench.metrics.exact.exact_law import (
    EmpiricalL1Distance,
    EmpiricalTotalVariation,
    L1Distance,
    LogZError,
    TotalVariation,
    _poisson_gap,
    empirical_l1_distance,
    empirical_total_variation,
    l1_distance,
    log_z_error,
    total_variation,
)
from scipy import stats

P = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
Q = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)


def floor_in(note):
    return float(note.split()[4])


def test_distances_of_laws_by_hand():
    assert total_variation(Q, P).value == pytest.approx(0.3)
    assert l1_distance(Q, P).value == pytest.approx(0.6)
    assert (l1_distance(Q, P).stderr, l1_distance(Q, P).n) == (0.0, 3)
    disjoint = torch.eye(2, dtype=torch.float64)
    assert l1_distance(disjoint[0], disjoint[1]).value == 2
    assert total_variation(P, P).value == 0


def test_empirical_distances_by_hand():
    states = torch.tensor([0, 0, 2, 2])
    assert empirical_l1_distance(states, P).value == pytest.approx(0.0 + 0.3 + 0.3)
    assert empirical_total_variation(states, P).value == pytest.approx(0.3)


@pytest.mark.parametrize("n", [2, 5])
def test_the_floor_is_the_exact_expectation(n):
    # All 3^n sequences of states with their probabilities.
    expected = sum(
        float(P[list(s)].prod()) * empirical_l1_distance(torch.tensor(s), P).value
        for s in itertools.product(range(3), repeat=n)
    )
    note = empirical_l1_distance(torch.zeros(n, dtype=torch.int64), P).note
    assert floor_in(note) == pytest.approx(expected, rel=1e-3)  # four digits are printed
    half = empirical_total_variation(torch.zeros(n, dtype=torch.int64), P).note
    assert floor_in(half) == pytest.approx(expected / 2, rel=1e-3)


def test_the_floor_where_a_mean_count_is_whole_and_where_p_is_zero_or_one():
    law = torch.tensor([0.5, 0.5, 0.0])
    note = empirical_l1_distance(torch.tensor([0, 1, 0, 1]), law).note
    # |n_1 - 2| / 4 twice, n_1 ~ Bin(4, 1/2): mean |n_1 - 2| = 3/4.
    assert floor_in(note) == pytest.approx(2 * 0.75 / 4)
    sure = empirical_l1_distance(torch.tensor([0, 0]), torch.tensor([1.0, 0.0]))
    assert (sure.value, sure.stderr, floor_in(sure.note)) == (0, 0, 0)


def test_the_error_of_two_states_is_that_of_a_proportion():
    states = (torch.arange(10_000) % 10 < 3).long()
    found = empirical_total_variation(states, torch.tensor([0.5, 0.5]))
    assert found.value == pytest.approx(0.2)
    assert found.stderr == pytest.approx(math.sqrt(0.3 * 0.7 / 10_000), rel=0.02)


def test_log_z_error_is_absolute():
    assert log_z_error(torch.tensor(2.0), 3.5).value == 1.5
    assert log_z_error(3.5, torch.tensor(2.0)).value == 1.5
    learnt = log_z_error(3.5, 2.0)
    assert math.isnan(learnt.stderr)
    assert "not sampled" in learnt.note
    assert log_z_error(3.5, 2.0, torch.tensor(0.25)) == Estimate(1.5, 0.25, 1, shared=0.0)
    for stderr in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"finite log_z_stderr >= 0, got {stderr}"):
            log_z_error(3.5, 2.0, stderr)
    with pytest.raises(ValueError, match="finite log_z_estimate and log_z, got inf and 2"):
        log_z_error(math.inf, 2.0)


def test_errors_say_what_came():
    with pytest.raises(ValueError, match="laws of one length, got 2 and 3"):
        l1_distance(torch.tensor([0.5, 0.5]), P)
    with pytest.raises(ValueError, match=r"law to be probabilities .* sum of 1\.2"):
        total_variation(torch.tensor([0.6, 0.6]), P)
    with pytest.raises(ValueError, match=r"minimum of -0\.5"):
        total_variation(torch.tensor([1.5, -0.5]), P)
    with pytest.raises(ValueError, match=r"states in 0\.\.2, got 0\.\.3"):
        empirical_l1_distance(torch.tensor([0, 3]), P)
    with pytest.raises(ValueError, match=r"integer states of shape \(N,\), got torch.float32"):
        empirical_l1_distance(torch.zeros(3), P)
    with pytest.raises(ValueError, match="at least 2 states, got 1"):
        empirical_l1_distance(torch.tensor([0]), P)


def test_classes_give_the_values_of_the_functions():
    states = torch.tensor([0, 0, 2, 2, 1, 1, 1])
    for metric, expected in (
        (EmpiricalTotalVariation(), empirical_total_variation(states, P)),
        (EmpiricalL1Distance(), empirical_l1_distance(states, P)),
    ):
        metric.update(states[:3], P)
        metric.update(states[3:], P)
        assert metric.estimate() == expected
        assert float(metric.compute()) == expected.value
    for metric, expected in (
        (TotalVariation(), total_variation(Q, P)),
        (L1Distance(), l1_distance(Q, P)),
    ):
        metric.update(P, P)
        metric.update(Q, P)  # the last law counts
        assert metric.estimate() == expected
    error = LogZError()
    error.update(2.0, torch.tensor(3.5))
    assert float(error.compute()) == 1.5
    assert math.isnan(error.estimate().stderr)
    error.update(2.0, torch.tensor(3.5), 0.25)
    assert error.estimate().stderr == 0.25
    with pytest.raises(ValueError, match="at least one update with law"):
        TotalVariation().estimate()


def test_poisson_means_agree_with_sums():
    k = np.arange(200)
    for rate, center in ((0.3, 0.5), (4.0, 2.0), (7.5, -1.0), (2.0, 9.7)):
        expected = (stats.poisson.pmf(k, rate) * np.abs(k - center)).sum()
        assert _poisson_gap(np.array([rate]), np.array([center]))[0] == pytest.approx(expected)
