"""Likelihoods along a flow: known answers, the error of the solver, bad fields."""

import math

import pytest
import torch
from dgmbench.metrics.likelihood.ode import ode_log_likelihood
from torch.distributions import MultivariateNormal, Normal

A = torch.tensor([[0.3, -0.8], [0.5, -0.2]])


def linear(t, x):
    """v = A x, whose flow is exp(A) and whose divergence is the trace of A."""
    return x @ A.T, A.trace().expand(len(x))


def log_normal(x):
    return Normal(0.0, 1.0).log_prob(x).sum(1)


def test_a_linear_field_makes_a_gaussian():
    flow = torch.matrix_exp(A.double()).float()
    truth = MultivariateNormal(torch.zeros(2), flow @ flow.T)
    x = truth.sample((50,))
    found = ode_log_likelihood(linear, x, log_normal)
    torch.testing.assert_close(found.value, truth.log_prob(x), rtol=0, atol=1e-4)
    assert found.evaluations > 10
    assert found.discretisation.n == 50


def test_what_two_tolerances_differ_by_bounds_the_error():
    """A field that turns fast, so that a loose solver errs: x turns, its density stays."""
    turn = torch.tensor([[0.0, 40.0], [-40.0, 0.0]]).double()

    def field(t, x):
        return x @ turn.T - 0.5 * x, torch.full_like(x[:, 0], -1.0)

    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)).double()
    # From t = 1 back to 0 lengths grow by e^(1/2), so that data have the scale e^(-1/2).
    truth = Normal(0.0, math.exp(-0.5)).log_prob(x).sum(1)
    for tolerance in (1e-4, 1e-6):
        found = ode_log_likelihood(field, x, log_normal, tolerance=tolerance)
        error = float((found.value - truth).abs().mean())
        assert 0 < error < found.discretisation.value
    loose = ode_log_likelihood(field, x, log_normal, tolerance=1e-3)
    assert found.discretisation.value < loose.discretisation.value
    assert found.evaluations > loose.evaluations


@pytest.mark.parametrize("tolerance", [0.0, -1e-5, 0.1, math.nan])
def test_a_tolerance_makes_sense(tolerance):
    with pytest.raises(ValueError, match="a tolerance above 0"):
        ode_log_likelihood(linear, torch.zeros(3, 2), log_normal, tolerance=tolerance)


def test_points_are_a_matrix():
    with pytest.raises(ValueError, match=r"shape \(B, D\), got \(3,\)"):
        ode_log_likelihood(linear, torch.zeros(3), log_normal)


def test_a_field_that_is_no_number_is_told_with_its_time():
    def broken(t, x):
        return x / (t < 0.5), x[:, 0]

    with pytest.raises(ValueError, match=r"finite velocity, got NaN or infinity at t = 1"):
        ode_log_likelihood(broken, torch.ones(3, 2), log_normal)


def test_a_field_that_no_tolerance_holds_on_is_told():
    def rough(t, x):
        return torch.sin(1e6 * x), torch.cos(1e6 * x).sum(1)

    with pytest.raises(ValueError, match="more than 5,000 evaluations, up to t"):
        ode_log_likelihood(rough, torch.ones(3, 2), log_normal, tolerance=1e-6)
