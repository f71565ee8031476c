"""RBM by enumeration, NCE with its known best classifier, score matching on a Gaussian."""

import math
from itertools import pairwise

import pytest
import torch
from dgmbench.baselines.energy.nce import NCE
from dgmbench.baselines.energy.rbm import RBM
from dgmbench.baselines.energy.score_matching import LOWEST, ScoreMatching
from dgmbench.benchmark.contract.model import Budget, Likelihood
from dgmbench.benchmark.contract.task import Domain, TrainingTask

BITS = Domain((5,), 2)


def machine(hidden=4, domain=BITS, scale=1.0):
    model = RBM(domain, hidden=hidden)
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(std=scale)
    model.log_normaliser.copy_(model.normaliser())
    return model


def by_hand(model):
    """p(v) by a sum over all states of both sides."""
    W, c, b = model.interaction.weight, model.interaction.bias, model.b
    v, h = BITS.states().float(), Domain((len(c),), 2).states().float()
    energy = (v @ b)[:, None] + h @ c + v @ W.T @ h.T
    return (energy.logsumexp(1) - energy.flatten().logsumexp(0)).detach()


@pytest.mark.parametrize("hidden", [3, 7])
def test_the_likelihood_of_a_small_machine_is_exact(hidden):
    """The smaller side is listed: the hidden one with 3 bits, the visible one with 7."""
    model = machine(hidden)
    assert model.likelihood is Likelihood.EXACT
    torch.testing.assert_close(model.log_prob(BITS.states()), by_hand(model), atol=1e-5, rtol=1e-5)


def test_a_large_machine_does_not_know_its_normaliser():
    model = RBM(Domain((20,), 2), hidden=30)
    assert model.likelihood is Likelihood.UNNORMALIZED
    with pytest.raises(ValueError, match="at most 16 bits"):
        model.normaliser()


def test_gibbs_sampling_leaves_the_law_alone():
    model = machine(scale=0.7)
    x = model.sample(20_000, steps=200)
    share = (x @ torch.tensor([16, 8, 4, 2, 1])).bincount(minlength=32) / 20_000
    assert (share - by_hand(model).exp()).abs().max() < 0.015


def test_the_gradient_of_the_loss_is_that_of_the_likelihood():
    """With negatives from the model itself, summed with their probabilities."""
    model = machine(scale=0.5)
    model.decay = 0.0
    rows = BITS.states()[torch.tensor([1, 5, 9, 30])]
    p = by_hand(model).exp()
    chains = BITS.states().float().repeat_interleave((p * 20_000).round().long(), 0)
    model.loss((rows, chains)).backward()
    found = model.interaction.weight.grad.clone()
    model.zero_grad()
    data = model.free_energy(rows.float()).mean()
    log_z = (-model.free_energy(BITS.states().float())).logsumexp(0)
    (data + log_z).backward()
    torch.testing.assert_close(found, model.interaction.weight.grad, atol=2e-3, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("persistent", [False, True])
def test_a_machine_learns_noisy_copies(persistent):
    """Five noisy copies of a bit: the entropy is that of 32 states, 0.66 below five fair bits."""
    flips = (torch.rand(4000, 5) < 0.15).long()
    bits = (torch.randint(2, (4000, 1)) + flips) % 2
    ones = BITS.states().sum(1)
    p = 0.5 * (0.85**ones * 0.15 ** (5 - ones) + 0.15**ones * 0.85 ** (5 - ones))
    entropy = -(p * p.log()).sum().item()
    model = RBM(BITS, hidden=8, persistent=persistent, lr=0.02)
    model.fit(TrainingTask(BITS, bits, bits[:100]), Budget(steps=600, batch_size=256))
    assert -model.log_prob(bits).mean().item() == pytest.approx(entropy, abs=0.06)


@pytest.mark.slow
def test_ais_finds_the_normaliser_of_a_small_machine():
    """From the machine without W, by Gibbs moves at each temperature: within 0.1 nats."""
    domain = Domain((12,), 2)
    model = machine(8, domain, scale=0.6)
    W, c, b = model.interaction.weight, model.interaction.bias, model.b

    def log_f(v, t):
        return v @ b + torch.nn.functional.softplus(t * (v @ W.T + c)).sum(-1)

    v = b.sigmoid().expand(500, -1).bernoulli()
    log_w = torch.zeros(500)
    with torch.no_grad():
        for low, high in pairwise(torch.linspace(0, 1, 1001)):
            log_w += log_f(v, high) - log_f(v, low)
            h = (high * (v @ W.T + c)).sigmoid().bernoulli()
            v = (b + high * h @ W).sigmoid().bernoulli()
    base = 8 * math.log(2) + torch.nn.functional.softplus(b).sum()
    found = base + log_w.logsumexp(0) - math.log(500)
    assert float(found) == pytest.approx(float(model.normaliser()), abs=0.1)


@pytest.mark.slow
def test_nce_finds_the_log_ratio_of_data_and_noise():
    """Theorem 1: the best f is log q - log p, so that the learnt normaliser is one."""
    domain = Domain((3,))
    rows = 0.6 * torch.randn(6000, 3)
    model = NCE(domain, step=1e-6)
    model.fit(TrainingTask(domain, rows, rows[:200]), Budget(steps=800, batch_size=256))
    assert model.likelihood is Likelihood.ESTIMATE
    exact = torch.distributions.Normal(0.0, 0.6).log_prob(rows[:1000]).sum(1)
    # Rows are standardised, so that data and noise have one law: f is near zero.
    torch.testing.assert_close(model.log_prob(rows[:1000]).mean(), exact.mean(), atol=0.1, rtol=0)


@pytest.mark.slow
def test_nce_learns_what_its_base_does_not_hold():
    """Two blobs in the plane, whose base is one Gaussian; the likelihood is by quadrature."""
    domain = Domain((2,))
    side = 2.0 * torch.randint(2, (4000, 1)) - 1
    rows = torch.cat([side, torch.zeros(4000, 1)], 1) + 0.2 * torch.randn(4000, 2)
    model = NCE(domain)
    model.fit(TrainingTask(domain, rows, rows[:200]), Budget(steps=600, batch_size=256))
    assert model.likelihood is Likelihood.EXACT
    gaussian = torch.distributions.MultivariateNormal(rows.mean(0), torch.cov(rows.T))
    assert model.log_prob(rows[:500]).mean() > gaussian.log_prob(rows[:500]).mean() + 0.5
    x = model.sample(500)
    assert ((x[:, 0].abs() - 1).abs() < 0.6).float().mean() > 0.8


def test_nce_of_one_draw_each_is_the_logistic_loss():
    model = NCE(Domain((2,)), ratio=1)
    model.f = lambda u: torch.zeros(len(u))
    assert model.loss(torch.randn(16, 2)).item() == pytest.approx(2 * math.log(2), abs=1e-6)


def test_nce_refuses_what_is_told_at_a_glance():
    assert "at a glance" in NCE.supports(Domain((1, 28, 28), 256))


def known(objective):
    """A model whose score is the exact one for N(0, 1) data."""
    model = ScoreMatching(Domain((2,)), objective)

    def score(x, index):
        return -x / (1 + model.sigmas[index][:, None] ** 2)

    model.score = score
    return model


def test_annealed_dynamics_sample_the_gaussian():
    x = known("denoising").sample(20_000, steps=600)
    torch.testing.assert_close(torch.cov(x.T), torch.eye(2), atol=0.15, rtol=0)


def test_a_score_that_overshoots_makes_no_point_run_away():
    model = ScoreMatching(Domain((2,)))
    model.score = lambda x, index: -10 * x / model.sigmas[index][:, None] ** 2
    x = model.sample(1000)
    # A step moves a coordinate by at most 5 sigma and its noise, at first sigma.
    assert x.isfinite().all() and x.abs().max() < 10 * float(model.highest)


def test_the_levels_reach_from_the_spread_of_the_data_down():
    model = ScoreMatching(Domain((2,)))
    rows = 3 * torch.randn(300, 2)
    model.prepare(TrainingTask(Domain((2,)), rows, rows))
    scaled = (rows - rows.mean(0)) / rows.std(0)
    assert model.sigmas[0].item() == pytest.approx(torch.pdist(scaled).max().item(), rel=1e-4)
    assert model.sigmas[-1].item() == pytest.approx(LOWEST, rel=1e-4)


def test_both_objectives_are_least_at_the_true_score():
    rows = torch.randn(4000, 2)
    for objective in ("denoising", "sliced"):
        model = known(objective)
        exact, losses = model.score, {}
        for factor in (0.8, 1.0, 1.2):
            model.score = lambda x, i, factor=factor, exact=exact: factor * exact(x, i)
            torch.manual_seed(0)
            losses[factor] = sum(model.loss(rows).item() for _ in range(10))
        assert losses[1.0] < losses[0.8] and losses[1.0] < losses[1.2]


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["denoising", "sliced"])
def test_score_matching_learns_the_spread(objective):
    domain = Domain((1,))
    rows = 2 + 0.5 * torch.randn(4000, 1)
    model = ScoreMatching(domain, objective, hidden=(64, 64))
    model.fit(TrainingTask(domain, rows, rows[:100]), Budget(steps=500, batch_size=256))
    x = model.sample(3000)
    assert x.mean().item() == pytest.approx(2, abs=0.2)
    assert x.std().item() == pytest.approx(0.5, abs=0.2)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="denoising, sliced"):
        ScoreMatching(Domain((2,)), "explicit")
    with pytest.raises(ValueError, match="two levels"):
        ScoreMatching(Domain((2,)), levels=1)
    with pytest.raises(ValueError, match="at least one draw"):
        NCE(Domain((2,)), ratio=0)
