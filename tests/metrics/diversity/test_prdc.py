import math
import sys

import numpy as np
import pytest
import torch
from dgmbench.metrics.diversity.prdc import PRDC, _decay, _halves, prdc


def points(n, d, seed=0, scale=1.0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64) * scale


def values(result):
    return {name: estimate.value for name, estimate in result.items()}


def by_definition(x, y, k):
    """The four numbers from all distances, written from the equations."""
    xx, yy = (torch.cdist(v, v, compute_mode="donot_use_mm_for_euclid_dist") for v in (x, y))
    xy = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    radius_x, radius_y = (v.sort(dim=1).values[:, k] for v in (xx, yy))
    return {
        "precision": float((xy <= radius_y).any(dim=1).double().mean()),
        "recall": float((xy <= radius_x[:, None]).any(dim=0).double().mean()),
        "density": float((xy < radius_y).double().sum() / k / len(x)),
        "coverage": float((xy < radius_y).any(dim=0).double().mean()),
    }


@pytest.mark.parametrize(("n", "m", "d", "k"), [(90, 70, 2, 5), (60, 120, 30, 3), (9, 8, 1, 1)])
def test_values_follow_the_definition(n, m, d, k):
    x, y = points(n, d, 1, 0.8), points(m, d, 2)
    assert values(prdc(x, y, k)) == pytest.approx(by_definition(x, y, k), abs=1e-12)


def test_by_hand_on_the_line():
    # Balls (k = 1) of radius 1 around 0 and 1, of 3 around 4; of 8.5 around 0.5 and 9.
    y, x = torch.tensor([0.0, 1.0, 4.0]), torch.tensor([0.5, 9.0])
    found = values(prdc(x, y, k=1))
    assert found == pytest.approx(
        {"precision": 1 / 2, "recall": 1.0, "density": 2 / 2, "coverage": 2 / 3}
    )


def test_a_point_on_a_radius_is_precise_and_not_covering():
    # 2 lies at distance 1 = the radius of 1 and of 3, and of nothing else.
    found = values(prdc(torch.tensor([2.0, 9.0]), torch.tensor([0.0, 1.0, 3.0, 4.0]), k=1))
    assert found["precision"] == 1 / 2
    assert found["density"] == 0
    assert found["coverage"] == 0


def test_copies_of_the_reference_score_one():
    y = points(100, 5)
    found = values(prdc(y, y, k=3))
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    # Open balls hold the point itself and its k - 1 nearer neighbours.
    assert found["density"] == pytest.approx(1)


def test_identical_rows_make_balls_of_radius_zero():
    found = values(prdc(torch.ones(10, 3), torch.ones(12, 3), k=2))
    assert found == {"precision": 1, "recall": 1, "density": 0, "coverage": 0}


def test_samples_far_away_score_zero():
    found = prdc(points(40, 3) + 1e6, points(40, 3, 1))
    assert set(values(found).values()) == {0}
    assert "same in every half" in found["precision"].note


def test_order_offset_scale_and_rotation_do_not_matter():
    x, y = points(150, 4, 1, 0.8), points(120, 4, 2)
    expected = prdc(x, y)
    turn = torch.linalg.qr(points(4, 4, 3))[0]
    assert values(prdc(x @ turn * 8 + 1e4, y @ turn * 8 + 1e4)) == values(expected)
    order = torch.randperm(150, generator=torch.Generator().manual_seed(4))
    assert prdc(x[order], y.flip(0)) == expected


def test_same_law_has_density_one_and_coverage_near_its_expectation():
    g = torch.Generator().manual_seed(0)
    runs = [
        prdc(torch.randn(400, 3, generator=g), torch.randn(400, 3, generator=g)) for _ in range(20)
    ]
    density = np.mean([run["density"].value for run in runs])
    coverage = np.mean([run["coverage"].value for run in runs])
    assert density == pytest.approx(1, abs=4 * runs[0]["density"].stderr / math.sqrt(20))
    # M = N: the k nearest others of y all come from y with probability prod (M - i) / (2 M - i).
    expected = 1 - np.prod([(399 - i) / (799 - i) for i in range(5)])
    assert coverage == pytest.approx(expected, abs=4 * runs[0]["coverage"].stderr / math.sqrt(20))


def test_the_error_exceeds_the_binomial_one():
    x, y = points(400, 8, 1, 1.1), points(400, 8, 2)
    found = prdc(x, y)["coverage"]
    assert found.stderr > 0.9 * math.sqrt(found.value * (1 - found.value) / 400)


def test_the_error_falls_as_that_of_a_mean_at_least_and_stays_as_it_is_at_most():
    x, y = points(300, 2, 1) + 2, points(300, 2, 2)  # the sides meet in outliers
    values, at_half, _ = _halves(x, y, 5, 63)
    found = prdc(x, y)
    for value, variance, estimate in zip(values, at_half, found.values(), strict=True):
        assert estimate.value == value
        assert 0.5 * variance <= estimate.stderr**2 * (1 + 1e-9)
        assert estimate.stderr**2 <= variance * (1 + 1e-9)
    assert found["precision"].stderr ** 2 > 0.6 * at_half[0]


def test_the_decay_of_many_points_is_that_of_some(monkeypatch):
    x, y = points(200, 4, 1, 1.1), points(300, 4, 2)
    at_half = _halves(x, y, 3, 63)[1]
    every = _decay(x, y, 3, at_half)
    monkeypatch.setattr(sys.modules[prdc.__module__], "_SOME", 100)
    some = _decay(x, y, 3, at_half)
    assert np.all((some >= 0.5) & (some <= 1)) and np.any(some != every)
    assert np.array_equal(_decay(x.flip(0), y.flip(0), 3, at_half), some)


@pytest.mark.parametrize(("n", "k"), [(5, 5), (3, 5)])
def test_too_few_points_for_k_is_an_error(n, k):
    with pytest.raises(ValueError, match=rf"k = {k}, {n} samples and 50 reference"):
        prdc(points(n, 2), points(50, 2), k)


def test_few_points_have_a_value_and_no_error():
    found = prdc(points(7, 2), points(50, 2), 5)["recall"]
    assert math.isfinite(found.value)
    assert math.isnan(found.stderr)
    assert "too few" in found.note


def test_the_class_gives_the_value_of_the_function():
    x, y = points(80, 3, 1), points(70, 3, 2)
    metric = PRDC(k=3)
    for part_x, part_y in ((x[:30], y[:0]), (x[30:], y)):
        metric.update(part_x, part_y)
    assert metric.estimate() == prdc(x, y, 3)
    assert {name: float(v) for name, v in metric.compute().items()} == values(prdc(x, y, 3))
    with pytest.raises(ValueError, match="k >= 1, got 0"):
        PRDC(k=0)


@pytest.mark.peers
@pytest.mark.parametrize("d", [2, 40])
def test_agrees_with_the_authors_code(d):
    peer = pytest.importorskip("prdc")
    x, y = points(300, d, 1, 0.9), points(250, d, 2)
    expected = peer.compute_prdc(y.numpy(), x.numpy(), nearest_k=5)
    found = values(prdc(x, y, 5))
    assert found == pytest.approx({name: expected[name] for name in found}, abs=1e-12)


def test_without_error_bars_the_numbers_are_the_same():
    ties = torch.randint(3, (80, 3)).double()
    for x, y in (
        (torch.randn(60, 3), torch.randn(50, 3)),
        (30 * torch.randn(1500, 8), torch.randn(200, 8)),
        (ties, ties[:50]),
    ):
        whole, bare = prdc(x, y), prdc(x, y, stderr=False)
        for name, estimate in whole.items():
            assert bare[name].value == pytest.approx(estimate.value, abs=1e-12), name
    assert all(math.isnan(v.stderr) and "asked" in v.note for v in bare.values())
    metric = PRDC(stderr=False)
    metric.update(x, y)
    assert math.isnan(metric.estimate()["precision"].stderr)
