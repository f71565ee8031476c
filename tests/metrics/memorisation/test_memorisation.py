"""Metrics that compare samples with train: what fresh data, copies and near copies score."""

import math

import numpy as np
import pytest
import torch
from dgmbench.metrics.memorisation.authenticity import Authenticity, authenticity
from dgmbench.metrics.memorisation.ct_score import CTScore, ct_score
from dgmbench.metrics.memorisation.feature_likelihood import (
    FeatureLikelihoodDivergence,
    _log_likelihood,
    _log_variances,
    _slope,
    feature_likelihood_divergence,
)
from dgmbench.metrics.memorisation.nearest_neighbour_ratio import (
    NearestNeighbourRatio,
    nearest_neighbour_ratio,
)
from scipy import stats


def points(n, d, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) * scale


TRAIN, TEST, FRESH = points(400, 6, 0), points(300, 6, 1), points(300, 6, 2)
NEAR = TRAIN[:300] + points(300, 6, 3, 0.02)


# --- authenticity ---


def test_authenticity_by_hand():
    train = torch.tensor([0.0, 1.0, 5.0])  # nearest others at 1, 1 and 4
    samples = torch.tensor([0.5, -1.0, -1.1, 9.0, 9.5, 0.0])
    found = authenticity(samples, train)
    assert found.value == pytest.approx(
        2 / 6
    )  # -1.1 and 9.5; a distance equal to the gap is a copy
    assert found.stderr == pytest.approx(math.sqrt(2 / 6 * 4 / 6 / 5))


def test_of_two_equally_near_training_points_either_makes_a_copy():
    # 2 is at distance 2 of 0 (gap 1) and of 4 (gap 4).
    train = torch.tensor([-1.0, 0.0, 4.0])
    for order in ([0, 1, 2], [2, 1, 0]):
        assert authenticity(torch.tensor([2.0, 2.0]), train[order]).value == 0


def test_copies_are_never_authentic_even_of_duplicated_rows():
    train = torch.cat([TRAIN, TRAIN])
    assert authenticity(TRAIN[:50], train).value == 0
    assert authenticity(NEAR, TRAIN).value == 0
    assert "below 1/300, not none" in authenticity(NEAR, TRAIN).note


@pytest.mark.parametrize(
    ("d", "mutual"), [(1, 2 / 3), (2, 6 * math.pi / (8 * math.pi + 3 * math.sqrt(3)))]
)
def test_fresh_data_score_the_chance_that_neighbours_are_not_mutual(d, mutual):
    generator = torch.Generator().manual_seed(0)
    x, t = (torch.rand(4000, d, generator=generator, dtype=torch.float64) for _ in range(2))
    # One training set gives a value that scatters about the expectation by more than its error.
    assert authenticity(x, t).value == pytest.approx(1 - mutual, abs=0.04)


# --- nearest-neighbour ratio ---


def test_ratio_by_hand():
    train = torch.tensor([0.0, 100.0])
    found = nearest_neighbour_ratio(
        torch.tensor([1.0, 2.0, 103.0]), torch.tensor([4.0, 96.0, 104.0, 104.0]), train
    )
    assert found.value == 2 / 4


def test_ratio_of_copies_of_near_copies_and_of_fresh_data():
    copied = nearest_neighbour_ratio(TRAIN[:300], TEST, TRAIN)
    assert (copied.value, copied.stderr) == (0, 0)
    assert "300 of 300" in copied.note
    assert nearest_neighbour_ratio(NEAR, TEST, TRAIN).value < 0.1
    fresh = nearest_neighbour_ratio(FRESH, TEST, TRAIN)
    assert fresh.value == pytest.approx(1, abs=4 * fresh.stderr)
    assert nearest_neighbour_ratio(FRESH * 7, TEST * 7, TRAIN * 7).value == pytest.approx(
        fresh.value
    )


def test_ratio_without_a_reference_apart_from_train_is_unknown():
    found = nearest_neighbour_ratio(FRESH, TRAIN[:10], TRAIN)
    assert math.isnan(found.value)
    assert "half of the reference are training points" in found.note


def test_the_note_says_where_an_error_bar_is_that_of_ties():
    bits = [(points(n, 40, seed) > 0).double() for seed, n in enumerate((400, 300, 300))]
    found = nearest_neighbour_ratio(bits[2], bits[1], bits[0])
    assert math.isnan(found.value) and "distances tie at both medians" in found.note
    blurred = bits[2] + points(300, 40, 3, 0.1)  # one side that does not tie makes an error bar
    found = nearest_neighbour_ratio(blurred, bits[1], bits[0])
    assert found.stderr > 1e-3 and found.note == ""
    assert nearest_neighbour_ratio(FRESH, TEST, TRAIN).note == ""


def test_the_median_error_is_that_of_a_normal_sample():
    # sd of the median of n normal values: sqrt(pi / 2 n); distances to far points are normal.
    far = torch.tensor([[-1e4], [-2e4]], dtype=torch.float64)
    x, y = points(2000, 1, 5), points(200_000, 1, 6)
    found = nearest_neighbour_ratio(x, y, far)
    assert found.stderr * 1e4 == pytest.approx(math.sqrt(math.pi / 4000), rel=0.1)


# --- C_T ---


def test_one_cell_is_the_mann_whitney_test():
    found = ct_score(FRESH, TEST, TRAIN, cells=1)
    near, usual = (torch.cdist(v, TRAIN).min(dim=1).values.numpy() for v in (FRESH, TEST))
    u = stats.mannwhitneyu(near, usual, method="asymptotic", use_continuity=False)
    assert stats.norm.sf(abs(found.value)) * 2 == pytest.approx(u.pvalue, rel=1e-6)


def test_ties_are_corrected_as_in_scipy():
    train = torch.tensor([0.0, 50.0])
    near, usual = np.repeat([1.0, 2.0, 3.0], [15, 10, 5]), np.repeat([1.0, 2.0, 3.0], [5, 10, 15])
    found = ct_score(torch.as_tensor(near), torch.as_tensor(usual), train, cells=1)
    u = stats.mannwhitneyu(near, usual, method="asymptotic", use_continuity=False)
    assert found.value < 0
    assert stats.norm.sf(abs(found.value)) * 2 == pytest.approx(u.pvalue, rel=1e-9)


def test_c_t_of_copies_is_far_below_zero_and_of_fresh_data_is_not():
    # With a perfect separation Z is -sqrt(3 m n / (m + n + 1)) in a cell of m and n points.
    copied = ct_score(TRAIN[:300], TEST, TRAIN, cells=1).value
    ties = 1 - (300**3 - 300) / (600**3 - 600)  # all copies tie at distance 0
    assert copied == pytest.approx(-math.sqrt(3 * 300 * 300 / 601 / ties))
    assert ct_score(NEAR, TEST, TRAIN).value < -8
    fresh = ct_score(FRESH, TEST, TRAIN)
    assert abs(fresh.value) < 4 * fresh.stderr
    assert ct_score(FRESH * 1.5, TEST, TRAIN).value > 4


def test_the_closed_form_jackknife_is_the_jackknife():
    x, y = FRESH[:60] * 0.9, TEST[:40]
    found = ct_score(x, y, TRAIN, cells=1)
    n, m = len(x), len(y)
    no_x = torch.tensor(
        [ct_score(torch.cat([x[:i], x[i + 1 :]]), y, TRAIN, cells=1).value for i in range(n)]
    ).double()
    no_y = torch.tensor(
        [ct_score(x, torch.cat([y[:i], y[i + 1 :]]), TRAIN, cells=1).value for i in range(m)]
    ).double()
    expected = (n - 1) ** 2 / n * no_x.var() + (m - 1) ** 2 / m * no_y.var()
    assert found.stderr == pytest.approx(math.sqrt(float(expected)), rel=1e-3)


def test_cells_with_few_samples_do_not_count():
    found = ct_score(FRESH[:10], TEST, TRAIN)
    assert math.isnan(found.value)
    assert "no cell has 20 samples" in found.note
    with pytest.raises(ValueError, match=r"1 <= cells <= 400.*got 401"):
        ct_score(FRESH, TEST, TRAIN, cells=401)


# --- feature likelihood divergence ---


def test_the_slope_is_the_derivative_of_the_fit():
    centers, train = points(7, 3, 0), points(11, 3, 1)
    parameters = points(8, 1, 2)[:, 0]

    def loss(log_variance):
        d2 = torch.cdist(train, torch.cat([centers, train.mean(dim=0, keepdim=True)])).square()
        d2 = d2 * torch.tensor([1.0] * 7 + [0.81]).double()
        terms = -0.5 * (d2 / log_variance.exp() + 3 * log_variance)
        weight = torch.tensor([1 / 7] * 7 + [1.0]).double().log()
        return -(terms + weight).logsumexp(dim=1).mean() / 3

    expected = torch.autograd.functional.jacobian(loss, parameters)
    torch.testing.assert_close(_slope(parameters, centers, train), expected)


def test_the_fitted_variance_of_one_far_center_is_the_mean_squared_distance():
    center, train = torch.full((1, 4), 3.0).double(), points(200, 4, 0, 0.01)
    expected = (train - center).square().sum(dim=1).mean() / 4
    # The broad Gaussian at the mean of train takes most rows; alone, the centre would take all.
    assert _log_variances(center, train)[0].exp() < 2 * expected
    y = points(5, 4, 1)
    normal = torch.distributions.Normal(center[0], 1.3)
    constant = 2 * math.log(2 * math.pi)
    found = _log_likelihood(y, center, torch.full((1,), 2 * math.log(1.3)).double()) - constant
    torch.testing.assert_close(found, normal.log_prob(y).sum(dim=1))


def test_fld_ranks_fresh_data_before_worse_ones_and_copies_last():
    scores = {
        name: feature_likelihood_divergence(x, TEST, TRAIN).value
        for name, x in {
            "fresh": FRESH,
            "wide": FRESH * 2,
            "shifted": FRESH + 3,
            "copies": TRAIN[:300],
        }.items()
    }
    assert min(scores, key=scores.get) == "fresh"
    assert abs(scores["fresh"]) < 10
    assert scores["copies"] > 1e3
    with pytest.raises(ValueError, match="at least 4 points in train, got 3"):
        feature_likelihood_divergence(FRESH, TEST, TRAIN[:3])


def test_fld_standardises_by_the_reference():
    scale = torch.tensor([1.0, 10.0, 0.1, 3.0, 7.0, 1e3])
    expected = feature_likelihood_divergence(FRESH, TEST, TRAIN)
    moved = feature_likelihood_divergence(*(v * scale + 5 for v in (FRESH, TEST, TRAIN)))
    # The split of train goes by content, so the value moves within the noise of the split.
    assert moved.value == pytest.approx(expected.value, abs=2)


# --- all of them ---

CASES = [
    (Authenticity, lambda x, y, t: authenticity(x, t)),
    (NearestNeighbourRatio, nearest_neighbour_ratio),
    (CTScore, ct_score),
    (FeatureLikelihoodDivergence, feature_likelihood_divergence),
]


@pytest.mark.parametrize(("metric_class", "function"), CASES)
def test_classes_equal_functions_and_row_order_does_not_matter(metric_class, function):
    x, y, t = FRESH[:120], TEST[:100], TRAIN[:150]
    expected = function(x, y, t)
    metric = metric_class()
    for cut in ((x[:50], y[:0], t), (x[50:], y, t[:0])):
        metric.update(*(cut if metric_class is not Authenticity else (cut[0], cut[2])))
    metric.eval()
    assert metric.estimate() == expected
    assert float(metric.compute()) == expected.value
    shuffled = function(x.flip(0), y.flip(0), t.flip(0))
    assert shuffled.value == pytest.approx(expected.value, rel=1e-9, abs=1e-12)
    assert shuffled.stderr == pytest.approx(expected.stderr, rel=1e-6)
    with pytest.raises(ValueError, match="finite samples, got 1 of 3 rows"):
        function(torch.full((3, 6), 1.0).index_fill(0, torch.tensor([1]), math.nan), y, t)


@pytest.mark.parametrize(("metric_class", "function"), CASES)
def test_widths_that_differ_are_an_error(metric_class, function):
    with pytest.raises(ValueError, match=r"one event shape, got \(6,\) and \(5,\)"):
        function(FRESH, TEST, TRAIN[:, :5])
