"""Fidelity and diversity beside precision and recall: definitions, closed forms, robustness."""

import math

import numpy as np
import pytest
import torch
from dgmbench.metrics import (
    alpha_precision,
    beta_recall,
    clipped_coverage,
    clipped_density,
    prdc,
    probabilistic_precision,
    probabilistic_recall,
    symmetric_precision,
    symmetric_recall,
)
from dgmbench.metrics.diversity.clipped import expected_coverage
from dgmbench.metrics.numerics.halves import estimate_by_halves

EVERY = (
    clipped_density,
    clipped_coverage,
    probabilistic_precision,
    probabilistic_recall,
    symmetric_precision,
    symmetric_recall,
    alpha_precision,
    beta_recall,
)


def points(n, d, seed=0, scale=1.0, shift=0.0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64) * scale + shift


def distances(a, b):
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def kth(side, k):
    return distances(side, side).sort(dim=1).values[:, k]


def clipped_by_definition(x, y, k):
    radius = kth(y, k)
    small = radius.clamp(max=radius.median())
    of_x = ((distances(x, y) <= small).double().sum(dim=1) / k).clamp(max=1).mean()
    of_y = (((distances(y, y) <= small).double().sum(dim=1) - 1) / k).clamp(max=1).mean()
    held = ((distances(x, y) < radius).double().sum(dim=0) / k).clamp(max=1).mean()
    curve = expected_coverage(len(x), len(y), k)
    return min(float(of_x / of_y), 1.0), np.interp(held, curve, np.arange(len(x) + 1) / len(x))


@pytest.mark.parametrize(("n", "m", "d", "k"), [(90, 70, 2, 5), (60, 120, 30, 3), (9, 8, 1, 1)])
def test_clipped_values_follow_the_definition(n, m, d, k):
    x, y = points(n, d, 1, 0.8, 0.3), points(m, d, 2)
    density, coverage = clipped_by_definition(x, y, k)
    assert clipped_density(x, y, k).value == pytest.approx(density, abs=1e-12)
    assert clipped_coverage(x, y, k).value == pytest.approx(coverage, abs=1e-12)


@pytest.mark.parametrize(("n", "m", "k"), [(40, 60, 5), (60, 40, 3), (25, 25, 1)])
def test_the_expected_coverage_is_that_of_draws(n, m, k):
    """Of the ball of a uniform law's k-th neighbour, whose mass is Beta(k, m - k)."""
    g = np.random.default_rng(0)
    mass = g.beta(k, m - k, 200_000)
    curve = expected_coverage(n, m, k)
    assert curve[0] == 0 and np.all(np.diff(curve) >= 0)
    for good in (1, n // 2, n):
        held = np.minimum(g.binomial(good, mass), k) / k
        assert curve[good] == pytest.approx(held.mean(), abs=4 * held.std() / 447)


def test_clipped_values_are_the_share_of_good_samples():
    """Bad samples far away: the value falls as their share grows; density and coverage alike."""
    y = points(1000, 8)
    for good in (0.25, 0.5, 0.75):
        x = points(1000, 8, 3)
        x[int(1000 * good) :] += 50
        assert clipped_density(x, y).value == pytest.approx(good, abs=0.05)
        assert clipped_coverage(x, y).value == pytest.approx(good, abs=0.06)


def test_an_outlier_of_the_reference_makes_no_bad_sample_good():
    y, x = points(500, 4), points(500, 4, 1, 0.1, 6.0)
    y = torch.cat([y, torch.full((1, 4), 7.0, dtype=torch.float64)])
    assert prdc(x, y, stderr=False)["precision"].value == 1
    assert clipped_density(x, y).value < 0.01
    # A common radius makes no ball that holds all: that of the outlier's own neighbourhood alone.
    assert probabilistic_precision(x, y).value < 0.3


def probabilistic_by_definition(points, of, k, a):
    radius = a * kth(of, k).mean()
    chance = (1 - distances(points, of) / radius).clamp(min=0)
    return float((1 - (1 - chance).prod(dim=1)).mean())


@pytest.mark.parametrize(("n", "m", "d"), [(90, 70, 2), (60, 120, 30)])
def test_probabilistic_values_follow_the_definition(n, m, d):
    x, y = points(n, d, 1, 0.8, 0.3), points(m, d, 2)
    expected = probabilistic_by_definition(x, y, 4, 1.2), probabilistic_by_definition(y, x, 4, 1.2)
    assert probabilistic_precision(x, y).value == pytest.approx(expected[0], abs=1e-12)
    assert probabilistic_recall(x, y).value == pytest.approx(expected[1], abs=1e-12)


def test_probabilistic_by_hand():
    # k = 1: every other of 0, 1, 2 is at distance 1: R = 1, a = 2. From 0.5 the shares of 0, 1, 2
    # are 3/4, 3/4, 1/4.
    y, x = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.5, 90.0])
    expected = (1 - 1 / 4 * 1 / 4 * 3 / 4) / 2
    assert probabilistic_precision(x, y, k=1, a=2.0).value == pytest.approx(expected)


def test_symmetric_values_are_the_smaller_of_two():
    inside, y = points(300, 32, 1, 0.8), points(300, 32, 2)
    of_y, of_x = prdc(inside, y), prdc(y, inside)
    assert of_y["precision"].value > 0.9 > 0.5 > of_x["coverage"].value
    precision, recall = symmetric_precision(inside, y), symmetric_recall(inside, y)
    assert precision.value == of_x["coverage"].value
    assert precision.stderr == of_x["coverage"].stderr >= precision.shared
    assert recall == min(of_y["recall"], of_y["coverage"], key=float)


def alpha_by_grid(x, y, steps=20_001):
    """The integral on a fine grid, from the definition."""
    centre = y.mean(dim=0)
    of_x, of_y = ((v - centre).norm(dim=1).numpy() for v in (x, y))
    alphas = (np.arange(steps) + 0.5) / steps
    radii = np.sort(of_y)[np.minimum((alphas * len(y)).astype(int), len(y) - 1)]
    share = np.searchsorted(np.sort(of_x), radii, side="right") / len(x)
    return 1 - 2 * np.abs(share - alphas).mean()


def beta_by_grid(x, y, steps=20_001):
    to_x, nearest = distances(y, x).min(dim=1)
    near = (to_x <= kth(y, 1)).numpy()
    away = (x[nearest] - x.mean(dim=0)).norm(dim=1).numpy()
    betas = (np.arange(steps) + 0.5) / steps
    radii = np.sort(away)[np.minimum((betas * len(y)).astype(int), len(y) - 1)]
    share = np.searchsorted(np.sort(away[near]), radii, side="right") / len(y)
    return 1 - 2 * np.abs(share - betas).mean()


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, 0.2), (2.0, 1.0)])
def test_alpha_and_beta_follow_the_definition(scale, shift):
    x, y = points(120, 3, 1, scale, shift), points(90, 3, 2)
    assert alpha_precision(x, y).value == pytest.approx(alpha_by_grid(x, y), abs=1e-3)
    assert beta_recall(x, y).value == pytest.approx(beta_by_grid(x, y), abs=1e-3)


def test_alpha_and_beta_at_their_ends():
    y = points(2000, 4)
    same = points(2000, 4, 1)
    assert alpha_precision(same, y).value > 0.95
    assert beta_recall(same, y).value == pytest.approx(0.5, abs=0.05)
    for far in (y + 100, y * 0 + 1e-3 * points(2000, 4, 3)):  # outside all balls, inside all
        assert alpha_precision(far, y).value == pytest.approx(0, abs=2e-3)
    assert beta_recall(y + 100, y).value == pytest.approx(0, abs=2e-3)
    assert beta_recall(y, y).value == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("metric", EVERY)
def test_offset_scale_rotation_and_order_do_not_matter(metric):
    x, y = points(150, 4, 1, 0.8), points(120, 4, 2)
    expected = metric(x, y)
    turn = torch.linalg.qr(points(4, 4, 3))[0]
    assert metric(x @ turn * 8 + 1e3, y @ turn * 8 + 1e3).value == pytest.approx(expected.value)
    order = torch.randperm(150, generator=torch.Generator().manual_seed(4))
    assert metric(x[order], y.flip(0)).stderr == pytest.approx(expected.stderr)


@pytest.mark.parametrize("metric", EVERY)
def test_far_samples_score_zero_and_say_that_nothing_varies(metric):
    found = metric(points(60, 3) + 1e4, points(50, 3, 1))
    assert found.value == pytest.approx(0, abs=0.05)
    if metric not in (alpha_precision, beta_recall):
        assert found.stderr == 0 and "same in every half" in found.note


@pytest.mark.parametrize("metric", EVERY[:6])
def test_too_few_points_for_k_is_an_error(metric):
    with pytest.raises(ValueError, match=r"k = 5, .*3 samples and 50 reference"):
        metric(points(3, 2), points(50, 2), k=5)


@pytest.mark.parametrize("metric", EVERY[:6])
def test_few_points_have_a_value_and_no_error(metric):
    found = metric(points(7, 2), points(50, 2, 1), k=5)
    assert math.isfinite(found.value) and math.isnan(found.stderr) and "too few" in found.note


def test_halves_give_the_error_of_a_difference_of_means():
    x, y = points(400, 1, 1, 2.0), points(300, 1, 2, 3.0)
    found = estimate_by_halves(lambda a, b: float(a.mean() - b.mean()), x, y, 2)
    assert found.value == float(x.mean() - y.mean())
    assert found.stderr == pytest.approx(math.sqrt(4 / 400 + 9 / 300), rel=0.35)
    assert found.shared == pytest.approx(math.sqrt(9 / 300), rel=0.4)


@pytest.mark.parametrize("metric", EVERY)
def test_without_error_bars_the_number_is_the_same(metric):
    x, y = points(100, 3, 1, 0.8), points(90, 3, 2)
    bare = metric(x, y, stderr=False)
    assert bare.value == pytest.approx(metric(x, y).value, abs=1e-12)
    assert math.isnan(bare.stderr) and "asked" in bare.note
