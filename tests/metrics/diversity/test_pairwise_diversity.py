import math

import pytest
import torch
from dgmbench.metrics.diversity.pairwise_diversity import PairwiseDiversity, pairwise_diversity


def points(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def test_by_hand():
    found = pairwise_diversity(torch.tensor([0.0, 3.0, 4.0]))
    assert found.value == pytest.approx((3 + 4 + 1) / 3)
    two = pairwise_diversity(torch.tensor([0.0, 3.0]))
    assert two.value == 3
    assert math.isnan(two.stderr)


@pytest.mark.parametrize("n", [30, 1100])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_equals_the_mean_of_all_pairs(n, offset):
    x = points(n, 5) + offset
    expected = float(torch.pdist(x - offset).mean())
    assert pairwise_diversity(x).value == pytest.approx(expected, rel=1e-9 if offset else 1e-12)


def test_copies_are_at_distance_zero():
    x = torch.full((700, 3), 0.1)
    found = pairwise_diversity(x)
    assert (found.value, found.stderr) == (0, 0)
    twice = points(40, 3).repeat(2, 1)
    assert pairwise_diversity(twice).value == pytest.approx(float(torch.pdist(twice).mean()))


def test_the_mean_distance_of_normal_points_has_its_closed_form():
    # E|x - x'| in the plane: sqrt(2) times the mean of a Rayleigh variable, sqrt(pi / 2).
    found = pairwise_diversity(points(2000, 2))
    assert found.value == pytest.approx(math.sqrt(math.pi), abs=4 * found.stderr)


def test_row_order_shift_and_cut_do_not_matter():
    x = points(90, 4)
    expected = pairwise_diversity(x)
    moved = pairwise_diversity(x.flip(0) * 2 - 3)
    assert moved.value == pytest.approx(2 * expected.value)
    assert moved.stderr == pytest.approx(2 * expected.stderr)
    metric = PairwiseDiversity()
    for part in x.split(40):
        metric.update(part)
    metric.update(x[:0])
    assert metric.estimate() == expected
    assert float(metric.compute()) == expected.value
    with pytest.raises(ValueError, match="at least 2 points in samples, got 1"):
        pairwise_diversity(x[:1])
