"""Noise that fills the cells of a grid, and the bounds that follow."""

import math

import pytest
import torch
from dgmbench.baselines import dequantise
from dgmbench.baselines.scaling import Scaling
from dgmbench.benchmark.contract.task import Domain


def test_rounding_down_undoes_it():
    x = torch.randint(7, (100, 3))
    assert torch.equal(dequantise.floor(dequantise.uniform(x), 7), x)


def test_the_bound_rises_with_the_draws_to_the_cells_mass():
    """p(y) = 2 y on the cell [0, 1): its mass is 1, and E log p = log 2 - 1."""
    x = torch.zeros(4000, 1)

    def mean(K):
        found = dequantise.bound(lambda y: (2 * y).log().squeeze(1), torch.rand_like, x, K)
        return float(found.mean())

    assert mean(1) == pytest.approx(math.log(2) - 1, abs=0.05)
    assert mean(1) < mean(8) < mean(128) < 0.01
    assert mean(128) == pytest.approx(0, abs=0.01)


def test_the_logit_comes_back_and_carries_its_jacobian():
    y = torch.rand(5, 2, dtype=torch.double)
    z, log_det = dequantise.logit(y)
    torch.testing.assert_close(dequantise.unlogit(z), y)
    for row, expected in zip(y, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda r: dequantise.logit(r[None])[0][0], row
        )
        assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(float(expected))


def test_moments_are_those_of_all_rows_at_once():
    scaling = Scaling(Domain((3,)))
    rows = torch.randn(10_000, 3) * torch.tensor([1.0, 5.0, 0.1]) + 3
    mean, std = scaling.moments(rows)
    torch.testing.assert_close(mean, rows.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(std, rows.std(0), rtol=1e-4, atol=1e-4)
