import sys

import pytest
import torch
from dgmbench.metrics.numerics import neighbours
from dgmbench.metrics.numerics.neighbours import (
    nearest_neighbours,
    pairs_within,
    squared_distances,
)


def points(n, d, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64)


def brute(x, y):
    """Distances by differences."""
    return (x[:, None] - y[None]).square().sum(dim=2).sqrt()


@pytest.mark.parametrize(
    ("n", "m", "d", "k"), [(50, 40, 1, 3), (300, 500, 7, 5), (30, 30, 90, 29)]
)
def test_neighbours_are_those_of_all_differences(n, m, d, k):
    x, y = points(n, d, 1), points(m, d, 2)
    distance, index = nearest_neighbours(x, y, k)
    expected = brute(x, y).sort(dim=1)
    torch.testing.assert_close(distance, expected.values[:, :k], rtol=1e-14, atol=0)
    assert torch.equal(index, expected.indices[:, :k])


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("spread", [1e-6, 1.0, 1e6])
def test_tight_clusters_far_from_the_origin_and_from_each_other_stay_exact(offset, spread):
    cluster = torch.arange(200) % 4
    x = points(200, 3) * 1e-3 * spread + cluster[:, None] * spread + offset
    distance, index = nearest_neighbours(x, x, 6, exclude_self=True)
    expected = brute(x, x).fill_diagonal_(torch.inf).sort(dim=1, stable=True)
    torch.testing.assert_close(distance, expected.values[:, :6], rtol=1e-12, atol=0)
    assert (cluster[index] == cluster[:, None]).all()


def test_an_outlier_that_dwarfs_all_other_distances_does_no_harm():
    x = torch.cat([points(100, 5), torch.full((1, 5), 1e9, dtype=torch.float64)])
    distance, _ = nearest_neighbours(x, x, 3, exclude_self=True)
    expected = brute(x, x).fill_diagonal_(torch.inf).sort(dim=1).values[:, :3]
    torch.testing.assert_close(distance, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("side", [0, 1])
def test_a_far_point_leaves_the_screen_as_sharp_as_it_was(side, monkeypatch):
    """Else every pair is measured by its difference: minutes where seconds are due."""
    measured = []

    def counted(x, y, i, j):
        measured.append(len(i))
        return squared_distances(x, y, i, j)

    monkeypatch.setattr(neighbours, "squared_distances", counted)
    sides = [points(400, 2, 1), points(600, 2, 2)]
    sides[side][3] = 1e20
    x, y = sides
    distance, _ = nearest_neighbours(x, y, 5)
    expected = brute(x, y).sort(dim=1)
    torch.testing.assert_close(distance, expected.values[:, :5], rtol=1e-14, atol=0)
    assert sum(measured) < 3 * 5 * len(x) + len(y)
    reach = expected.values[:, 4]
    near = torch.cat([i for i, _, _ in pairs_within(x, y, reach, torch.zeros_like(y[:, 0]))])
    assert len(near) >= 5 * (len(x) - 1)
    assert sum(measured) < 2 * (3 * 5 * len(x) + len(y))


@pytest.mark.parametrize("d", [1, 5, 300])
@pytest.mark.parametrize("width", [1e-18, 1e-20, 1e-22, 1e-30])
def test_distances_whose_squares_underflow_in_single_precision_stay_exact(d, width):
    x, y = (points(150, d, seed) * width for seed in (1, 2))
    y[0], y[1] = 1, -1
    distance, index = nearest_neighbours(x, y, 3)
    expected = brute(x, y).sort(dim=1, stable=True)
    torch.testing.assert_close(distance, expected.values[:, :3], rtol=1e-12, atol=0)
    assert torch.equal(index, expected.indices[:, :3])
    reach = expected.values[:, 2]
    blocks = list(pairs_within(x, y, reach, torch.zeros(len(y), dtype=torch.float64)))
    assert sum(len(i) for i, _, _ in blocks) == 3 * len(x)


def test_copies_are_at_distance_zero_and_come_in_order_of_place():
    x = torch.full((40, 3), 0.1, dtype=torch.float64)
    distance, index = nearest_neighbours(x, x, 3, exclude_self=True)
    assert (distance == 0).all()
    assert index[0].tolist() == [1, 2, 3]
    assert index[20].tolist() == [0, 1, 2]


def test_block_size_does_not_change_neighbours(monkeypatch):
    module = sys.modules["dgmbench.metrics.numerics.neighbours"]
    x, y = points(200, 20, 1), points(150, 20, 2)
    whole = nearest_neighbours(x, y, 4)
    monkeypatch.setattr(module, "_BLOCK", 1000)
    cut = nearest_neighbours(x, y, 4)
    torch.testing.assert_close(cut[0], whole[0], rtol=1e-14, atol=0)
    assert torch.equal(cut[1], whole[1])


def test_low_matrix_precision_of_the_caller_does_no_harm():
    x = points(300, 40)
    expected = nearest_neighbours(x, x, 3, exclude_self=True)[1]
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(nearest_neighbours(x, x, 3, exclude_self=True)[1], expected)
    finally:
        torch.set_float32_matmul_precision(before)


def test_pairs_within_are_all_of_them_and_no_more():
    x, y = points(120, 4, 1), points(90, 4, 2)
    reach_x, reach_y = torch.rand(120).double() * 2, torch.rand(90).double() * 2
    found = torch.zeros(120, 90, dtype=torch.float64)
    for i, j, distance in pairs_within(x, y, reach_x, reach_y):
        found[i, j] = distance
    all_distances = brute(x, y)
    expected = all_distances <= torch.maximum(reach_x[:, None], reach_y[None])
    torch.testing.assert_close(found, all_distances * expected, rtol=1e-14, atol=0)


def test_more_neighbours_than_there_are_is_an_error():
    with pytest.raises(ValueError, match=r"1 <= k <= 4.*got k = 5"):
        nearest_neighbours(points(5, 2), points(5, 2), 5, exclude_self=True)
