"""MIND: the scale of FID, and what it is of the sliced Wasserstein distance."""

import pytest
import torch
from dgmbench.metrics import MIND, mind, sliced_wasserstein


def features(n, d, seed=0, shift=0.0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64) + shift


def test_it_is_three_d_squared_sliced_distances():
    x, y = features(300, 16, 1, 0.5), features(200, 16, 2)
    sliced = sliced_wasserstein(x, y, 500, seed=3)
    found = mind(x, y, 500, seed=3)
    assert found.value == pytest.approx(3 * 16 * sliced.value**2)
    assert found.stderr == pytest.approx(3 * 16 * 2 * sliced.value * sliced.stderr)


def test_a_shift_costs_three_times_its_square():
    y = features(500, 8)
    shift = torch.linspace(0.1, 0.8, 8, dtype=torch.float64)
    expected = 3 * float(shift.square().sum())
    assert mind(y + shift, y, 4000).value == pytest.approx(expected, rel=0.05)
    assert mind(y, y).value == 0


def test_it_follows_the_published_formula():
    x, y = features(120, 6, 1, 0.2), features(120, 6, 2)
    g = torch.Generator().manual_seed(0)
    theta = torch.randn(50, 6, generator=g, dtype=torch.float64)
    theta = theta / theta.norm(dim=1, keepdim=True)
    lines = [(side @ theta.T).sort(dim=0).values for side in (x, y)]
    expected = 3 * 6 / (120 * 50) * float((lines[0] - lines[1]).square().sum())
    metric = MIND(directions=50)
    metric.update(x, y)
    assert float(metric.compute()) == pytest.approx(expected)
