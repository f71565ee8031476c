"""Numbers at zero, at rank one, and with a point that lies far from all others."""

import math

import pytest
import torch
from dgmbench import metrics
from dgmbench.metrics.features.linear import PCA


def normal(n, d=2, shift=0.0, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def with_one_far(x, where=1e20):
    x = x.clone()
    x[0] = where
    return x


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "where", [pytest.param(1e6, marks=SLOW), pytest.param(1e12, marks=SLOW), 1e20]
)
def test_one_far_point_moves_bounded_metrics_by_its_share_alone(where):
    x, y, n = normal(400), normal(400, shift=1.0, seed=1), 400
    far = with_one_far(x, where)
    assert metrics.mmd(far, y).value == pytest.approx(metrics.mmd(x, y).value, abs=6 / n)
    assert metrics.c2st(far, y).value == pytest.approx(metrics.c2st(x, y).value, abs=0.05)
    assert metrics.mmd_test(far, y).value < 0.01
    scores = [metrics.vendi_score(s, reference=y, kernel="rbf").value for s in (x, far)]
    assert scores[1] == pytest.approx(scores[0], rel=0.05)


def test_a_set_is_at_no_distance_from_itself_and_its_error_is_no_larger_than_the_data():
    z = torch.randint(2, (200, 10), generator=torch.Generator().manual_seed(0)).float()
    found = metrics.wasserstein(z, z.clone())
    assert found.value == 0
    assert 0 < found.stderr < 1


def test_the_error_of_a_root_is_that_of_the_delta_method_far_from_zero():
    x, y = normal(300), normal(300, shift=5.0, seed=1)
    found = metrics.wasserstein(x, y)
    assert found.value == pytest.approx(5 * math.sqrt(2), rel=0.05)
    assert found.stderr == pytest.approx(math.sqrt(2 / 300), rel=0.3)


def test_an_extrapolation_of_nothing_has_an_error_bar():
    y = normal(500, 4)
    found = metrics.frechet_distance_infinity(y, y)
    assert abs(found.value) < 6 * found.stderr + 0.05
    assert found.stderr > 1e-3


def test_axes_without_variance_in_float32_are_not_whitened():
    generator = torch.Generator().manual_seed(0)
    line = torch.randn(300, 1, generator=generator) @ torch.randn(1, 16, generator=generator)
    with pytest.raises(ValueError, match="got 1 of 2 axes without"):
        PCA(line, dim=2, whiten=True)


def test_coordinates_beyond_the_kernel_are_told():
    with pytest.raises(ValueError, match=r"up to 1e\+24, beyond which .* got 1e\+30"):
        metrics.kernel_distance(torch.full((50, 4), 1e30), normal(50, 4))
    found = metrics.kernel_distance(torch.full((50, 4), 1e23) + normal(50, 4), normal(50, 4))
    assert math.isfinite(found.value) and math.isfinite(found.stderr)


def test_copies_of_the_reference_are_not_better_than_fresh_data():
    y, fresh = normal(500, 4), normal(500, 4, seed=1)
    copied, honest = metrics.c2st(y.clone(), y), metrics.c2st(fresh, y)
    assert copied.value > 0.5 and "points of both sides agree" in copied.note
    assert copied.value >= honest.value - 2 * math.hypot(copied.stderr, honest.stderr)
