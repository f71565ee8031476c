import math
from itertools import pairwise

import pytest
import scipy.stats
import torch
from dgmbench.baselines.diffusion.ddpm import DDPM, log_interval, strata
from dgmbench.baselines.paths.path import cosine_schedule
from dgmbench.benchmark.contract.model import Budget, Likelihood
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from torch import nn
from torch.distributions import Normal


class Optimal(nn.Module):
    """The best prediction of the noise where data are N(0, 1): E[e | x_t] = sqrt(1 - a_t) x_t."""

    def __init__(self, model: DDPM) -> None:
        super().__init__()
        self.alpha_bar, self.T = model.chain.alpha_bar, model.chain.T

    def forward(self, x, t):
        a = self.alpha_bar[(t * self.T).round().long()]
        return (1 - a).sqrt().float()[:, None] * x


def gaussian_model(dim: int = 2, **kwargs) -> DDPM:
    model = DDPM(Domain((dim,)), **{"variance": "large", **kwargs})
    model.net = Optimal(model)
    return model


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_marginal_is_the_product_of_the_steps(schedule):
    model = DDPM(Domain((1,)), T=20, schedule=schedule)
    a = model.chain.alpha_bar.double()
    scale, variance = 1.0, 0.0
    for t in range(1, 21):
        beta = float(1 - a[t] / a[t - 1])
        scale, variance = scale * math.sqrt(1 - beta), (1 - beta) * variance + beta
        q = model.chain.marginal(torch.ones(1, 1), torch.tensor([t]))
        assert float(q.mean) == pytest.approx(scale, rel=1e-6)
        assert float(q.variance) == pytest.approx(variance, rel=1e-6)


def test_schedules_end_in_noise():
    for schedule in ("linear", "cosine"):
        model = DDPM(Domain((1,)), T=100, schedule=schedule)
        assert float(model.chain.alpha_bar[-1]) < 1e-4
    assert bool((cosine_schedule(100).diff() > 0).all())


def test_ddim_with_full_noise_is_the_ancestral_sampler():
    """DDIM's eqs. 12 and 16 at eta = 1 and s = t - 1 are DDPM's eqs. 6 and 7."""
    model = DDPM(Domain((1,)), T=50, variance="small")
    a = model.chain.alpha_bar.double()
    data, noise = torch.randn(4, 1), torch.randn(4, 1)
    for t in range(2, 51):
        beta = 1 - a[t] / a[t - 1]
        x = a[t].sqrt() * data + (1 - a[t]).sqrt() * noise
        mean = (
            a[t - 1].sqrt() * beta / (1 - a[t]) * data
            + (1 - beta).sqrt() * (1 - a[t - 1]) / (1 - a[t]) * x
        )
        now = torch.full((4,), t)
        ours = model.chain.step_mean(data, noise, now, now - 1)
        torch.testing.assert_close(ours, mean, rtol=1e-4, atol=1e-5)
        variance = float((1 - a[t - 1]) / (1 - a[t]) * beta)
        assert float(model.step_variance(now, now - 1)[0]) == pytest.approx(variance, rel=1e-3)


def test_bound_is_tight_for_gaussian_data_and_the_optimal_net():
    """For x_0 ~ N(0, 1) the reverse steps are Gaussian with variance beta_t: no gap is left."""
    model = gaussian_model(T=30)
    x = torch.randn(20_000, 2)
    gap = model.log_prob(x) - Normal(0.0, 1.0).log_prob(x).sum(1)
    error = float(gap.std()) / math.sqrt(len(gap))
    assert error < 0.02
    assert abs(float(gap.mean())) < 4 * error


def test_small_variance_loosens_the_bound_by_the_closed_form():
    """The Gaussian KL of variances beta~_t and beta_t, summed over t > 1, is what it costs."""
    large, small = gaussian_model(T=30), gaussian_model(T=30, variance="small")
    a = large.chain.alpha_bar.double()
    beta = 1 - a[1:] / a[:-1]
    ratio = (beta * (1 - a[:-1]) / (1 - a[1:]) / beta)[1:]
    # True reverse step N(m, beta), model N(m, beta~): KL = (1/ratio - 1 + log ratio) / 2.
    gap = 2 * 0.5 * (1 / ratio - 1 + ratio.log()).sum()
    x = torch.randn(4000, 2)
    difference = large.log_prob(x) - small.log_prob(x)
    error = float(difference.std()) / math.sqrt(len(difference))
    assert abs(float(difference.mean()) - float(gap)) < 4 * error


@pytest.mark.parametrize(
    ("sampler", "steps"), [("ancestral", 200), ("ancestral", 50), ("ddim", 200)]
)
def test_samplers_draw_the_gaussian(sampler, steps):
    model = gaussian_model(T=200)
    x = model.sample(20_000, sampler=sampler, steps=steps)
    assert x.dtype == torch.float32
    assert x.mean(0).abs().max() < 4 / math.sqrt(20_000)
    # The last step adds no noise, and steps are finite: a few per cent of the variance.
    assert (x.var(0) - 1).abs().max() < 0.05


def test_ddim_draws_nothing_but_its_start():
    model = DDPM(Domain((2,)), T=10, hidden=(8,))
    torch.manual_seed(1)
    first = model.sample(3, sampler="ddim", steps=5)
    after = torch.rand(1)
    torch.manual_seed(1)
    torch.randn(3, 2)
    torch.testing.assert_close(after, torch.rand(1))
    assert first.shape == (3, 2)


def test_interval_agrees_with_scipy_far_into_both_tails():
    low = torch.tensor([-30.0, -1.0, 0.0, 8.0, 30.0], dtype=torch.double)
    high = low + 0.5
    ours = log_interval(low, high)
    # By symmetry both tails are taken where SciPy's survival functions do not cancel.
    a, b = low.abs().minimum(high.abs()).numpy(), low.abs().maximum(high.abs()).numpy()
    b_minus_a = scipy.stats.norm.logsf(b) - scipy.stats.norm.logsf(a)
    reference = (
        torch.from_numpy(scipy.stats.norm.logsf(a))
        + torch.from_numpy(-torch.expm1(torch.from_numpy(b_minus_a)).numpy()).log()
    )
    reference[1] = math.log(scipy.stats.norm.cdf(-0.5) - scipy.stats.norm.cdf(-1.0))
    torch.testing.assert_close(ours, reference, rtol=1e-9, atol=0)


@pytest.mark.parametrize("K", [2, 5, 256])
def test_discretised_decoder_is_a_law_on_the_levels(K):
    model = DDPM(Domain((1,), levels=K), T=10)
    data = model.encode(torch.arange(K)[:, None])
    mean = torch.tensor([[0.3]]).expand(K, 1)
    log_p = model.decoder_log_prob(data, mean, torch.tensor(0.07))
    assert float(log_p.double().exp().sum()) == pytest.approx(1, abs=1e-5)
    assert int(log_p.argmax()) == int((0.3 + 1) * K / 2)


def test_bound_on_integers_is_one_on_a_law():
    """E[bound(x)] <= log P(x), so that its exponentials sum to at most 1 over all states."""
    domain = Domain((2,), levels=3)
    model = DDPM(domain, T=40, variance="small", hidden=(32, 32), lr=1e-2)
    assert model.likelihood is Likelihood.LOWER_BOUND
    train = torch.tensor([[0, 1]]).repeat(100, 1)
    model.fit(TrainingTask(domain, train), Budget(steps=200, batch_size=100))
    states = domain.states()
    bound = model.log_prob(states.repeat(200, 1)).view(200, -1).mean(0)
    total = float(bound.exp().sum())
    assert 0.3 < total <= 1


@pytest.mark.parametrize("predicts", ["noise", "data", "velocity"])
def test_analytic_variance_is_the_true_one_of_the_reverse_step(predicts):
    """For x_0 ~ N(0, 1) that is beta_t; the net's error at t is Var[e | x_t] = a_t."""
    model = gaussian_model(T=30, variance="analytic", predicts=predicts)
    a = model.chain.alpha_bar
    if predicts != "noise":
        best = model.net

        def forward(x, t):
            b = a[(t * 30).round().long()].float()[:, None]
            noise = best(x, t)
            data = (x - (1 - b).sqrt() * noise) / b.sqrt()
            return data if predicts == "data" else b.sqrt() * noise - (1 - b).sqrt() * data

        model.net = nn.Module()
        model.net.forward = forward
    rows = torch.randn(10_000, 2)
    found = torch.zeros(31, 2)
    for _ in range(20):
        model.measure_errors(rows)
        found += model.errors / 20
    model.errors.copy_(found)
    torch.testing.assert_close(found[1:, 0], a[1:].float(), rtol=0.1, atol=0.01)
    t = torch.arange(2, 31)
    beta = (1 - a[2:] / a[1:-1]).float()
    torch.testing.assert_close(model.step_variance(t, t - 1)[:, 0], beta, rtol=0.1, atol=1e-3)


def test_terms_that_are_drawn_sum_to_the_bound():
    model = gaussian_model(T=60, variance="small")
    x = torch.randn(4000, 2)
    gap = model.log_prob(x) - model.log_prob(x, draws=8)
    assert abs(float(gap.mean())) < 4 * float(gap.std()) / math.sqrt(len(gap))
    runs = strata(1000, 100)
    assert runs[0][0] == 0 and runs[-1][1] == 1000 and len(runs) <= 100
    assert all(a[1] == b[0] for a, b in pairwise(runs))
    assert len(strata(60, 100)) == 60


def test_learned_variance_lies_between_both():
    model = DDPM(Domain((3,)), T=20, variance="learned", objective="hybrid", hidden=(8,))
    t = torch.arange(2, 21)
    share = torch.linspace(-9, 9, 19)[:, None].expand(19, 3)
    ours = model.step_variance(t, t - 1, share).double()
    chain = model.chain
    large, small = chain.step_variance(t, t - 1), chain.posterior_variance(t, t - 1)
    assert bool((ours >= 0.999 * small).all() and (ours <= 1.001 * large).all())


def test_the_hybrid_loss_moves_the_variance_by_the_bound_alone():
    """Without the bound no gradient reaches the half of the net that says the variance."""
    model = DDPM(Domain((2,)), T=20, variance="learned", objective="hybrid", hidden=(8,))
    model.loss(torch.randn(64, 2)).backward()
    assert model.net.head.weight.grad[2:].abs().sum() > 0
    torch.manual_seed(0)
    data, t = torch.randn(64, 2), torch.randint(1, 21, (64,))
    noise = torch.randn(64, 2)
    q = model.chain.marginal(data, t)
    model.zero_grad()
    model.term(data, noise, q.mean + q.stddev * noise, t, fixed_mean=True).sum().backward()
    assert model.net.head.weight.grad[:2].abs().sum() == 0


def test_bits_have_no_likelihood():
    model = DDPM(Domain((4,), levels=2), T=5, hidden=(8,))
    assert model.likelihood is Likelihood.NONE
    with pytest.raises(NotImplementedError):
        model.log_prob(torch.zeros(2, 4).long())


def test_loss_of_the_optimal_net_is_the_mean_posterior_variance():
    """Var[e | x_t] = a_t where data are N(0, 1), so that L_simple is the mean of a_t over t."""
    model = gaussian_model(T=10)
    losses = torch.stack([model.loss(torch.randn(5000, 2)) for _ in range(20)])
    expected = float(model.chain.alpha_bar[1:].mean())
    assert float(losses.mean()) == pytest.approx(expected, rel=0.02)


def test_refusals():
    with pytest.raises(ValueError, match="linear, cosine as schedule"):
        DDPM(Domain((2,)), schedule="quadratic")
    model = DDPM(Domain((2,)), T=10)
    with pytest.raises(ValueError, match="ancestral, ddim as sampler"):
        model.sample(2, sampler="heun")
    with pytest.raises(ValueError, match="1 to 10 steps"):
        model.sample(2, steps=11)
