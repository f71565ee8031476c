"""Paths, predictions and the chain against closed forms."""

import math

import pytest
import torch
from dgmbench.baselines.paths.chain import Chain
from dgmbench.baselines.paths.path import (
    SCHEDULES,
    Growing,
    Straight,
    VarianceExploding,
    VariancePreserving,
    linear_schedule,
)
from dgmbench.baselines.paths.prediction import (
    Rates,
    data_of_noise,
    data_of_velocity,
    noise_of_data,
    preconditioning,
    score_of_noise,
    velocity_of_data,
)

PATHS = [Straight(), Straight(0.1), VariancePreserving(), VarianceExploding(), Growing()]
T = torch.linspace(0.05, 0.95, 19, dtype=torch.double)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: type(p).__name__)
def test_derivatives_are_those_of_the_coefficients(path):
    t = T.clone().requires_grad_()
    for f, d in ((path.alpha, path.d_alpha), (path.sigma, path.d_sigma)):
        value = f(t)
        slope = torch.zeros_like(t)
        if value.requires_grad:
            slope = torch.autograd.grad(value.sum(), t)[0]
        torch.testing.assert_close(d(T), slope, rtol=1e-6, atol=1e-9)


def test_variance_is_preserved_and_the_ends_are_data_and_noise():
    path = VariancePreserving()
    torch.testing.assert_close(path.alpha(T) ** 2 + path.sigma(T) ** 2, torch.ones_like(T))
    ends = torch.tensor([0.0, 1.0], dtype=torch.double)
    torch.testing.assert_close(path.alpha(ends)[0], torch.ones(()).double())
    # Ho et al.'s schedule of 1,000 steps is this path: beta(t) = 0.1 + 19.9 t.
    chain = Chain(linear_schedule(1000))
    torch.testing.assert_close(
        path.alpha(torch.tensor([0.5]).double()) ** 2, chain.alpha_bar[[500]], rtol=2e-2, atol=0
    )


def test_a_straight_path_joins_noise_and_data():
    data, noise = torch.randn(4, 2), torch.randn(4, 2)
    path = Straight(0.1)
    torch.testing.assert_close(path.point(data, noise, torch.zeros(4)), noise)
    torch.testing.assert_close(path.point(data, noise, torch.ones(4)), data + 0.1 * noise)
    torch.testing.assert_close(path.velocity(data, noise, torch.rand(4)), data - 0.9 * noise)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: type(p).__name__)
def test_conversions_come_back(path):
    t = T.float()[:, None]
    rates = Rates(*(f(t) for f in (path.alpha, path.sigma, path.d_alpha, path.d_sigma)))
    data, noise = torch.randn(19, 3), torch.randn(19, 3)
    x = rates.alpha * data + rates.sigma * noise
    near = {"rtol": 1e-3, "atol": 2e-3}
    torch.testing.assert_close(data_of_noise(x, noise, rates.alpha, rates.sigma), data, **near)
    torch.testing.assert_close(noise_of_data(x, data, rates.alpha, rates.sigma), noise, **near)
    velocity = velocity_of_data(x, data, rates)
    torch.testing.assert_close(velocity, rates.d_alpha * data + rates.d_sigma * noise, **near)
    torch.testing.assert_close(data_of_velocity(x, velocity, rates), data, **near)


def test_the_score_of_a_gaussian():
    """Data N(0, 1): x_t is N(0, a^2 + s^2), whose score is -x / (a^2 + s^2)."""
    alpha, sigma, x = 0.6, torch.tensor(0.5), torch.randn(10)
    mean_of_noise = sigma * x / (alpha**2 + sigma**2)
    expected = -x / (alpha**2 + sigma**2)
    torch.testing.assert_close(score_of_noise(mean_of_noise, sigma), expected)


def test_preconditioning_is_edms_table():
    c = preconditioning(torch.tensor(2.0), sigma_data=0.5)
    assert float(c.skip) == pytest.approx(0.25 / 4.25)
    assert float(c.out) == pytest.approx(2 * 0.5 / math.sqrt(4.25))
    assert float(c.into) == pytest.approx(1 / math.sqrt(4.25))
    assert float(c.noise) == pytest.approx(math.log(2) / 4)


def test_preconditioned_inputs_and_targets_have_unit_variance():
    """What c_in and c_out are for (Karras et al. 2022, appendix B.6)."""
    sigma, data = torch.tensor(0.7), 0.5 * torch.randn(200_000)
    x = data + sigma * torch.randn_like(data)
    c = preconditioning(sigma, 0.5)
    assert float((c.into * x).var()) == pytest.approx(1, abs=0.02)
    assert float(((data - c.skip * x) / c.out).var()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_ddim_at_eta_1_has_ddpms_posterior(schedule):
    """Mean and variance of eq. 7 from those of DDIM's eqs. 12 and 16."""
    chain = Chain(SCHEDULES[schedule](50))
    a = chain.alpha_bar
    data, noise = torch.randn(3, 2).double(), torch.randn(3, 2).double()
    for t in (2, 10, 50):
        x = a[t].sqrt() * data + (1 - a[t]).sqrt() * noise
        beta = 1 - a[t] / a[t - 1]
        mean = a[t - 1].sqrt() * beta * data + (1 - beta).sqrt() * (1 - a[t - 1]) * x
        now = torch.full((3,), t)
        ours = chain.step_mean(data, noise, now, now - 1)
        torch.testing.assert_close(ours, mean / (1 - a[t]), atol=1e-5, rtol=1e-5)
        variance = (1 - a[t - 1]) / (1 - a[t]) * beta
        ours = chain.posterior_variance(now, now - 1)
        torch.testing.assert_close(ours, variance.expand(3, 1))


def test_an_error_of_the_noise_slips_into_the_mean_as_said():
    chain = Chain(linear_schedule(50))
    x, error = torch.randn(4, 2), 0.1 * torch.randn(4, 2)
    t, s = torch.tensor([50, 20, 20, 1]), torch.tensor([40, 19, 3, 0])
    a, b = chain.rates(t)

    def mean(noise):
        return chain.step_mean((x - b * noise) / a, noise, t, s)

    moved = mean(x + error) - mean(x)
    torch.testing.assert_close(moved, chain.slip(t, s).float() * error, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("eta", "steps"), [(0.0, 50), (1.0, 200)])
def test_a_perfect_denoiser_walks_from_noise_to_data(eta, steps):
    """Data N(1, 0.3^2): the best guess of x_0 is linear in x_t."""
    chain = Chain(linear_schedule(200))

    def denoise(x, t, s):
        a, b = chain.rates(t)
        data = (0.09 * a * x + b**2) / (0.09 * a**2 + b**2)
        return data, (x - a * data) / b, chain.posterior_variance(t, s).float()

    x = chain.walk(torch.randn(20_000, 1), denoise, chain.times(steps), eta)
    assert float(x.mean()) == pytest.approx(1, abs=0.02)
    assert float(x.std()) == pytest.approx(0.3, abs=0.03)


def test_steps_are_bounded_by_the_chain():
    with pytest.raises(ValueError, match="Expected 1 to 10 steps, got 11"):
        Chain(linear_schedule(10)).times(11)
    assert Chain(linear_schedule(10)).times(2) == [10, 5, 0]
