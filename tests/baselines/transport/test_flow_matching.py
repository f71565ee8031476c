import math

import pytest
import torch
from dgmbench.baselines.paths.ode import field_of, integrate, log_density, log_normal, push
from dgmbench.baselines.transport.flow_matching import FlowMatching
from dgmbench.benchmark.contract.flow import ProbabilityFlow
from dgmbench.benchmark.contract.model import Likelihood
from dgmbench.benchmark.contract.task import Domain
from torch import nn
from torch.distributions import MultivariateNormal, Normal

A = torch.tensor([[0.3, -0.8], [0.5, -0.2]])


def linear(x, t):
    """The field v = A x, whose flow is x(1) = exp(A) x(0)."""
    return x @ A.T


def flow_of(velocity, exact=True):
    """From data at t = 1 to a standard normal law at t = 0."""
    field = field_of(velocity, exact)
    return ProbabilityFlow(field, 1.0, 0.0, log_normal, lambda x: (x, 0.0), exact)


def gaussian(mean: float, std: float):
    """The velocity that carries N(0, 1) to N(mean, std^2): E[x_1 - x_0 | x_t], sigma_min = 0."""

    def velocity(x, t):
        t = t[:, None]
        variance = (1 - t) ** 2 + t**2 * std**2
        slope = (t * std**2 - (1 - t)) / variance
        return mean + slope * (x - t * mean)

    return velocity


@pytest.mark.parametrize("solver", ["midpoint", "rk4", "dopri5"])
def test_push_follows_a_linear_field(solver):
    x = torch.randn(5, 2)
    ours = push(linear, x, solver, 50)
    torch.testing.assert_close(ours, x @ torch.matrix_exp(A).T, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("solver", ["rk4", "dopri5"])
def test_likelihood_of_a_linear_field_is_the_gaussian_it_makes(solver):
    flow = torch.matrix_exp(A)
    truth = MultivariateNormal(torch.zeros(2), flow @ flow.T)
    x = truth.sample((50,))
    ours = log_density(flow_of(linear), x, solver)
    torch.testing.assert_close(ours, truth.log_prob(x), rtol=0, atol=2e-4)


def test_hutchinson_is_right_on_average():
    flow = torch.matrix_exp(A)
    truth = MultivariateNormal(torch.zeros(2), flow @ flow.T)
    x = torch.tensor([[0.4, -1.0]]).expand(4000, 2).contiguous()
    ours = log_density(flow_of(linear, exact=False), x)
    error = float(ours.std()) / math.sqrt(len(ours))
    assert 0 < error < 0.02
    assert abs(float(ours.mean() - truth.log_prob(x[0]))) < 4 * error


def test_gaussian_pair_has_the_velocity_in_closed_form():
    """Least squares of the path's velocity on x_t finds E[x_1 - x_0 | x_t]."""
    model = FlowMatching(Domain((1,)), sigma_min=0.0)
    noise, data = torch.randn(200_000, 1), 0.5 + 0.3 * torch.randn(200_000, 1)
    for time in (0.1, 0.5, 0.9):
        t = torch.full((200_000,), time)
        x, velocity = model.path.point(data, noise, t), model.path.velocity(data, noise, t)
        design = torch.cat([x, torch.ones_like(x)], 1)
        fit = torch.linalg.lstsq(design, velocity).solution
        probe = torch.tensor([[-0.5], [0.2], [1.0]])
        ours = fit[0] * probe + fit[1]
        truth = gaussian(0.5, 0.3)(probe, torch.full((3,), time))
        torch.testing.assert_close(ours, truth, rtol=0.02, atol=0.02)


def test_path_starts_at_noise_and_ends_within_sigma_min_of_data():
    model = FlowMatching(Domain((2,)), sigma_min=0.01)
    noise, data = torch.randn(4, 2), torch.randn(4, 2)
    start = model.path.point(data, noise, torch.zeros(4))
    end = model.path.point(data, noise, torch.ones(4))
    velocity = model.path.velocity(data, noise, torch.ones(4))
    torch.testing.assert_close(start, noise)
    torch.testing.assert_close(end, data + 0.01 * noise)
    torch.testing.assert_close(velocity, end - start)


def test_known_velocity_carries_noise_and_density_to_the_gaussian():
    noise = torch.randn(100, 1)
    velocity = gaussian(0.5, 0.3)
    x = push(velocity, noise, "rk4", 40)
    torch.testing.assert_close(x, 0.5 + 0.3 * noise, rtol=1e-3, atol=1e-3)
    truth = Normal(0.5, 0.3).log_prob(x).sum(1)
    torch.testing.assert_close(
        log_density(flow_of(velocity), x, steps=40), truth, rtol=0, atol=5e-3
    )


def test_untrained_density_integrates_to_one():
    model = FlowMatching(Domain((2,)), hidden=(16,))
    model.scaling.shift.copy_(torch.tensor([1.0, -2.0]))
    model.scaling.scale.copy_(torch.tensor([0.5, 3.0]))
    axes = [torch.linspace(-7, 7, 90) * s + m for m, s in ((1.0, 0.5), (-2.0, 3.0))]
    cell = float((axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0]))
    total = float(model.log_prob(torch.cartesian_prod(*axes)).exp().sum()) * cell
    assert total == pytest.approx(1, abs=2e-3)


def test_samples_follow_the_density_of_the_model():
    class Velocity(nn.Module):
        def forward(self, x, t):
            return gaussian(0.5, 0.3)(x, t)

    model = FlowMatching(Domain((2,)))
    model.net = Velocity()
    x = model.sample(20_000)
    assert x.mean(0).sub(0.5).abs().max() < 0.01
    assert x.std(0).sub(0.3).abs().max() < 0.01


@pytest.mark.parametrize(
    "domain", [Domain((3,)), Domain((1, 4, 4), levels=5), Domain((6,), levels=2)]
)
def test_likelihood_is_an_estimate_on_every_domain(domain):
    model = FlowMatching(domain, hidden=(8,), steps=2, likelihood_steps=2)
    assert model.likelihood is Likelihood.ESTIMATE
    x = domain.check("samples", model.sample(3))
    assert model.log_prob(x).isfinite().all()


def test_integers_average_the_density_where_the_trace_is_exact():
    domain = Domain((2,), levels=3)
    model = FlowMatching(domain, hidden=(8,), likelihood_steps=4)
    assert "8 draws" in model.estimator() and "exact" in model.estimator()
    x = domain.states().repeat(300, 1)
    one = model.log_prob(x, draws=1).view(300, -1)
    many = model.log_prob(x, draws=16).view(300, -1)
    assert bool((many.std(0) < one.std(0)).all())
    assert bool((many.mean(0) > one.mean(0) - 0.05).all())
    wide = FlowMatching(Domain((5, 5), levels=3), hidden=(8,))
    assert "Hutchinson" in wide.estimator() and "1 draw " in wide.estimator()


def test_refusals():
    state = (torch.zeros(1),)
    with pytest.raises(ValueError, match="as solver"):
        FlowMatching(Domain((2,)), solver="heun3")
    with pytest.raises(ValueError, match="at least one step"):
        integrate(lambda t, s: s, state, 0.0, 1.0, steps=0)


def test_ways_of_dequantisation():
    domain = Domain((2,), 8)
    model = FlowMatching(domain, dequantisation="logit")
    x = model.sample(32)
    domain.check("samples", x)
    assert model.log_prob(x).isfinite().all()
    with pytest.raises(ValueError, match="uniform or logit"):
        FlowMatching(domain, dequantisation="variational")
