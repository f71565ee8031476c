"""Bounds by importance weights, and Parzen windows: closed forms."""

import math

import pytest
import torch
from dgmbench.metrics.likelihood.bounds import (
    elbo,
    importance_bounds,
    iwae_bound,
    kde_log_likelihood,
    kde_scale,
)
from torch.distributions import Normal

NOISE = 0.5  # x = z + NOISE eps: p(x) = N(0, 1 + NOISE^2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def weights(width):
    """log w of a posterior with the right mean and a wrong width."""
    mean, right = 1 / (1 + NOISE**2), NOISE / math.sqrt(1 + NOISE**2)
    g = generator(1)

    def log_weight(x, k):
        q = Normal(mean * x, width * right)
        z = q.loc + q.scale * torch.randn(k, len(x), generator=g, dtype=torch.float64)
        return Normal(z, NOISE).log_prob(x) + Normal(0.0, 1.0).log_prob(z) - q.log_prob(z)

    return log_weight


X = torch.linspace(-2, 2, 200, dtype=torch.float64)
EXACT = Normal(0.0, math.sqrt(1 + NOISE**2)).log_prob(X)


def test_the_exact_posterior_has_no_gap():
    for found in (elbo(weights(1), X), iwae_bound(weights(1), X, 3)):
        assert found.tolist() == pytest.approx(EXACT.tolist(), abs=1e-6)


def test_the_elbo_is_off_by_the_divergence():
    """KL(N(0, (2 s)^2) || N(0, s^2)) = 3/2 - log 2."""
    gap = (EXACT - elbo(weights(2.0), X, 400)).mean()
    assert float(gap) == pytest.approx(1.5 - math.log(2), abs=0.03)


def test_one_draw_is_the_elbo_and_more_are_tighter():
    means = [float((iwae_bound(weights(2.0), X, k) - EXACT).mean()) for k in (1, 5, 50, 500)]
    assert means[0] == pytest.approx(math.log(2) - 1.5, abs=0.2)
    assert means[0] < means[1] - 0.3 < means[2] - 0.3 and abs(means[3]) < 0.01


def test_blocks_do_not_matter():
    whole, parts = (iwae_bound(weights(1.5), X, 64, block) for block in (None, 7))
    assert float((whole - parts).mean()) == pytest.approx(0, abs=0.03)
    assert parts.dtype == torch.float64 and parts.shape == (200,)


def test_one_half_and_all_draws_are_bounds_in_this_order():
    one, half, whole = importance_bounds(weights(2.0), X, 64, block=10)
    assert ((one < half) & (half < whole)).all()
    assert float((one - EXACT).mean()) == pytest.approx(math.log(2) - 1.5, abs=0.05)
    expected = [float((iwae_bound(weights(2.0), X, k) - EXACT).mean()) for k in (32, 64)]
    found = [float((side - EXACT).mean()) for side in (half, whole)]
    assert found == pytest.approx(expected, abs=0.02)
    exact = importance_bounds(weights(1), X, 4)
    for side in exact:
        torch.testing.assert_close(side, EXACT)


@pytest.mark.parametrize("k", [0, 1, 7])
def test_draws_come_in_halves(k):
    with pytest.raises(ValueError, match="an even number of draws"):
        importance_bounds(weights(1), X, k)


def test_parzen_windows_by_hand():
    samples, x = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    normal = 2 * math.log(0.5 * math.sqrt(2 * math.pi))
    expected = [
        math.log((1 + math.exp(-8)) / 2) - normal,
        math.log(math.exp(-4)) - normal,
    ]
    assert kde_log_likelihood(x, samples, 0.5).tolist() == pytest.approx(expected)


def test_the_scale_is_chosen_on_validation_points():
    samples = torch.randn(2000, 1, generator=generator(2))
    val = torch.randn(500, 1, generator=generator(3))
    assert kde_scale(val, samples, [0.001, 0.2, 5.0]) == 0.2


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: iwae_bound(weights(1), X, 0), "at least one draw"),
        (lambda: elbo(lambda x, k: torch.zeros(3), X), "shape .1, 200."),
        (lambda: elbo(lambda x, k: torch.full((k, len(x)), math.nan), X), "NaN in draw 0"),
        (lambda: kde_log_likelihood(torch.zeros(2, 3), torch.zeros(4, 2), 1.0), "shape"),
        (lambda: kde_log_likelihood(torch.zeros(2, 3), torch.zeros(4, 3), 0.0), "scale > 0"),
        (lambda: kde_scale(torch.zeros(2, 3), torch.zeros(4, 3), []), "at least one scale"),
    ],
)
def test_bad_input_is_one_sentence(act, words):
    with pytest.raises(ValueError, match=words):
        act()
