from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from dgmbench.metrics.distance import kernel_subsets
from dgmbench.metrics.distance.kernel_distance import (
    _cubes,
    _lift,
    _means_by_moments,
    kernel_distance,
)
from dgmbench.metrics.distance.kernel_subsets import points_of, subset_value
from dgmbench.metrics.numerics.jackknife import block_jackknife
from dgmbench.metrics.numerics.pairwise import pair_means


@pytest.fixture
def sides():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    return x, torch.randn(45, 5, generator=generator, dtype=torch.float64) + 0.4


def by_the_definition(x, y):
    def gram(a, b):
        return (a @ b.T / x.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    xx, yy = gram(x, x).fill_diagonal_(0).sum(), gram(y, y).fill_diagonal_(0).sum()
    return float(xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * gram(x, y).mean())


def test_equals_the_definition(sides):
    assert kernel_distance(*sides).value == pytest.approx(by_the_definition(*sides), rel=1e-12)


def test_point_masses_by_hand():
    # x = 1, y = 2 in one dimension: k(x, x') + k(y, y') - 2 k(x, y) = 8 + 125 - 54.
    assert kernel_distance(torch.ones(3), 2 * torch.ones(4)).value == pytest.approx(79)


def test_moments_give_the_same_as_pairs(sides):
    u, v = (_lift(side) for side in sides)
    one, other = _means_by_moments(u, v), pair_means(_cubes, u, v)
    for name in ("xx", "yy", "xy", "yx"):
        assert torch.allclose(getattr(one, name), getattr(other, name), rtol=1e-12)
    assert one.biased() == pytest.approx(other.biased(), rel=1e-12)
    assert one.stderr() == pytest.approx(other.stderr(), rel=1e-10)


def test_many_points_take_the_moments_and_few_of_them_the_second_order(sides):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2500, 2, generator=generator, dtype=torch.float64)
    y = torch.randn(1500, 2, generator=generator, dtype=torch.float64)
    estimate, pairs = kernel_distance(x, y), pair_means(_cubes, _lift(x), _lift(y))
    assert estimate.value == pytest.approx(pairs.unbiased(), rel=1e-9)
    assert estimate.stderr == pytest.approx(pairs.stderr(), rel=0.1)


def test_the_standard_error_agrees_with_the_jackknife(sides):
    jackknife = block_jackknife(lambda a, b: kernel_distance(a, b).value, *sides, blocks=100)
    assert kernel_distance(*sides).stderr == pytest.approx(jackknife, rel=0.2)


def test_subsets_of_all_points_give_the_full_value(sides):
    x, y = sides[0][:45], sides[1]
    estimate = kernel_distance(x, y, subsets=3, subset_size=45)
    assert estimate.value == pytest.approx(kernel_distance(x, y).value, rel=1e-12)
    assert estimate.stderr == pytest.approx(kernel_distance(x, y).stderr, rel=1e-12)


def test_subsets_estimate_the_full_value(sides):
    estimate = kernel_distance(*sides, subsets=500, subset_size=15)
    spread = estimate.stderr / math.sqrt(15 / 30 + 1 / 500) / math.sqrt(500)
    assert abs(estimate.value - kernel_distance(*sides).value) < 4 * spread
    assert estimate.note == "500 subsets of 15 points."


def test_the_seed_draws_the_subsets(sides):
    one, same, other = (
        kernel_distance(*sides, subsets=4, subset_size=10, seed=seed).value for seed in (0, 0, 1)
    )
    assert one == same != other


def test_single_precision_loses_little_at_an_offset(sides):
    x, y = (side.float() + 30 for side in sides)  # the kernel is about 7e8
    single = kernel_distance(x, y, subsets=5, subset_size=20).value
    double = kernel_distance(x.double(), y.double(), subsets=5, subset_size=20).value
    assert single == pytest.approx(double, rel=1e-6)


def test_single_precision_is_far_below_the_standard_error():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(1200, 300, generator=generator) + 3 for _ in range(2))  # P = Q
    single = kernel_distance(x, y, subsets=5, subset_size=300)
    double = kernel_distance(x.double(), y.double(), subsets=5, subset_size=300)
    assert abs(single.value - double.value) < 1e-3 * double.stderr
    assert single.value != double.value


@pytest.mark.parametrize("step", [7, 20, 64])
def test_tiles_in_single_precision_add_up(sides, step, monkeypatch):
    monkeypatch.setattr(kernel_subsets, "_TILE", step)
    x, y = (torch.cat([side] * 60, dim=1).float() for side in sides)
    x, y = x[:20], y[:20]
    estimate = kernel_distance(x, y, subsets=2, subset_size=20)
    expected = by_the_definition(x.double(), y.double())
    assert estimate.value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_subsets_elsewhere_are_those_on_a_cpu(sides, dtype, monkeypatch):
    monkeypatch.setattr(kernel_subsets, "_TILE_ELSEWHERE", 8)
    points, rows = points_of(*sides, dtype), (torch.arange(5, 25), torch.arange(20))
    expected = subset_value(*(side.in_numpy() for side in points), *rows)
    assert subset_value(*points, *rows) == pytest.approx(
        expected, rel=1e-5 if dtype == torch.float32 else 1e-12
    )


def test_subsets_keep_their_digits_at_an_offset(sides):
    x, y = ((side[:20] * 8).round() / 8 + 2.0**20 for side in sides)  # the kernel is about 1e36
    rows, columns = ([list(map(Fraction, row)) for row in side.tolist()] for side in (x, y))

    def mean(a, b):
        inner = [sum(p * q for p, q in zip(i, j, strict=True)) for i in a for j in b if i is not j]
        return sum((t / 5 + 1) ** 3 for t in inner) / len(inner)

    exact = mean(rows, rows) + mean(columns, columns) - 2 * mean(rows, columns)
    estimate = kernel_distance(x, y, subsets=1, subset_size=20)
    assert estimate.value == pytest.approx(float(exact), rel=1e-11)


def test_single_precision_does_not_overflow(sides):
    x, y = (side.float() * 1e14 for side in sides)  # the cube of a product is 1e84
    single = kernel_distance(x, y, subsets=5, subset_size=20).value
    double = kernel_distance(x.double(), y.double(), subsets=5, subset_size=20).value
    assert single == pytest.approx(double, rel=1e-5)


def test_subsets_that_cannot_be_drawn(sides):
    with pytest.raises(ValueError, match="2 to 45 points, got 3 subsets of 46"):
        kernel_distance(*sides, subsets=3, subset_size=46)
    with pytest.raises(ValueError, match="at least 1 subset"):
        kernel_distance(*sides, subsets=0, subset_size=10)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_error_over_subsets_is_that_of_a_simulation(shift):
    """At P = Q the spread of subsets, scaled as a mean's, would be 1.7 to 2 times too large."""
    generator = torch.Generator().manual_seed(0)
    found = [
        kernel_distance(
            torch.randn(2000, 8, generator=generator) + shift,
            torch.randn(2000, 8, generator=generator),
            subsets=20,
            subset_size=500,
            seed=seed,
        )
        for seed in range(80)
    ]
    spread = float(torch.tensor([e.value for e in found]).std())
    told = float(torch.tensor([e.stderr for e in found]).square().mean().sqrt())
    assert told == pytest.approx(spread, rel=0.3)
