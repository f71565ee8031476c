"""OT-CFM, rectified flow, interpolants, MeanFlow, consistency, against what is known of them."""

import numpy as np
import ot
import pytest
import torch
from dgmbench.baselines.nets.time import TimeMLP
from dgmbench.baselines.nets.two_times import with_two_times
from dgmbench.baselines.nets.unet import UNet
from dgmbench.baselines.transport.consistency import HIGH, LOW, Consistency, neighbours
from dgmbench.baselines.transport.interpolant import Interpolant, bump, d_bump, pace, time
from dgmbench.baselines.transport.meanflow import MeanFlow
from dgmbench.baselines.transport.ot_cfm import OTCFM, paired
from dgmbench.baselines.transport.rectified_flow import RectifiedFlow
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask

LINE = Domain((1,))


def task(mean=2.0, std=0.5, n=4000):
    rows = mean + std * torch.randn(n, 1)
    return TrainingTask(LINE, rows, rows[:200])


def test_pairs_are_the_plan_of_pot():
    noise, data = torch.randn(40, 3), torch.randn(40, 3) + 1
    found = paired(noise, data)
    cost = torch.cdist(data, noise).square().double().numpy()
    plan = ot.emd(np.full(40, 1 / 40), np.full(40, 1 / 40), cost)
    assert torch.equal(found, noise[torch.from_numpy(plan.argmax(1))])
    ours = (found - data).square().sum(1).mean().item()
    assert ours == pytest.approx((plan * cost).sum(), rel=1e-5)


def test_ot_cfm_has_a_straighter_flow_than_independent_pairs():
    """On a line the plan is monotone: the regression has almost no noise left."""
    model = OTCFM(LINE)
    data = torch.randn(512, 1)
    noise = model.couple(data)
    order = data.squeeze(1).argsort()
    assert (noise.squeeze(1)[order].diff() >= 0).all()


def test_reflow_trains_on_the_pairs_of_the_held_flow():
    model = RectifiedFlow(LINE, hidden=(32, 32), first=0.5)
    model.fit(task(), Budget(steps=200, batch_size=128))
    assert {name for _, name, _ in model.curve} == {"loss", "reflow"}
    assert not any(p.requires_grad for p in model.teacher.parameters())
    assert any(
        not torch.equal(p, q)
        for p, q in zip(model.teacher.parameters(), model.net.parameters(), strict=True)
    )
    x = model.sample(4000)
    assert x.mean().item() == pytest.approx(2.0, abs=0.2)


def test_a_checkpoint_of_the_second_phase_keeps_the_teacher():
    model = RectifiedFlow(LINE, hidden=(8,))
    assert any(key.startswith("teacher.") for key in model.state_dict())


def test_the_time_of_an_interpolant_keeps_its_flow_bounded():
    s = torch.linspace(0, 1, 21, dtype=torch.double, requires_grad=True)
    t = time(s)
    torch.testing.assert_close(bump(s).square(), 2 * t * (1 - t))
    for of_time, derivative in ((time, pace), (bump, d_bump)):
        (slope,) = torch.autograd.grad(of_time(s).sum(), s)
        torch.testing.assert_close(derivative(s), slope)
    assert t[0].item() == 0 and t[-1].item() == pytest.approx(1)


def gaussian_interpolant(mean=2.0, std=0.5):
    """The exact v and e of an interpolant between N(0, 1) and N(mean, std^2)."""
    model = Interpolant(LINE)

    def both(x, t):
        t = t[:, None]
        total = (1 - t) ** 2 + t**2 * std**2 + 2 * t * (1 - t)
        gap = x - t * mean
        v = mean + (t * std**2 - (1 - t)) / total * gap
        return v, (2 * t * (1 - t)).sqrt() / total * gap

    model.both = both
    return model


@pytest.mark.parametrize("sampler", ["midpoint", "sde"])
def test_flow_and_diffusion_of_an_interpolant_reach_the_data(sampler):
    x = gaussian_interpolant().sample(20_000, sampler=sampler, steps=50)
    assert x.mean().item() == pytest.approx(2.0, abs=0.03)
    assert x.std().item() == pytest.approx(0.5, abs=0.03)


def test_the_likelihood_of_an_interpolant_is_that_of_its_flow():
    model = gaussian_interpolant()  # with its 24 steps
    x = 2 + 0.5 * torch.randn(50, 1)
    expected = torch.distributions.Normal(2.0, 0.5).log_prob(x).squeeze(1)
    torch.testing.assert_close(model.log_prob(x), expected, atol=1e-4, rtol=0)


def analytic_average(x_std=1.0):
    """Data N(0, 1): z_t = (1 - t) x + t e flows along scales s(t) = sqrt((1-t)^2 + t^2)."""

    def scale(t):
        return ((1 - t) ** 2 + t**2).sqrt()

    def u(z, r, t):
        r, t = r[:, None], t[:, None]
        gap = torch.where(t > r, t - r, torch.ones_like(t))
        average = z * (1 - scale(r) / scale(t)) / gap
        instant = z * (2 * t - 1) / scale(t) ** 2
        return torch.where(t > r, average, instant)

    return u


def test_the_identity_holds_for_an_analytic_average_velocity():
    """u = v - (t - r) du/dt, with v the instantaneous velocity and the derivative by reverse."""
    model = MeanFlow(LINE).double()
    model.u = analytic_average()
    z = torch.randn(100, 1, dtype=torch.double)
    r = 0.4 * torch.rand(100, dtype=torch.double)
    t = r + 0.1 + 0.5 * torch.rand(100, dtype=torch.double)
    v = model.u(z, t, t)
    u, slope = model.derivative(z, r, t, v)
    torch.testing.assert_close(u, v - (t - r)[:, None] * slope, rtol=1e-6, atol=1e-8)


def test_the_directional_derivative_is_that_of_forward_mode():
    model = MeanFlow(Domain((3,)), hidden=(16,)).double()
    z, v = torch.randn(5, 3).double(), torch.randn(5, 3).double()
    r, t = torch.rand(5).double() / 2, torch.rand(5).double() / 2 + 0.5
    _, found = model.derivative(z, r, t, v)
    _, expected = torch.func.jvp(lambda z, t: model.u(z, r, t), (z, t), (v, torch.ones_like(t)))
    torch.testing.assert_close(found, expected)


def test_one_step_of_the_analytic_average_carries_noise_to_data():
    model = MeanFlow(LINE)
    model.u = analytic_average()
    torch.manual_seed(0)
    one = model.sample(1000)
    torch.manual_seed(0)
    torch.testing.assert_close(one, torch.randn(1000, 1), atol=1e-5, rtol=1e-5)


def test_pairs_of_times_are_in_order_and_half_of_those_that_differ_begin_at_the_data():
    r, t = MeanFlow(LINE, apart=0.4).two_times(20_000)
    assert (r <= t).all() and (t <= 1).all()
    assert (r < t).float().mean().item() == pytest.approx(0.4, abs=0.02)
    assert (r == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_losses_are_divided_by_their_mean_at_about_the_same_times():
    model = MeanFlow(LINE).train()
    n = 20_000
    r, t = model.two_times(n)
    expected = torch.where(t > 0.5, 4.0, 0.25)
    for _ in range(20):
        found = model.size(2 * torch.rand(n) * expected, r, t)
    torch.testing.assert_close(found, expected, rtol=0.3, atol=0)
    kept = model.sizes.clone()
    torch.testing.assert_close(model.eval().size(torch.ones(n), r, t), found)
    assert torch.equal(model.sizes, kept)


@pytest.mark.slow
@pytest.mark.parametrize("improved", [False, True])
def test_meanflow_learns_a_gaussian_in_one_step(improved):
    model = MeanFlow(LINE, hidden=(64, 64), improved=improved)
    model.fit(task(), Budget(steps=800, batch_size=256))
    x = model.sample(4000)
    assert x.mean().item() == pytest.approx(2.0, abs=0.25)
    assert x.std().item() == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("net", [TimeMLP(2, (16,)), UNet((1, 8, 8), 8)], ids=["mlp", "unet"])
def test_two_times_take_the_place_of_one(net):
    net = with_two_times(net)
    x = torch.randn(3, 2) if isinstance(net, TimeMLP) else torch.randn(3, 1, 8, 8)
    for p in net.parameters():  # some layers start at zero
        torch.nn.init.normal_(p, std=0.3)
    r, t = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.6, 0.7])
    base = net(x, torch.stack([r, t], 1))
    assert base.shape == x.shape
    assert not torch.equal(base, net(x, torch.stack([r + 0.2, t], 1)))
    assert not torch.equal(base, net(x, torch.stack([r, t + 0.2], 1)))


def test_a_consistency_function_keeps_points_at_the_lowest_level():
    model = Consistency(Domain((4,)))
    x = torch.randn(8, 4)
    torch.testing.assert_close(model.f(x, torch.full((8,), LOW)), x)


@pytest.mark.parametrize("dim, expected", [(1, 5.0), (4, 10.0), (10_000, HIGH)])
def test_the_highest_level_is_five_times_the_size_of_a_point(dim, expected):
    """Scaled rows have unit variance: a point's size is the root of its dimension."""
    model = Consistency(Domain((dim,)))
    rows = 3 + 0.2 * torch.randn(200, dim)
    model.prepare(TrainingTask(model.domain, rows))
    assert model.levels(11)[-1].item() == pytest.approx(expected, rel=0.02)
    assert model.levels(11)[0].item() == pytest.approx(LOW)


def test_pairs_of_levels_are_drawn_log_normally():
    model = Consistency(LINE)
    weights = neighbours(model.levels(21).double())
    log = model.levels(21).double().log()
    normal = torch.distributions.Normal(-1.1, 2.0)
    expected = normal.cdf(log).diff()
    torch.testing.assert_close(weights / weights.sum(), expected / expected.sum())


def test_the_loss_vanishes_for_a_constant_function():
    """One point of data: the function that returns it agrees with itself at all levels."""
    model = Consistency(LINE)
    model.f = lambda x, sigma: torch.zeros_like(x)
    assert model.loss(torch.zeros(64, 1)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_consistency_learns_a_gaussian_in_one_step():
    model = Consistency(LINE, hidden=(64, 64))
    model.fit(task(), Budget(steps=800, batch_size=256))
    for steps in (1, 2):
        x = model.sample(4000, steps=steps)
        assert x.mean().item() == pytest.approx(2.0, abs=0.2)
        assert x.std().item() == pytest.approx(0.5, abs=0.3)
