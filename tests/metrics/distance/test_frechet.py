from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from dgmbench.metrics.distance import frechet
from dgmbench.metrics.distance.frechet import (
    FrechetDistance,
    frechet_distance,
    frechet_distance_infinity,
)
from dgmbench.metrics.numerics.jackknife import block_jackknife
from dgmbench.metrics.numerics.moments import moments


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def with_moments(x, mean, root):
    """Points whose sample mean is `mean` and whose sample covariance is root root^T, exactly."""
    x = x - x.mean(dim=0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T.cov()), x.T, upper=False).T
    return white @ root.T + mean


def by_roots_of_eigenvalues(x, y):
    """An independent way: eigenvalues of S_1 S_2."""
    a, b = np.atleast_2d(np.cov(x.numpy().T)), np.atleast_2d(np.cov(y.numpy().T))
    roots = np.sqrt(np.maximum(scipy.linalg.eigvals(a @ b).real, 0)).sum()
    shift = ((x.mean(0) - y.mean(0)) ** 2).sum()
    return float(shift) + np.trace(a) + np.trace(b) - 2 * roots


def test_diagonal_gaussians_in_closed_form(generator):
    scales = torch.tensor([0.5, 1, 2, 3]).double()
    x = with_moments(normal(50, 4, generator), torch.zeros(4).double(), torch.eye(4).double())
    y = with_moments(normal(40, 4, generator), torch.arange(4).double(), torch.diag(scales))
    expected = 14 + float((1 - scales).square().sum())
    assert frechet_distance(x, y).value == pytest.approx(expected, rel=1e-12)


def test_the_line_in_closed_form():
    x, y = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 5.0, 9.0])
    assert frechet_distance(x, y).value == pytest.approx(16 + (2**0.5 - 4) ** 2, rel=1e-12)


@pytest.mark.parametrize("d", [1, 3, 30])
def test_equals_the_formula_with_eigenvalues(generator, d):
    x, y = normal(100, d, generator), normal(80, d, generator) * 1.5 + 1
    assert frechet_distance(x, y).value == pytest.approx(by_roots_of_eigenvalues(x, y), rel=1e-9)


def test_rank_deficient_gaussians_in_closed_form(generator):
    # Both live in the same 3 of 30 directions, and N > D: squares leave 1e-8.
    axes = torch.linalg.qr(normal(30, 30, generator))[0][:, :3]
    scales = torch.diag(torch.tensor([1.0, 2, 3]).double())
    zero = torch.zeros(3).double()
    x = with_moments(normal(60, 3, generator), zero, torch.eye(3).double()) @ axes.T
    y = with_moments(normal(70, 3, generator), zero, scales) @ axes.T
    assert frechet_distance(x, y).value == pytest.approx(5, rel=1e-12)


def test_orthogonal_subspaces_in_closed_form(generator):
    x = torch.cat([normal(40, 5, generator), torch.zeros(40, 5).double()], dim=1)
    y = torch.cat([torch.zeros(30, 5).double(), normal(30, 5, generator)], dim=1)
    traces = float(x.var(dim=0).sum() + y.var(dim=0).sum())
    shift = float((x.mean(0) - y.mean(0)).square().sum())
    assert frechet_distance(x, y).value == pytest.approx(traces + shift, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (20, 15), (20, 80), (41, 40), (40, 41)])
def test_fewer_points_than_dimensions(generator, n, m):
    d = 40
    x, y = normal(n, d, generator), normal(m, d, generator) + 0.3
    cross = (x - x.mean(0)) @ (y - y.mean(0)).T / math.sqrt((n - 1) * (m - 1))
    overlap = float(torch.linalg.svdvals(cross).sum())
    traces = float(x.var(dim=0).sum() + y.var(dim=0).sum())
    expected = float((x.mean(0) - y.mean(0)).square().sum()) + traces - 2 * overlap
    assert frechet_distance(x, y).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(200, 8), (20, 40)])
def test_a_set_is_at_no_distance_from_itself(generator, n, d):
    x = normal(n, d, generator)
    assert frechet_distance(x, x).value <= 1e-10 * d
    assert frechet_distance(x, x.flip(0)).value <= 1e-10 * d


def test_ill_conditioned_covariances(generator):
    # Standard deviations from 1 to 1e-9: the covariance keeps none of the smallest.
    scales = torch.logspace(0, -9, 10).double()
    x = with_moments(normal(50, 10, generator), torch.zeros(10).double(), torch.eye(10).double())
    estimate = frechet_distance(x * scales, x * scales * 3)
    assert estimate.value == pytest.approx(4 * float(scales.square().sum()), rel=1e-12)


@pytest.mark.parametrize("digits", [1, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("crossed", [False, True])
def test_every_way_is_exact_for_its_condition(generator, digits, crossed):
    # Standard deviations that fall by so many digits along axes of no meaning; the nuclear norm
    # from orthogonal factors of the points. Squaring loses up to 1e-8 of the traces here.
    n, d = 90, 60
    axes = torch.linalg.qr(normal(d, d, generator))[0]
    scales = torch.logspace(0, -digits, d).double()
    x = (normal(n, d, generator) * scales) @ axes.T
    y = (normal(n, d, generator) * (scales.flip(0) if crossed else scales)) @ axes.T
    a, b = x - x.mean(dim=0), y - y.mean(dim=0)
    overlap = torch.linalg.svdvals(torch.linalg.qr(a)[1] @ torch.linalg.qr(b)[1].T).sum()
    traces = float(a.square().sum() + b.square().sum()) / (n - 1)
    shift = float((x.mean(dim=0) - y.mean(dim=0)).square().sum())
    expected = shift + traces - 2 * float(overlap) / (n - 1)
    assert frechet_distance(x, y).value == pytest.approx(expected, abs=1e-12 * traces)


def test_rotations_zero_columns_and_scale(generator):
    x, y = normal(60, 5, generator), normal(50, 5, generator) * 2
    value = frechet_distance(x, y).value
    turn = torch.linalg.qr(normal(5, 5, generator))[0]
    zeros = [torch.cat([side, torch.zeros(len(side), 9)], dim=1) for side in (x, y)]
    assert frechet_distance(x @ turn, y @ turn).value == pytest.approx(value, rel=1e-10)
    assert frechet_distance(*zeros).value == pytest.approx(value, rel=1e-10)
    assert frechet_distance(1e-100 * x, 1e-100 * y).value == pytest.approx(
        1e-200 * value, rel=1e-10
    )
    assert frechet_distance(y, x).value == pytest.approx(value, rel=1e-10)


def test_repeated_points_weigh_by_their_number(generator):
    x, y = normal(30, 3, generator), normal(20, 3, generator)
    twice = frechet_distance(torch.cat([x, x]), y)
    root = torch.linalg.cholesky(x.T.cov() * (29 / 30) * (60 / 59))
    expected = frechet_distance(with_moments(x, x.mean(dim=0), root), y)
    assert twice.value == pytest.approx(expected.value, rel=1e-10)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 3), (40, 50, 60), (40, 300, 60)])
def test_the_standard_error_agrees_with_the_jackknife(generator, n, m, d):
    x, y = normal(n, d, generator), normal(m, d, generator) * 1.4 + 0.5
    jackknife = block_jackknife(lambda a, b: frechet_distance(a, b).value, x, y, blocks=100)
    assert frechet_distance(x, y).stderr == pytest.approx(jackknife, rel=0.15)


def test_the_standard_error_of_the_exact_way_is_that_of_the_fast_way(generator):
    x, y = normal(100, 4, generator), normal(80, 4, generator) * 1.4
    doubled = [torch.cat([side, side], dim=1) / math.sqrt(2) for side in (x, y)]  # of rank 4
    assert frechet_distance(*doubled).stderr == pytest.approx(
        frechet_distance(x, y).stderr, rel=1e-5
    )


@pytest.mark.parametrize(("n", "m", "d"), [(700, 900, 450), (420, 500, 450), (410, 800, 820)])
def test_the_standard_error_in_many_dimensions_is_that_of_the_exact_way(generator, n, m, d):
    # The eigenvectors are never formed there, and points are turned in single precision.
    x, y = normal(n, d, generator) * torch.logspace(0, -2, d), normal(m, d, generator)
    found = frechet._estimate(
        frechet.point_side(x), frechet.point_side(y), lambda: pytest.fail("not needed")
    )
    sides = frechet.exact_side(x), frechet.exact_side(y)
    _, of_x, of_y = frechet._safe_polar(*sides)
    shift = sides[0].mean - sides[1].mean
    variance = frechet._variance(sides[0], shift, of_x) / n
    variance += frechet._variance(sides[1], -shift, of_y) / m
    assert found.stderr == pytest.approx(math.sqrt(variance), rel=1e-5)


def test_some_of_many_points_give_the_standard_error(generator):
    x, y = normal(8000, 4, generator), normal(6000, 4, generator) * 1.3 + 0.2
    some = frechet_distance(x, y).stderr
    every = block_jackknife(lambda a, b: frechet_distance(a, b).value, x, y, blocks=150)
    assert some == pytest.approx(every, rel=0.15)
    assert frechet_distance(x.flip(0), y.roll(7, 0)).stderr == pytest.approx(some, rel=1e-9)


def test_notes_tell_bias_and_rank(generator):
    x = normal(30, 40, generator)
    assert "n = 30 <= D = 40" in frechet_distance(x, x + 9).note
    assert (
        "Biased upwards"
        in frechet_distance(normal(500, 4, generator), normal(500, 4, generator)).note
    )
    assert frechet_distance(normal(500, 2, generator), normal(500, 2, generator) + 9).note == ""


def test_extrapolation_takes_the_bias_away(generator):
    # Gaussians: the distance of the laws is 8 (1.5 - 1)^2 = 2 and the bias at n = 300 about 0.1.
    plain, infinite = [], []
    for _ in range(40):
        x, y = normal(300, 8, generator), 1.5 * normal(300, 8, generator)
        plain.append(frechet_distance(x, y).value)
        infinite.append(frechet_distance_infinity(x, y).value)
    error = np.std(infinite) / math.sqrt(len(infinite))
    assert abs(np.mean(infinite) - 2) < 3 * error
    assert np.mean(plain) - 2 > 5 * error


def test_extrapolation_needs_sizes_and_blocks(generator):
    x = normal(6, 2, generator)
    with pytest.raises(ValueError, match="blocks of 1"):
        frechet_distance_infinity(x, x)
    with pytest.raises(ValueError, match="got 1 sizes"):
        frechet_distance_infinity(x, x, points=1)
    assert frechet_distance_infinity(x, x + 1, points=2, seed=3).note == ""


def test_streams_at_an_offset_with_some_rows_kept(generator):
    x, y = normal(500, 3, generator) + 1e6, normal(400, 3, generator) * 2 + 1e6
    metric = FrechetDistance(rows=50)
    for a, b in zip(x.split(7), y.split(5), strict=False):
        metric.update(a, b)
    metric.update(x[:0], y[400:])
    metric.update(x[80 * 7 :], y[72 * 5 :])
    exact = frechet_distance(x, y)
    assert metric.estimate().n == 500
    assert metric.estimate().value == pytest.approx(exact.value, rel=1e-9)
    assert metric.estimate().stderr == pytest.approx(exact.stderr, rel=0.5)
    assert len(metric.samples_rows[0]) <= 100


def test_kept_rows_are_a_fair_sample_of_equal_ones():
    x = torch.tensor([0.0, 1.0]).repeat_interleave(2000)[:, None]
    metric = FrechetDistance(rows=200)
    metric.update(x, x)
    kept = metric._seen("samples")[1]
    assert len(kept) == 200
    assert float(kept.mean()) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(200))


def test_streams_without_rows(generator):
    x, y = normal(50, 3, generator), normal(40, 3, generator)
    metric = FrechetDistance(rows=0)
    metric.update(x, y)
    assert metric.estimate().value == pytest.approx(frechet_distance(x, y).value, rel=1e-9)
    assert math.isnan(metric.estimate().stderr)
    assert "rows=0" in metric.estimate().note
    metric.reset()
    metric.update(torch.cat([x, x], dim=1), torch.cat([y, y], dim=1))
    expected = 2 * frechet_distance(x, y).value
    assert metric.estimate().value == pytest.approx(expected, rel=1e-6)
    assert "moments alone" in metric.estimate().note


def test_widths_that_differ_between_batches():
    metric = FrechetDistance()
    metric.update(torch.rand(5, 3), torch.rand(5, 3))
    with pytest.raises(ValueError, match="one width, got 3 and 2"):
        metric.update(torch.rand(5, 2), torch.rand(5, 2))


def test_moments_merge_to_those_of_all_rows(generator):
    x = normal(300, 300, generator) + 1e6
    whole, parts = moments(x), [moments(part) for part in (x[:1], x[1:1], x[1:120], x[120:])]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    assert merged.n == 300
    assert torch.allclose(merged.mean, x.mean(dim=0), rtol=1e-14)
    assert torch.allclose(merged.covariance, x.T.cov(), atol=1e-8)
    assert torch.allclose(whole.covariance, x.T.cov(), atol=1e-8)
