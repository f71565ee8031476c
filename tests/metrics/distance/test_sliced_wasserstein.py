from __future__ import annotations

import math

import numpy as np
import ot
import pytest
import torch
from dgmbench.metrics.distance.sliced_wasserstein import Coupling, potentials, sliced_wasserstein
from dgmbench.metrics.numerics.jackknife import block_jackknife


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (50, 30), (7, 21)])
def test_the_line_equals_pot(generator, n, m):
    x, y = normal(n, 1, generator)[:, 0], 2 * normal(m, 1, generator)[:, 0] + 1
    expected = math.sqrt(ot.wasserstein_1d(x.numpy(), y.numpy(), p=2))
    assert sliced_wasserstein(x, y).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (40, 25)])
def test_equals_pot_in_the_same_directions(generator, n, m):
    x, y = normal(n, 6, generator), normal(m, 6, generator) + 0.5
    theta = torch.randn(70, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    theta = (theta / theta.norm(dim=1, keepdim=True)).numpy().T
    expected = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), projections=theta)
    assert sliced_wasserstein(x, y, 70, seed=3).value == pytest.approx(expected, rel=1e-12)


def test_a_shift_in_closed_form(generator):
    # E (theta.c)^2 = |c|^2 / D; the same points moved are coupled each with itself.
    x = normal(30, 5, generator)
    value = sliced_wasserstein(x, x + 2, directions=20_000).value
    assert value == pytest.approx(2.0, rel=0.02)
    value = sliced_wasserstein(x, x.flip(0) + torch.tensor([0, 3.0, 0, 0, 0]), 20_000).value
    assert value == pytest.approx(3 / math.sqrt(5), rel=0.02)


def test_scale(generator):
    x, y = normal(30, 3, generator), normal(20, 3, generator)
    value = sliced_wasserstein(x, y).value
    assert sliced_wasserstein(1e6 * x, 1e6 * y).value == pytest.approx(1e6 * value, rel=1e-12)


def test_the_coupling_by_hand():
    pieces = Coupling(2, 3, torch.device("cpu"))
    assert pieces.of_x.tolist() == [0, 0, 1, 1]
    assert pieces.of_y.tolist() == [0, 1, 1, 2]
    assert pieces.weight.tolist() == pytest.approx([2 / 6, 1 / 6, 1 / 6, 2 / 6])
    assert pieces.targets(torch.tensor([[0.0, 3.0, 6.0]]).double()).tolist() == [[1.0, 5.0]]


@pytest.mark.parametrize(("n", "m"), [(20, 20), (20, 12)])  # exact where n = m
def test_potentials_are_optimal(generator, n, m):
    # Dual of the transport problem: f + g <= cost up to a constant, and equal in the mean.
    x = normal(n, 1, generator)[:, 0].sort().values[None]
    y = 2 * normal(m, 1, generator)[:, 0].sort().values[None]
    pieces = Coupling(n, m, torch.device("cpu"))
    f, g = potentials(x, pieces.targets(y)), potentials(y, pieces.swapped().targets(x))
    slack = (x.T - y).square() - f.T - g
    value = float(pieces.gaps(x, y).square() @ pieces.weight)
    gap = value - float(f.mean() + g.mean() + slack.min())
    assert -1e-12 <= gap <= (1e-12 if n == m else 0.1 * value)


def test_the_standard_error_agrees_with_the_jackknife(generator):
    x, y = normal(200, 3, generator), 1.5 * normal(150, 3, generator) + 1
    jackknife = block_jackknife(lambda a, b: sliced_wasserstein(a, b, 60).value, x, y, blocks=50)
    assert sliced_wasserstein(x, y, 60).stderr == pytest.approx(jackknife, rel=0.15)
    assert sliced_wasserstein(x, y, 50).stderr == pytest.approx(jackknife, rel=0.15)


def test_threads_do_not_matter(generator):
    x, y = normal(60, 3, generator), normal(60, 3, generator)
    threads = torch.get_num_threads()
    values = set()
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        values.add(round(sliced_wasserstein(x, y, 7).value, 12))
    torch.set_num_threads(threads)
    assert len(values) == 1
    assert np.isfinite(values.pop())


def test_needs_a_direction():
    with pytest.raises(ValueError, match="at least one direction, got 0"):
        sliced_wasserstein(torch.rand(3, 2), torch.rand(3, 2), directions=0)
