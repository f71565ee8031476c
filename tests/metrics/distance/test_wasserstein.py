from __future__ import annotations

import math

import pytest
import torch
from dgmbench.metrics.distance.wasserstein import wasserstein
from dgmbench.metrics.numerics.jackknife import block_jackknife
from scipy.optimize import linear_sum_assignment


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def test_equals_the_best_assignment(generator):
    x, y = normal(40, 3, generator), normal(40, 3, generator) + 1
    cost = torch.cdist(x, y).square().numpy()
    expected = math.sqrt(cost[linear_sum_assignment(cost)].mean())
    assert wasserstein(x, y).value == pytest.approx(expected, rel=1e-10)


def test_unequal_numbers_equal_the_assignment_of_copies(generator):
    x, y = normal(12, 2, generator), normal(8, 2, generator) + 1
    cost = torch.cdist(x.repeat(2, 1), y.repeat(3, 1)).square().numpy()
    expected = math.sqrt(cost[linear_sum_assignment(cost)].mean())
    assert wasserstein(x, y).value == pytest.approx(expected, rel=1e-10)


def test_a_shift_in_closed_form(generator):
    x = normal(30, 4, generator)
    estimate = wasserstein(x, x.flip(0) + torch.tensor([3.0, 0, 4.0, 0]))
    assert estimate.value == pytest.approx(5, rel=1e-12)


def test_rotations_and_scale(generator):
    x, y = normal(30, 3, generator), normal(25, 3, generator) * 2
    turn = torch.linalg.qr(normal(3, 3, generator))[0]
    value = wasserstein(x, y).value
    assert wasserstein(x @ turn, y @ turn).value == pytest.approx(value, rel=1e-10)
    assert wasserstein(1e8 * x, 1e8 * y).value == pytest.approx(1e8 * value, rel=1e-10)


def test_the_line_is_as_in_the_plane(generator):
    x, y = normal(40, 1, generator), 2 * normal(30, 1, generator) + 2
    plane = [torch.cat([side, torch.zeros_like(side)], dim=1) for side in (x, y)]
    assert wasserstein(x, y).value == pytest.approx(wasserstein(*plane).value, rel=1e-10)
    assert wasserstein(x, y).stderr == pytest.approx(wasserstein(*plane).stderr, rel=0.1)


def test_the_standard_error_agrees_with_the_jackknife(generator):
    x, y = normal(100, 2, generator), 1.5 * normal(80, 2, generator) + 1
    jackknife = block_jackknife(lambda a, b: wasserstein(a, b).value, x, y, blocks=20)
    assert wasserstein(x, y).stderr == pytest.approx(jackknife, rel=0.25)
