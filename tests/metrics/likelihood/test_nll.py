import math

import pytest
import torch
from dgmbench.metrics.exact.fisher_divergence import FisherDivergence, fisher_divergence
from dgmbench.metrics.exact.kl import KLToTruth, ReverseKLToTruth, kl_to_truth, reverse_kl_to_truth
from dgmbench.metrics.likelihood.nll import NLL, BitsPerDim, bits_per_dim, nll

INF = math.inf


def normal_log_density(x, scale):
    return -0.5 * (x / scale) ** 2 - math.log(scale * math.sqrt(2 * math.pi))


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(20_000, generator=generator, dtype=torch.float64)


def test_nll_and_bits_by_hand():
    found = nll(torch.tensor([-1.0, -2.0, -6.0]))
    assert found.value == pytest.approx(3.0)
    assert found.stderr == pytest.approx(math.sqrt(7 / 3))
    assert found.n == 3
    bits = bits_per_dim(torch.tensor([-1.0, -2.0, -6.0]), dims=4)
    assert bits.value == pytest.approx(3 / (4 * math.log(2)))
    assert bits.stderr == pytest.approx(found.stderr / (4 * math.log(2)))


def test_uniform_bytes_cost_eight_bits_a_dimension():
    assert bits_per_dim(torch.full((5,), -10 * math.log(256)), 10).value == pytest.approx(8)


def test_divergences_between_gaussians_have_their_closed_form(x):
    # KL(N(0, 1) || N(0, s^2)) = log s + 1 / 2 s^2 - 1/2.
    s = 1.5
    forward = kl_to_truth(normal_log_density(x, s), normal_log_density(x, 1.0))
    assert forward.value == pytest.approx(math.log(s) + 0.5 / s**2 - 0.5, abs=4 * forward.stderr)
    # The log-ratio is log s - (1 - 1/s^2) x^2 / 2, and x^2 has variance 2.
    assert forward.stderr == pytest.approx((1 - 1 / s**2) / math.sqrt(2 * len(x)), rel=0.05)
    z = s * x
    reverse = reverse_kl_to_truth(normal_log_density(z, s), normal_log_density(z, 1.0))
    assert reverse.value == pytest.approx(s**2 / 2 - 0.5 - math.log(s), abs=4 * reverse.stderr)


def test_the_true_density_says_so():
    log_density = torch.tensor([-1.0, -2.5, -0.1])
    found = kl_to_truth(log_density, log_density.clone())
    assert (found.value, found.stderr) == (0.0, 0.0)
    assert found.note == "the model's density is the task's"
    assert not kl_to_truth(log_density + 1e-6, log_density).note


def test_rows_without_density_make_an_infinite_value_and_are_counted():
    log_prob = torch.tensor([-1.0, -INF, -INF, -2.0])
    for found in (
        nll(log_prob),
        bits_per_dim(log_prob, 2),
        kl_to_truth(log_prob, torch.zeros(4)),
        reverse_kl_to_truth(torch.zeros(4), log_prob),
    ):
        assert found.value == INF
        assert math.isnan(found.stderr)
        assert "2 of 4 rows" in found.note


@pytest.mark.parametrize("bad", [math.nan, INF])
def test_nan_and_plus_infinity_are_errors(bad):
    with pytest.raises(ValueError, match="log_prob, got 1 of 2 rows"):
        nll(torch.tensor([bad, -1.0]))


def test_other_errors_say_what_came():
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        nll(torch.tensor([-1.0]))
    with pytest.raises(ValueError, match=r"shape \(B,\), got shape \(2, 1\)"):
        nll(torch.zeros(2, 1))
    with pytest.raises(
        ValueError, match="one length, got 3 rows of log_density and 2 of log_prob"
    ):
        kl_to_truth(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="finite log_density, got 1 of 2"):
        kl_to_truth(torch.zeros(2), torch.tensor([-INF, 0.0]))
    with pytest.raises(ValueError, match="finite log_prob_samples"):
        reverse_kl_to_truth(torch.tensor([-INF, 0.0]), torch.zeros(2))
    with pytest.raises(ValueError, match="at least one dimension, got 0"):
        bits_per_dim(torch.zeros(2), 0)
    with pytest.raises(ValueError, match=r"one shape, got \(3, 2\) and \(3, 1\)"):
        fisher_divergence(torch.zeros(3, 2), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="finite true_score, got 1 of 2 rows"):
        fisher_divergence(torch.zeros(2, 2), torch.tensor([[0.0, math.nan], [0.0, 0.0]]))


def test_half_precision_is_averaged_in_double():
    log_prob = torch.full((5000,), -1000.0, dtype=torch.float16)
    assert nll(log_prob).value == 1000.0


def test_fisher_divergence_of_gaussians_has_its_closed_form(x):
    # Scores -x / s^2 and -x: E (1 - 1/s^2)^2 x^2 in each of two dimensions.
    points = x.reshape(-1, 2)
    found = fisher_divergence(-points / 4, -points)
    assert found.value == pytest.approx(2 * 0.75**2, abs=4 * found.stderr)
    assert fisher_divergence(points, points).value == 0


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_streaming_equals_one_batch_for_any_cut(x, offset):
    log_prob, log_density = normal_log_density(x, 2.0) - offset, normal_log_density(x, 1.0)
    score = x.reshape(-1, 2)
    cases = [
        (NLL(), (log_prob,), nll(log_prob)),
        (KLToTruth(), (log_prob, log_density), kl_to_truth(log_prob, log_density)),
        (ReverseKLToTruth(), (log_prob, log_density), reverse_kl_to_truth(log_prob, log_density)),
        (FisherDivergence(), (score, 2 * score), fisher_divergence(score, 2 * score)),
    ]
    for metric, rows, expected in cases:
        for cut in zip(*(torch.tensor_split(r, [0, 1, 7, 5000]) for r in rows), strict=True):
            metric.update(*cut)
        found = metric.estimate()
        assert found.value == pytest.approx(expected.value, rel=1e-12)
        assert found.stderr == pytest.approx(expected.stderr, rel=1e-9)
        assert found.n == expected.n
        assert float(metric.compute()) == found.value


def test_bits_per_dim_streams_and_refuses_a_second_dimension():
    metric = BitsPerDim()
    metric.update(torch.tensor([-1.0, -2.0]), 4)
    metric(torch.tensor([-6.0, -3.0]), 4)
    assert metric.estimate() == bits_per_dim(torch.tensor([-1.0, -2.0, -6.0, -3.0]), 4)
    with pytest.raises(ValueError, match="dims = 4, got 5"):
        metric.update(torch.tensor([-1.0]), 5)
    metric.reset()
    metric.update(torch.tensor([-1.0, -1.0]), 5)


def test_an_infinite_row_survives_merging():
    metric = NLL()
    metric.update(torch.tensor([-1.0, -INF]))
    metric.update(torch.tensor([-1.0]))
    assert float(metric.compute()) == INF
    assert metric.estimate().note.startswith("1 of 3 rows")
