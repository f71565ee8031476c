import math

import pytest
import torch
from dgmbench.metrics import (
    effective_sample_size,
    elbo_gap,
    eubo_gap,
    importance_log_z_error,
    reward_correlation,
    top_reward,
)
from scipy import stats

LOG_Z = 0.7


def gaussian_weights(n, scale, seed):
    """log w of draws of N(0, scale^2) against R = exp(LOG_Z) N(0, 1), and of exact draws."""
    g = torch.Generator().manual_seed(seed)
    x, y = scale * torch.randn(n, generator=g).double(), torch.randn(n, generator=g).double()

    def log_w(at):
        return LOG_Z - at**2 / 2 + at**2 / (2 * scale**2) + math.log(scale)

    return log_w(x), log_w(y)


def test_gaps_are_the_divergences_of_two_gaussians():
    s = 1.5
    own, exact = gaussian_weights(200_000, s, 0)
    reverse = elbo_gap(own, LOG_Z)
    forward = eubo_gap(exact, LOG_Z)
    assert abs(reverse.value - (s**2 / 2 - 0.5 - math.log(s))) < 4 * reverse.stderr
    assert abs(forward.value - (1 / (2 * s**2) - 0.5 + math.log(s))) < 4 * forward.stderr
    assert reverse.shared == 0 and forward.shared == forward.stderr


def test_effective_share_is_that_of_two_gaussians():
    """(E w)^2 / E w^2 = sqrt(2 s^2 - 1) / s^2 for a proposal of standard deviation s."""
    s = 1.5
    found = effective_sample_size(gaussian_weights(200_000, s, 1)[0])
    assert abs(found.value - math.sqrt(2 * s**2 - 1) / s**2) < 4 * found.stderr
    assert 0 < found.stderr < 0.01


def test_error_bars_are_the_spread_over_repeats():
    many = [gaussian_weights(500, 1.5, seed)[0] for seed in range(300)]
    for metric in (effective_sample_size, lambda w: elbo_gap(w, LOG_Z)):
        found = [metric(w) for w in many]
        spread = torch.tensor([f.value for f in found]).std()
        told = torch.tensor([f.stderr for f in found]).mean()
        assert float(told / spread) == pytest.approx(1, abs=0.15)
    errors = [importance_log_z_error(w, LOG_Z) for w in many]
    inside = [e.value < 2 * e.stderr for e in errors]
    assert 0.9 < sum(inside) / len(inside) <= 1


def test_exact_weights_have_no_error():
    w = torch.full((100,), LOG_Z)
    assert effective_sample_size(w).value == 1 and "equal" in effective_sample_size(w).note
    assert elbo_gap(w, LOG_Z).value == pytest.approx(0, abs=1e-7)
    assert importance_log_z_error(w, LOG_Z).value == pytest.approx(0, abs=1e-7)


def test_a_draw_without_reward_makes_the_bound_infinite_and_the_weight_zero():
    w = torch.tensor([0.0, 0.0, -math.inf, 0.0])
    assert elbo_gap(w, 0.0).value == math.inf
    assert effective_sample_size(w).value == pytest.approx(0.75)
    assert importance_log_z_error(w, 0.0).value == pytest.approx(-math.log(0.75))


def test_few_effective_samples_are_told():
    w = torch.cat([torch.zeros(1), torch.full((1000,), -20.0)])
    for found in (effective_sample_size(w), importance_log_z_error(w, 0.0)):
        assert found.n == 1 and "effective samples" in found.note


def test_a_number_rests_on_its_effective_samples():
    w = torch.cat([torch.zeros(300), torch.full((700,), -50.0)])
    found = effective_sample_size(w)
    assert found.n == 300 and found.value == pytest.approx(0.3) and not found.note


def test_best_hundred_of_many():
    log_r = torch.arange(1000).float()
    found = top_reward(log_r, 100)
    assert found.value == pytest.approx(949.5) and found.stderr > 0
    assert "highest" in top_reward(torch.zeros(1000), 100).note
    with pytest.raises(ValueError, match="k = 100"):
        top_reward(torch.zeros(100))


def test_error_of_the_best_is_the_spread_over_repeats():
    g = torch.Generator().manual_seed(2)
    found = [top_reward(torch.randn(2000, generator=g), 100) for _ in range(200)]
    spread = torch.tensor([f.value for f in found]).std()
    assert float(torch.tensor([f.stderr for f in found]).mean() / spread) == pytest.approx(
        1, abs=0.2
    )


def test_rank_correlation_is_scipys():
    g = torch.Generator().manual_seed(3)
    a = torch.randn(500, generator=g)
    b = a + torch.randn(500, generator=g)
    found = reward_correlation(a, b)
    assert found.value == pytest.approx(stats.spearmanr(a, b).statistic)
    assert reward_correlation(a, 2 * a).value == pytest.approx(1)
    assert reward_correlation(a, -a.exp()).value == pytest.approx(-1)
    infinite = a.clone()
    infinite[a.argmin()] = -math.inf
    assert reward_correlation(infinite, a).value == pytest.approx(1)


def test_error_of_the_rank_correlation_is_the_spread_over_repeats():
    g = torch.Generator().manual_seed(4)
    found = []
    for _ in range(200):
        a = torch.randn(400, generator=g)
        found.append(reward_correlation(a, a + torch.randn(400, generator=g)))
    spread = torch.tensor([f.value for f in found]).std()
    assert float(torch.tensor([f.stderr for f in found]).mean() / spread) == pytest.approx(
        1, abs=0.2
    )


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: effective_sample_size(torch.full((5,), -math.inf)), "finite log_weights"),
        (lambda: effective_sample_size(torch.zeros(1)), "2 rows"),
        (lambda: elbo_gap(torch.zeros(5), math.inf), "finite log_z"),
        (lambda: elbo_gap(torch.tensor([0.0, math.nan]), 0.0), "log_weights"),
        (lambda: reward_correlation(torch.zeros(20), torch.randn(20)), "vary"),
        (lambda: reward_correlation(torch.randn(20), torch.randn(19)), "one length"),
    ],
)
def test_bad_input_is_one_sentence(call, word):
    with pytest.raises(ValueError, match=word):
        call()
