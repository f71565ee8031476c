from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
from dgmbench.metrics.distance.energy_distance import energy_distance
from dgmbench.metrics.numerics.jackknife import block_jackknife
from scipy.spatial.distance import cdist


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def by_the_definition(x, y):
    return 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()


def test_equals_the_definition(generator):
    x, y = normal(600, 5, generator), normal(40, 5, generator) + 0.3  # more than one tile
    value = energy_distance(x, y, unbiased=False).value
    assert value == pytest.approx(by_the_definition(x, y), rel=1e-12)
    n, m = len(x), len(y)
    unbiased = 2 * cdist(x, y).mean() - cdist(x, x).sum() / (n * (n - 1))
    unbiased -= cdist(y, y).sum() / (m * (m - 1))
    assert energy_distance(x, y).value == pytest.approx(unbiased, rel=1e-12)


def test_equals_scipy_on_the_line(generator):
    x, y = normal(50, 1, generator)[:, 0], normal(40, 1, generator)[:, 0] * 2
    expected = scipy.stats.energy_distance(x, y) ** 2
    assert energy_distance(x, y, unbiased=False).value == pytest.approx(expected, rel=1e-12)


def test_two_points_a_side_by_hand():
    x, y = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 3.0])
    # 2 (0 + 3 + 1 + 2) / 4 - 1 - 3, and with the pairs of a point with itself - 1/2 - 3/2.
    assert energy_distance(x, y).value == pytest.approx(-1)
    assert energy_distance(x, y, unbiased=False).value == pytest.approx(1)


def test_normal_laws_in_closed_form(generator):
    # E|N(c, s^2)| = s sqrt(2/pi) exp(-c^2 / 2 s^2) + c erf(c / s sqrt 2); c = 1, s^2 = 2.
    across = 2 / math.sqrt(math.pi) * math.exp(-1 / 4) + math.erf(1 / 2)
    expected = 2 * across - 4 / math.sqrt(math.pi)
    estimate = energy_distance(normal(4000, 1, generator), normal(4000, 1, generator) + 1)
    assert abs(estimate.value - expected) < 4 * estimate.stderr
    assert estimate.stderr < 0.1 * expected


def test_rotations_and_scale(generator):
    x, y = normal(60, 4, generator), normal(50, 4, generator) + 1
    turn = torch.linalg.qr(normal(4, 4, generator))[0]
    value = energy_distance(x, y).value
    assert energy_distance(x @ turn, y @ turn).value == pytest.approx(value, rel=1e-11)
    assert energy_distance(1e-6 * x, 1e-6 * y).value == pytest.approx(1e-6 * value, rel=1e-11)


def test_near_pairs_keep_their_digits(generator):
    # Pairs 1e-7 apart at distance 100: a matrix product leaves no digit of the square.
    centres = 100 * torch.randint(0, 2, (40, 3), generator=generator).double()
    x, y = centres + 1e-7 * normal(40, 3, generator), centres + 1e-7 * normal(40, 3, generator)
    value = energy_distance(x, y, unbiased=False).value
    assert value == pytest.approx(by_the_definition(x, y), rel=1e-3, abs=1e-13)


def test_the_standard_error_agrees_with_the_jackknife(generator):
    x, y = normal(200, 2, generator), normal(150, 2, generator) + 1
    jackknife = block_jackknife(lambda a, b: energy_distance(a, b).value, x, y, blocks=50)
    assert energy_distance(x, y).stderr == pytest.approx(jackknife, rel=0.2)
