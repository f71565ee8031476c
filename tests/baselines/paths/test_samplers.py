"""Samplers on a Gaussian, whose denoiser is known: all of them carry noise to the data's law."""

import math

import pytest
import torch
from dgmbench.baselines.paths.chain import Chain
from dgmbench.baselines.paths.path import VarianceExploding, VariancePreserving, linear_schedule
from dgmbench.baselines.paths.samplers import SAMPLERS, back, ddim, sample, velocity

MEAN, STD = 0.7, 0.4
PATHS = {"vp": VariancePreserving(), "ve": VarianceExploding(0.01, 50.0)}


def guess_on(path):
    """E[x | x_t] for data N(MEAN, STD^2)."""

    def guess(x, t):
        a, s = path.alpha(t)[:, None], path.sigma(t)[:, None]
        gain = a * STD**2 / (a**2 * STD**2 + s**2)
        return MEAN + gain * (x - a * MEAN)

    return guess


def start(path, n):
    return float(path.sigma(torch.ones(1))) * torch.randn(n, 1)


@pytest.mark.parametrize("word", PATHS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_carries_noise_to_the_gaussian(name, word):
    path, n = PATHS[word], 40_000
    times = torch.linspace(1, 1e-3, 201)
    x = sample(name, path, guess_on(path), start(path, n), times)
    slack = 0.05 if name == "euler" else 0.02  # it is of first order, and levels span decades
    assert x.mean().item() == pytest.approx(MEAN, abs=0.02)
    assert x.std().item() == pytest.approx(STD, abs=slack)


@pytest.mark.parametrize("name", ["heun", "dpm++"])
def test_second_order_samplers_beat_the_first_order_at_as_many_steps(name):
    path = PATHS["vp"]
    x = start(path, 2000)
    times = torch.linspace(1, 0.1, 25)
    exact = sample("heun", path, guess_on(path), x, torch.linspace(1, 0.1, 2001))
    first = {"heun": "euler", "dpm++": "ddim"}[name]
    error = (sample(name, path, guess_on(path), x, times) - exact).abs().mean()
    worse = (sample(first, path, guess_on(path), x, times) - exact).abs().mean()
    assert error < 0.5 * worse


@pytest.mark.slow
@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("ddim", 1), ("heun", 2)])
def test_the_error_falls_with_the_order(name, order):
    path = PATHS["vp"]
    x = start(path, 500).double()
    exact = sample("heun", path, guess_on(path), x, torch.linspace(1, 0.1, 4001).double())

    def error(steps):
        times = torch.linspace(1, 0.1, steps + 1).double()
        found = sample(name, path, guess_on(path), x, times)
        return (found - exact).abs().mean().item()

    assert math.log2(error(80) / error(160)) == pytest.approx(order, abs=0.35)


def test_the_velocity_is_that_of_the_gaussian():
    """The marginals are N(alpha m, v), v = alpha^2 s^2 + sigma^2: points keep their quantile."""
    path, t = PATHS["vp"], torch.tensor([0.6], dtype=torch.double)
    x = torch.tensor([[0.3]], dtype=torch.double)

    def law(t):
        a, s = path.alpha(t), path.sigma(t)
        return a * MEAN, (a**2 * STD**2 + s**2).sqrt()

    h = 1e-5
    (m0, v0), (m1, v1) = law(t - h), law(t + h)
    mean, std = law(t)
    z = (x[:, 0] - mean) / std
    expected = ((m1 + v1 * z) - (m0 + v0 * z)) / (2 * h)
    found = velocity(path, guess_on(path), x, t)[:, 0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_an_ancestral_step_is_the_posterior_of_the_chain():
    """Mean and variance of q(x_s | x_t, x_0) are those of DDPM's eq. 7."""
    path = VariancePreserving()
    chain = Chain(linear_schedule(1000))
    t, s = torch.tensor([0.5]), torch.tensor([0.499])
    a = torch.stack([path.alpha(s), path.alpha(t)]).double().square()
    beta = 1 - a[1] / a[0]
    x, data = torch.randn(1, 3), torch.randn(1, 3)
    mean, variance = back(path, x, data, t, s)
    expected = a[0].sqrt() * beta / (1 - a[1]) * data
    expected = expected + (1 - beta).sqrt() * (1 - a[0]) / (1 - a[1]) * x
    torch.testing.assert_close(mean.double(), expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        variance.double(), ((1 - a[0]) / (1 - a[1]) * beta)[:, None], rtol=1e-2, atol=0
    )
    whole = chain.posterior_variance(torch.tensor([500]), torch.tensor([499]))
    torch.testing.assert_close(variance.double(), whole, rtol=0.05, atol=0)


def test_ddim_with_the_right_guess_returns_the_data():
    path = PATHS["ve"]
    data = torch.tensor([[1.5]])
    x = data + path.sigma(torch.ones(1)) * torch.randn(1, 1)
    found = ddim(path, lambda x, t: data, x, [1.0, 0.6, 0.0])
    torch.testing.assert_close(found, data, atol=0.1, rtol=0)


def test_bad_input_is_named():
    path = PATHS["vp"]
    with pytest.raises(ValueError, match="got 'rk45'"):
        sample("rk45", path, guess_on(path), torch.zeros(1, 1), [1.0, 0.0])
    with pytest.raises(ValueError, match="at least two times"):
        sample("ddim", path, guess_on(path), torch.zeros(1, 1), [1.0])
