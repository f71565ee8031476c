"""Annealed importance sampling: closed forms, unbiasedness, bounds from both sides, bad input."""

import itertools
import math

import pytest
import torch
from dgmbench.metrics.likelihood.annealing import Annealed, ais, bdmc, sandwich
from dgmbench.metrics.likelihood.schedules import geometric_schedule, sigmoid_schedule
from dgmbench.metrics.likelihood.transitions import HMC

DIM = 3
MEAN = torch.tensor([1.0, -0.5, 0.3], dtype=torch.float64)
SCALE, LOG_Z = 0.4, 2.5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draws(*shape, seed=0):
    return torch.randn(*shape, DIM, generator=generator(seed), dtype=torch.float64)


def log_base(z):
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)


def log_target(z):
    inside = ((z - MEAN) / SCALE).square() + math.log(2 * math.pi * SCALE**2)
    return LOG_Z - 0.5 * inside.sum(-1)


def hmc(rate=0.1, seed=5, **more):
    return HMC(**{"step": 0.3, "leapfrog": 5, "rate": rate, "generator": generator(seed), **more})


@pytest.mark.parametrize(
    "betas", [sigmoid_schedule(50), sigmoid_schedule(7, 0), geometric_schedule(50)]
)
def test_schedules_rise_from_0_to_1(betas):
    assert betas[0] == 0 and betas[-1] == 1
    assert all(a < b for a, b in itertools.pairwise(betas))


def test_schedules_are_what_they_are_called():
    betas = sigmoid_schedule(100, 4.0)
    logistic = [1 / (1 + math.exp(-4 * (2 * t / 100 - 1))) for t in range(101)]
    expected = [(s - logistic[0]) / (logistic[-1] - logistic[0]) for s in logistic]
    assert betas == pytest.approx(expected, abs=1e-12)
    assert sigmoid_schedule(4, 0) == [0, 0.25, 0.5, 0.75, 1]
    found = geometric_schedule(4, 1e-4)
    assert [b + 1e-4 for b in found] == pytest.approx([1e-4 * 10001 ** (t / 4) for t in range(5)])
    assert sigmoid_schedule(1) == geometric_schedule(1) == [0, 1]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_gaussian_has_its_normaliser(reverse):
    start = draws(200, 4)
    start = MEAN + SCALE * start if reverse else start
    found = ais(log_base, log_target, start, sigmoid_schedule(200), hmc(), reverse=reverse)
    assert (found.value - LOG_Z).abs().max() < 4 * found.stderr.max() < 0.5
    assert 0.5 < found.acceptance.mean() < 0.9 and found.note == ""
    assert (found.effective_chains > 30).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_weights_are_unbiased_in_exp(reverse):
    """With few steps and a fixed step size: far from the target, and right on average."""
    start = draws(1, 20_000, seed=1)
    start = MEAN + SCALE * start if reverse else start
    kernel = hmc(rate=0.0)
    found = ais(log_base, log_target, start, sigmoid_schedule(12), kernel, reverse=reverse)
    weights = (
        (found.log_weight[0] - LOG_Z).exp() if not reverse else (LOG_Z - found.log_weight[0]).exp()
    )
    assert weights.mean() == pytest.approx(1, abs=4 * float(weights.std()) / math.sqrt(20_000))
    one = found.value.mean() - LOG_Z  # of single chains: Jensen's gap, to the right side
    assert (one > 0.05) if reverse else (one < -0.05)


def test_a_sandwich_narrows_with_the_steps():
    gaps = []
    for steps in (5, 20, 120):
        found = sandwich(
            log_base,
            log_target,
            draws(12, 200, seed=2),
            MEAN + SCALE * draws(12, 200, seed=3),
            sigmoid_schedule(steps),
            hmc(),
        )
        for side, sign in ((found.lower, -1), (found.upper, 1)):
            bound = side.mean()
            assert sign * (bound.value - LOG_Z) > -3 * bound.stderr
        gaps.append(found.gap)
    assert gaps[0].value > gaps[1].value > gaps[2].value > -2 * gaps[2].stderr
    assert gaps[2].value < 0.15 and 0 < gaps[2].stderr < 0.05 and gaps[2].n == 200


def test_the_adaptation_of_the_step_size_biases_no_weight():
    """Of many problems with few chains each, whose own acceptance would bias their weights."""
    start = MEAN + SCALE * draws(5, 4000, seed=11)
    kernel = hmc(step=0.3, chains=4)
    found = ais(log_base, log_target, start, sigmoid_schedule(40), kernel, reverse=True)
    assert found.log_weight.shape == (1, 4000)
    weights = (LOG_Z - found.log_weight[0]).exp()
    assert weights.mean() == pytest.approx(1, abs=4 * float(weights.std()) / math.sqrt(4000))


def test_one_chain_has_a_value_and_no_error():
    found = ais(log_base, log_target, draws(1, 3), sigmoid_schedule(20), hmc(rate=0.0))
    assert found.value.isfinite().all() and found.stderr.isnan().all()
    assert found.mean().n == 3


def linear_gaussian(latents, outputs, scale=0.5):
    """x = W z + b + scale eps: marginal likelihood in closed form."""
    weight = torch.randn(outputs, latents, generator=generator(3), dtype=torch.float64)
    weight = weight / math.sqrt(latents)

    def log_likelihood(x, z):
        inside = ((x - z @ weight.T) / scale).square() + math.log(2 * math.pi * scale**2)
        return -0.5 * inside.sum(-1)

    def log_prior(z):
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)

    covariance = weight @ weight.T + scale**2 * torch.eye(outputs, dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(
        torch.zeros(outputs, dtype=torch.float64), covariance
    )
    g = generator(4)

    def sample_prior(n):
        return torch.randn(n, latents, generator=g, dtype=torch.float64)

    def simulate(z):
        noise = torch.randn(len(z), outputs, generator=g, dtype=torch.float64)
        return z @ weight.T + scale * noise

    return sample_prior, log_prior, simulate, log_likelihood, exact


def annealed_decoder(latents, outputs, betas, points, chains):
    """Both bounds less the exact log p of points that the model makes, and the gap's error."""
    sample_prior, log_prior, simulate, log_likelihood, exact = linear_gaussian(latents, outputs)
    z = sample_prior(points)
    x, every = simulate(z), chains + 4
    found = sandwich(
        log_prior,
        lambda at: log_prior(at) + log_likelihood(x, at),
        sample_prior(every * points).reshape(every, points, latents),
        z.expand(every, points, latents),
        betas,
        HMC(step=0.7, leapfrog=3, wanted=0.9, jitter=0.3, generator=generator(6)),
    )
    truth = exact.log_prob(x)
    error = (found.lower.stderr**2 + found.upper.stderr**2).mean().sqrt() / math.sqrt(points)
    return found.lower.value - truth, found.upper.value - truth, float(error)


def test_the_marginal_likelihood_of_a_linear_decoder():
    lower, upper, error = annealed_decoder(4, 20, geometric_schedule(300, 0.05), 8, 64)
    assert abs(lower.mean()) < 0.1 and abs(upper.mean()) < 0.1
    assert -3 * error < (upper - lower).mean() < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("latents", "scale"), [(10, 1e-3), (50, 1e-2)])
def test_the_marginal_likelihood_of_a_linear_decoder_of_784_outputs(latents, scale):
    """1,000 steps: within 0.1 nats on average, and a gap below 0.2 nats to the right side.

    The schedule is geometric from where the prior gives way: at s^2 latents / outputs, about.
    """
    lower, upper, error = annealed_decoder(latents, 784, geometric_schedule(1000, scale), 8, 100)
    gap = upper - lower
    print(f"{latents} latents: {lower.mean():.3f} and {upper.mean():.3f}, gap {gap.mean():.3f}")
    assert abs(lower.mean()) < 0.1
    assert -3 * error < gap.mean() < 0.2


def test_data_of_the_model_itself_certify_the_bound():
    sample_prior, log_prior, simulate, log_likelihood, _ = linear_gaussian(3, 10)
    given = {"points": 6, "chains": 8}
    few, more = (
        bdmc(
            sample_prior,
            log_prior,
            simulate,
            log_likelihood,
            betas=geometric_schedule(steps),
            transition=HMC(step=0.1, leapfrog=5, generator=generator(7)),
            **given,
        )
        for steps in (10, 300)
    )
    assert few.gap.value > 0.5 > more.gap.value > -0.2
    assert more.lower.log_weight.shape == (8, 6) and more.gap.n == 6


class Rbm:
    """A restricted Boltzmann machine of few units, whose normaliser is a sum."""

    pilots = 0

    def __init__(self, visible, hidden, seed):
        g = generator(seed)
        self.w = 0.8 * torch.randn(visible, hidden, generator=g, dtype=torch.float64)
        self.b = 0.5 * torch.randn(visible, generator=g, dtype=torch.float64)
        self.c = 0.5 * torch.randn(hidden, generator=g, dtype=torch.float64)
        self.visible, self.g = visible, generator(seed + 1000)

    def log_f(self, v, beta=1.0):
        """Log of the unnormalised law of the visible units, weights times beta."""
        into = beta * (v @ self.w + self.c)
        return v @ self.b + torch.nn.functional.softplus(into).sum(-1)

    def log_base(self, v):
        """No weights: independent bits, normalised."""
        return v @ self.b - torch.nn.functional.softplus(self.b).sum()

    def states(self):
        return torch.tensor(list(itertools.product((0.0, 1.0), repeat=self.visible))).double()

    def log_z(self):
        return float(self.log_f(self.states()).logsumexp(0))

    def sample(self, *shape, base=False):
        law = (self.log_base if base else self.log_f)(self.states()).softmax(0)
        picked = torch.multinomial(law, math.prod(shape), replacement=True, generator=self.g)
        return self.states()[picked].reshape(*shape, self.visible)

    def __call__(self, v, beta, log_f):
        """Gibbs on the geometric path between `log_base` and `log_f`, by Metropolis on one bit."""
        for unit in range(self.visible):
            flipped = v.clone()
            flipped[..., unit] = 1 - flipped[..., unit]
            chance = (log_f(flipped) - log_f(v)).sigmoid()  # heat bath of one bit
            take = torch.rand(chance.shape, generator=self.g, dtype=torch.float64) < chance
            v = torch.where(take[..., None], flipped, v)
        return v, None


@pytest.mark.slow
def test_the_bracket_of_small_machines_holds_the_exact_value():
    held = 0
    for seed in range(100):
        rbm = Rbm(8, 5, seed)
        found = sandwich(
            rbm.log_base,
            rbm.log_f,
            rbm.sample(32, 1, base=True),
            rbm.sample(32, 1),
            sigmoid_schedule(40),
            rbm,
        )
        low = float(found.lower.value - 2 * found.lower.stderr)
        high = float(found.upper.value + 2 * found.upper.stderr)
        held += low <= rbm.log_z() <= high
        assert high - low < 0.5
    print(f"{held} of 100 brackets hold the exact value")
    assert held >= 95


def test_a_small_machine_by_gibbs():
    rbm = Rbm(6, 4, 0)
    found = ais(rbm.log_base, rbm.log_f, rbm.sample(100, 2, base=True), sigmoid_schedule(30), rbm)
    assert found.value.tolist() == pytest.approx([rbm.log_z()] * 2, abs=0.1)
    assert found.acceptance is None


def test_hmc_samples_a_gaussian_and_finds_its_step_size():
    kernel, z = hmc(step=2.0), draws(400, 2, seed=8)
    rates, seen = [], []
    for move in range(200):
        z, rate = kernel(z, 1.0, log_target)
        if move >= 100:
            rates.append(rate.mean())
            seen.append(z)
    points = torch.stack(seen[::5]).reshape(-1, DIM)
    assert torch.stack(rates).mean() == pytest.approx(0.65, abs=0.05)
    assert points.mean(0).tolist() == pytest.approx(MEAN.tolist(), abs=0.02)
    assert points.std(0).tolist() == pytest.approx([SCALE] * 3, rel=0.05)
    assert kernel.step.shape == (2,)


def test_every_problem_has_a_step_size_of_its_own():
    scales = torch.tensor([0.05, 1.0, 20.0], dtype=torch.float64)

    def log_f(z):
        return -0.5 * (z / scales[:, None]).square().sum(-1)

    kernel, z = hmc(step=0.1), scales[:, None] * draws(100, 3, seed=9)
    for _ in range(150):
        z, _ = kernel(z, 1.0, log_f)
    ratio = kernel.step / scales
    assert ratio.max() / ratio.min() < 2.5  # of scales that are 400 times apart


def test_proposals_without_density_are_refused():
    def log_f(z):
        return torch.where((z > 0).all(-1), -z.sum(-1), -math.inf)

    z = draws(300, 1, seed=1).abs()
    kernel = hmc(step=0.5)
    for _ in range(100):
        z, _ = kernel(z, 1.0, log_f)
    assert (z > 0).all()
    assert z.mean() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_density_that_is_no_number_is_told_with_chain_and_temperature(value):
    def broken(z):
        found = log_target(z)
        found[1, 2] = value
        return found

    with pytest.raises(ValueError, match=r"chain 1 of point 2 at temperature 0\.1 .step 0."):
        ais(log_base, broken, draws(5, 5), [0, 0.1, 1], hmc())


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: sigmoid_schedule(0), "at least one step"),
        (lambda: sigmoid_schedule(5, -1), "delta >= 0"),
        (lambda: geometric_schedule(5, 0), "scale > 0"),
        (lambda: ais(log_base, log_target, draws(2, 2), [0, 0.5, 0.4, 1], hmc()), "rises"),
        (lambda: ais(log_base, log_target, draws(2, 2), [-1, 1], hmc()), "rises from 0"),
        (
            lambda: ais(log_base, lambda z: z.sum(-1), torch.zeros(9), [0, 1], hmc()),
            "start of shape",
        ),
        (lambda: ais(log_base, lambda z: z, draws(5, 2), [0, 1], hmc()), "shape .5, 2."),
        (lambda: HMC(step=0.0), "positive step size"),
        (lambda: HMC(leapfrog=0), "a leapfrog step"),
        (lambda: HMC(jitter=1.0), "jitter below 1"),
        (
            lambda: ais(log_base, log_target, draws(4, 2), [0, 1], hmc()),
            "than the 4 pilots, got 4",
        ),
        (
            lambda: bdmc(draws, log_base, lambda z: z, lambda x, z: z, points=0, betas=[0, 1]),
            "at least one point",
        ),
    ],
)
def test_bad_input_is_one_sentence(act, words):
    with pytest.raises(ValueError, match=words):
        act()


def test_notes_tell_of_acceptance_and_of_lone_chains():
    poor = torch.zeros(8, 2, dtype=torch.float64)
    poor[0, 1] = 50.0
    low = Annealed(poor, acceptance=torch.tensor([0.05, 0.5]))
    assert "acceptance between 0.05 and 0.50" in low.note
    assert "one chain decides for 1 of 2 points" in low.note
    assert low.note in low.mean().note
