from __future__ import annotations

import math

import pytest
import torch
from dgmbench.metrics.distance.mmd import (
    GaussianKernel,
    gaussian_bank,
    median_distance,
    mmd,
    mmd_test,
)
from dgmbench.metrics.numerics import pairwise
from dgmbench.metrics.numerics.jackknife import block_jackknife


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def by_the_definition(x, y, widths, unbiased):
    def gram(a, b):
        squares = (a[:, None] - b[None]).square().sum(dim=2)
        return sum(torch.exp(-squares / (2 * h**2)) for h in widths) / len(widths)

    n, m = len(x), len(y)
    xx, yy = gram(x, x), gram(y, y)
    if unbiased:
        within = (xx.sum() - n) / (n * (n - 1)) + (yy.sum() - m) / (m * (m - 1))
    else:
        within = xx.mean() + yy.mean()
    return float(within - 2 * gram(x, y).mean())


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("widths", [(1.0,), (0.25, 0.5, 1.0), (0.3, 1.0, 5.0)])
def test_equals_the_definition(generator, unbiased, widths):
    x, y = normal(40, 3, generator), normal(30, 3, generator) + 0.5
    value = mmd(x, y, GaussianKernel(*widths), unbiased).value
    assert value == pytest.approx(by_the_definition(x, y, widths, unbiased), rel=1e-11)


def test_the_default_bank_is_relative_to_the_median_of_the_reference(generator):
    x, y = normal(40, 3, generator), normal(30, 3, generator) + 0.5
    median = float(torch.pdist(y).median())
    widths = [median * factor for factor in (1 / 8, 1 / 4, 1 / 2, 1, 2)]
    assert mmd(x, y).value == pytest.approx(by_the_definition(x, y, widths, True), rel=1e-11)
    assert mmd(7 * x, 7 * y).value == pytest.approx(mmd(x, y).value, rel=1e-11)


def test_two_points_a_side_by_hand():
    # k is 1 at distance 0, a at distance 1, b = a^4 at distance 2.
    a = math.exp(-0.5)
    x, y = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0])
    across = (1 + a**4 + a + a) / 4
    assert mmd(x, y, GaussianKernel(1.0)).value == pytest.approx(a + a**4 - 2 * across)


def test_gaussians_in_closed_form(generator):
    # x ~ N(0, 1), y ~ N(s, 1), h = 1: E k of a difference N(c, 2) is exp(-c^2 / 6) / sqrt(3).
    estimate = mmd(normal(4000, 1, generator), normal(4000, 1, generator) + 1, GaussianKernel(1.0))
    expected = 2 * (1 - math.exp(-1 / 6)) / math.sqrt(3)
    assert abs(estimate.value - expected) < 4 * estimate.stderr
    assert estimate.stderr < 0.05 * expected


def test_is_unbiased_where_p_is_q(generator):
    kernel = GaussianKernel(1.0)
    values = torch.tensor(
        [mmd(normal(8, 2, generator), normal(6, 2, generator), kernel).value for _ in range(600)]
    )
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(600)


def test_any_kernel_and_its_origin(generator):
    x, y = normal(30, 2, generator), normal(20, 2, generator) + 1
    value = mmd(x, y, lambda a, b: a @ b.T, unbiased=False).value
    assert value == pytest.approx(float((x.mean(0) - y.mean(0)).square().sum()))


@pytest.mark.parametrize("step", [7, 16, 1000])
def test_the_size_of_a_tile_does_not_matter(generator, monkeypatch, step):
    x, y = normal(50, 3, generator), normal(33, 3, generator)
    expected = mmd(x, y)
    monkeypatch.setattr(pairwise, "tile_size", lambda x: step)
    assert mmd(x, y).value == pytest.approx(expected.value, rel=1e-11)
    assert mmd(x, y).stderr == pytest.approx(expected.stderr, rel=1e-11)


def test_the_standard_error_agrees_with_the_jackknife(generator):
    x, y, kernel = normal(200, 2, generator), normal(150, 2, generator) + 1, GaussianKernel(1.0)
    jackknife = block_jackknife(lambda a, b: mmd(a, b, kernel).value, x, y, blocks=50)
    assert mmd(x, y, kernel).stderr == pytest.approx(jackknife, rel=0.2)


def test_the_median_of_many_points_does_not_depend_on_their_order(generator):
    x = normal(3000, 2, generator)
    median = median_distance(x)
    assert median == median_distance(x[torch.randperm(3000, generator=generator)])
    # |x - x'|^2 / 2 is chi-square with 2 degrees of freedom: median distance sqrt(4 log 2).
    assert median == pytest.approx(math.sqrt(4 * math.log(2)), rel=0.03)


def test_widths_exist_where_most_points_coincide():
    x = torch.zeros(10, 1, dtype=torch.float64)
    assert gaussian_bank(x).widths[0] == 2.0
    x[0] = 3.0
    assert median_distance(x) == pytest.approx(math.sqrt(9 * 9 / 45))
    with pytest.raises(ValueError, match="positive widths"):
        GaussianKernel(1.0, 0.0)


def test_the_p_value_by_hand():
    # 4 + 4 points on the line, fully apart: 2 of the 70 relabellings reach the observed value.
    x, y = torch.arange(4.0), torch.arange(4.0) + 100
    p = mmd_test(x, y, permutations=4999).value
    assert p == pytest.approx(2 / 70, abs=4 * math.sqrt(2 / 70 / 5000))


def test_the_statistic_of_the_test_is_mmd(generator):
    x, y, kernel = normal(30, 2, generator), normal(20, 2, generator) + 0.3, GaussianKernel(1.0)
    assert f"{mmd(x, y, kernel).value:.6g}" in mmd_test(x, y, kernel, permutations=3).note


def test_the_p_value_is_uniform_where_p_is_q(generator):
    p_values = torch.tensor(
        [
            mmd_test(
                normal(12, 2, generator), normal(9, 2, generator), permutations=19, seed=i
            ).value
            for i in range(400)
        ]
    )
    for level in (0.1, 0.5, 0.9):  # exactly valid: P(p <= level) = level at multiples of 1 / 20
        assert float((p_values <= level + 1e-9).double().mean()) == pytest.approx(level, abs=0.08)


def test_equal_points_are_no_evidence():
    x = torch.ones(10, 2)
    found = mmd_test(x, x, permutations=20)
    assert found.value == 1.0
    assert found.stderr == pytest.approx(math.sqrt(20 * 21 * 1) / 22 / 21)


def test_the_error_of_a_p_value_at_its_least(generator):
    found = mmd_test(normal(20, 1, generator), normal(20, 1, generator) + 9, permutations=99)
    assert found.value == 1 / 100
    assert found.stderr == pytest.approx(math.sqrt(99 / 101 * 100 / 101) / 100)


def test_needs_a_permutation(generator):
    with pytest.raises(ValueError, match="at least one permutation, got 0"):
        mmd_test(torch.rand(5, 1), torch.rand(5, 1), permutations=0)
