from __future__ import annotations

import pytest
import torch
from dgmbench.metrics.distance.sinkhorn import sinkhorn_divergence
from dgmbench.metrics.distance.wasserstein import wasserstein
from dgmbench.metrics.numerics.jackknife import block_jackknife


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def entropic_cost(x, y, e, iterations=3000):
    """Independent: scaling iterations outside the log domain, and the primal objective."""
    cost = (x[:, None] - y[None]).square().sum(dim=2)
    kernel = torch.exp(-cost / e) / (len(x) * len(y))
    v = torch.ones(len(y), dtype=x.dtype)
    for _ in range(iterations):
        u = 1 / len(x) / (kernel @ v)
        v = 1 / len(y) / (kernel.T @ u)
    plan = u[:, None] * kernel * v
    return float((plan * cost).sum() + e * (plan * (plan * len(x) * len(y)).log()).sum())


def test_equals_the_definition(generator):
    x, y, e = normal(25, 2, generator), normal(20, 2, generator) * 1.3 + 0.5, 0.8
    expected = entropic_cost(x, y, e) - entropic_cost(x, x, e) / 2 - entropic_cost(y, y, e) / 2
    assert sinkhorn_divergence(x, y, e).value == pytest.approx(expected, rel=1e-6)


def test_gaussians_in_closed_form(generator):
    # Janati et al., arXiv:2006.02572: laws of one covariance differ by |m_1 - m_2|^2 at every e.
    x, y = normal(500, 2, generator), normal(500, 2, generator) + 1
    estimate = sinkhorn_divergence(x, y, 2.0)
    assert abs(estimate.value - 2) < 4 * estimate.stderr


def test_is_symmetric_and_zero_on_itself(generator):
    x, y = normal(30, 3, generator), normal(20, 3, generator) + 1
    one, other = sinkhorn_divergence(x, y, 1.0), sinkhorn_divergence(y, x, 1.0)
    assert one.value == pytest.approx(other.value, rel=1e-6)
    assert sinkhorn_divergence(x, x, 1.0).value == pytest.approx(0, abs=1e-6)


def test_limits_of_the_regularisation(generator):
    x, y = normal(30, 2, generator), normal(20, 2, generator) + 1
    means = float((x.mean(0) - y.mean(0)).square().sum())
    assert sinkhorn_divergence(x, y, 1e5).value == pytest.approx(means, rel=1e-3)
    exact = wasserstein(x, y).value ** 2
    assert sinkhorn_divergence(x, y, 0.02, 5000).value == pytest.approx(exact, rel=0.01)


def test_the_default_follows_the_scale(generator):
    x, y = normal(30, 2, generator), normal(20, 2, generator) + 1
    value = sinkhorn_divergence(x, y).value
    assert sinkhorn_divergence(1e3 * x, 1e3 * y).value == pytest.approx(1e6 * value, rel=1e-6)
    mean_square = 2 * float(y.var(dim=0).sum())
    assert sinkhorn_divergence(x, y, 0.05 * mean_square).value == pytest.approx(value, rel=1e-9)


def test_tells_when_it_stopped_short(generator):
    x, y = normal(30, 2, generator), normal(20, 2, generator) + 1
    assert "Marginals off by" in sinkhorn_divergence(x, y, 0.001, iterations=10).note
    assert sinkhorn_divergence(x, y).note == ""


def test_the_standard_error_agrees_with_the_jackknife(generator):
    x, y = normal(100, 2, generator), 1.5 * normal(80, 2, generator) + 1
    jackknife = block_jackknife(lambda a, b: sinkhorn_divergence(a, b, 0.5).value, x, y, blocks=20)
    assert sinkhorn_divergence(x, y, 0.5).stderr == pytest.approx(jackknife, rel=0.25)


def test_the_regularisation_is_positive():
    with pytest.raises(ValueError, match="positive regularization, got 0"):
        sinkhorn_divergence(torch.rand(4, 1), torch.rand(4, 1), 0.0)
