"""EDM, VE, VP on Gaussian data, and masked diffusion on a law that can be listed."""

import math

import pytest
import torch
from dgmbench.baselines.diffusion.edm import EDM, HIGH, LOW
from dgmbench.baselines.diffusion.masked import MaskedDiffusion
from dgmbench.baselines.diffusion.score_sde import ScoreSDEVE, ScoreSDEVP
from dgmbench.baselines.paths.samplers import sample
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from torch.distributions import MultivariateNormal

CLASSES = [EDM, ScoreSDEVE, ScoreSDEVP]
COV = torch.tensor([[1.0, 0.6], [0.6, 0.8]])


def known(cls, cov=COV, **arguments):
    """A model whose guess is the exact one for N(m, cov) data."""
    model = cls(Domain((2,)), **arguments).eval()
    mean = torch.tensor([0.3, -0.2])

    def guess(x, t):
        a, s = model.path.alpha(t), model.path.sigma(t)
        total = a[:, None, None] ** 2 * cov + s[:, None, None] ** 2 * torch.eye(2)
        gap = (x - a[:, None] * mean)[..., None]
        return mean + (a[:, None, None] * cov @ torch.linalg.solve(total, gap)).squeeze(-1)

    model.guess = guess
    return model, MultivariateNormal(mean, cov)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_probability_flow_gives_the_density_of_a_gaussian(cls):
    model, exact = known(cls)
    x = exact.sample((64,))
    torch.testing.assert_close(model.log_prob(x), exact.log_prob(x), atol=0.02, rtol=0)


@pytest.mark.parametrize("sampler", ["heun", "pc", "dpm++"])
@pytest.mark.parametrize("cls", CLASSES)
def test_samples_have_the_moments_of_the_gaussian(cls, sampler):
    model, exact = known(cls)
    x = model.sample(20_000, sampler=sampler, steps=60)
    torch.testing.assert_close(x.mean(0), exact.mean, atol=0.04, rtol=0)
    torch.testing.assert_close(torch.cov(x.T), COV, atol=0.08, rtol=0)


@pytest.mark.parametrize("cls", CLASSES)
def test_samples_by_default_are_as_wide_as_a_narrow_mode(cls):
    torch.manual_seed(0)
    narrow = 0.14**2 * torch.eye(2)
    model, _ = known(cls, narrow)
    assert model.sample(20_000).std(0).mean().item() == pytest.approx(0.14, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("cls", CLASSES)
def test_the_loss_is_least_at_the_true_denoiser(cls):
    torch.manual_seed(0)
    model = cls(Domain((1,)), hidden=(32, 32))
    rows = 0.5 * torch.randn(4000, 1)
    task = TrainingTask(Domain((1,)), rows, rows[:100])
    model.fit(task, Budget(steps=500, batch_size=256))
    x = model.sample(4000, sampler="heun", steps=60)
    assert x.std().item() == pytest.approx(rows.std().item(), rel=0.25)
    exact = torch.distributions.Normal(0, 0.5).log_prob(rows[:500]).mean().item()
    assert model.log_prob(rows[:500]).mean().item() == pytest.approx(exact, abs=0.15)


def test_edm_knows_the_spread_of_its_data_and_its_ends():
    model = EDM(Domain((2,)))
    rows = 3 + 0.7 * torch.randn(2000, 2)
    model.prepare(TrainingTask(Domain((2,)), rows, rows))
    assert float(model.spread) == pytest.approx(1, abs=0.02)  # real data are standardised
    times = model.times(18)
    sigma = model.path.sigma(times)
    assert sigma[0].item() == pytest.approx(HIGH, rel=1e-3)
    assert sigma[-1].item() == pytest.approx(LOW, rel=1e-3)
    roots = sigma.double() ** (1 / 7)
    torch.testing.assert_close(roots.diff(), roots.diff().mean().expand(18), rtol=1e-2, atol=0)


def test_edm_follows_the_flow_in_sigma():
    """Far from the data the flow is straight in sigma: one step of Heun is exact."""
    model = EDM(Domain((1,)))
    model.guess = lambda x, t: torch.zeros_like(x)
    x = HIGH * torch.randn(100, 1)
    ends = torch.tensor([1.0, 0.5, 0.25])
    torch.testing.assert_close(sample("heun", model.path, model.guess, x, ends), x / 4)


def test_edm_weighs_all_levels_alike_at_the_start():
    """With F = 0 the weighted error at each level is the variance of its target, one."""
    model = EDM(Domain((1,)))
    model.spread.fill_(0.5)
    model.net.forward = lambda x, t: torch.zeros_like(x)
    data = 0.5 * torch.randn(200_000, 1)
    for level in (0.05, 0.5, 5.0):
        noisy = data + level * torch.randn_like(data)
        guess = model.denoised(noisy, torch.full((len(data),), level))
        weight = (level**2 + 0.25) / (level * 0.5) ** 2
        assert (weight * (guess - data).square()).mean().item() == pytest.approx(1, abs=0.02)


BITS = Domain((3,), 2)
LAW = torch.tensor([0.3, 0.0, 0.1, 0.1, 0.0, 0.25, 0.05, 0.2])


def perfect(domain=BITS):
    """A net that knows the law of three bits: exact conditionals given the shown ones."""
    model = MaskedDiffusion(domain, terms=3)
    states = domain.states()

    def net(x):
        agree = ((x[:, None] == states) | (x[:, None] == 2)).all(2)  # (B, 8)
        weight = agree * (LAW + 1e-12)
        ones = torch.einsum("bs,sd->bd", weight, states.float()) / weight.sum(1, keepdim=True)
        return torch.stack([1 - ones, ones], 2).clamp_min(1e-9).log()

    model.net.forward = net
    return model.eval()


def test_the_bound_of_perfect_conditionals_is_the_likelihood():
    """In every order the conditionals multiply to p(x), so that the bound has no gap."""
    model = perfect()
    states = BITS.states()[LAW > 0].repeat_interleave(4000, 0)
    bound = model.log_prob(states).reshape(-1, 4000).mean(1)
    torch.testing.assert_close(bound, LAW[LAW > 0].log(), atol=0.1, rtol=0)


def test_both_forms_of_the_bound_agree():
    """1/t with t uniform, and D/m with m uniform, have the same mean."""
    model = MaskedDiffusion(BITS, width=8, layers=1, heads=2).eval()
    x = torch.tensor([[1, 0, 1]]).repeat(60_000, 1)
    with torch.no_grad():
        by_count = -model.loss(x)
        t = torch.rand(60_000, 1).clamp_min(1e-3)
        hidden = torch.rand(60_000, 3) < t
        logits = model.net(x.masked_fill(hidden, 2)).log_softmax(2)
        log_p = logits.gather(2, x[..., None]).squeeze(2)
        by_time = ((log_p * hidden).sum(1) / t.squeeze(1)).mean()
    assert float(by_time) == pytest.approx(float(by_count), abs=0.05)


@pytest.mark.parametrize("steps", [1, 3])
def test_samples_in_as_many_steps_as_coordinates_follow_the_law(steps):
    model = perfect()
    x = model.sample(30_000, steps=steps)
    share = (x @ torch.tensor([4, 2, 1])).bincount(minlength=8) / 30_000
    gap = (share - LAW).abs().max().item()
    if steps == 3:  # several coordinates may be shown at once: near the law, not at it
        assert gap < 0.12
    else:  # all at once: independent marginals
        assert gap > 0.05


@pytest.mark.slow
def test_masked_diffusion_learns_a_copy():
    bits = torch.randint(2, (3000, 1)).expand(-1, 4).contiguous()
    domain = Domain((4,), 2)
    model = MaskedDiffusion(domain, width=16, layers=1, heads=2)
    model.fit(TrainingTask(domain, bits[:2000], bits[2000:]), Budget(steps=300, batch_size=128))
    assert -model.log_prob(bits[2000:]).mean().item() == pytest.approx(math.log(2), abs=0.1)
