import math

import numpy as np
import pytest
import torch
from dgmbench.metrics.diversity.ndb import NDB, _count_variances, ndb
from dgmbench.metrics.numerics.clusters import cluster_centers, nearest_center
from scipy import stats

CENTERS = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]], dtype=torch.float64)


def blobs(counts, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mode = torch.arange(4).repeat_interleave(torch.tensor(counts))
    return CENTERS[mode] + 0.1 * torch.randn(len(mode), 2, generator=generator)


def test_bins_by_hand():
    found = ndb(blobs([400, 100, 250, 250]), blobs([250, 250, 250, 250], 1), bins=4)
    assert found["ndb"].value == 2
    p, q = np.array([0.4, 0.1, 0.25, 0.25]), np.full(4, 0.25)
    m = (p + q) / 2
    expected = (p * np.log(p / m) + q * np.log(q / m)).sum() / 2
    assert found["js"].value == pytest.approx(expected)


def test_the_threshold_is_that_of_two_proportions():
    # Shares 0.25 and 0.25 + e of 400 each: |z| = 1.96 between e = 0.0620 and 0.0621.
    reference = blobs([100, 100, 100, 100], 1)
    z = 24 / 400 / math.sqrt(2 / 400 * 0.28 * 0.72)
    assert z == pytest.approx(1.8898, abs=1e-4)
    assert ndb(blobs([124, 76, 100, 100]), reference, bins=4)["ndb"].value == 1  # 76: z = -2.01
    level = math.erfc(z / math.sqrt(2))
    stricter = ndb(blobs([124, 76, 100, 100]), reference, bins=4, significance=level * 1.01)
    assert stricter["ndb"].value == 2


def test_one_missing_mode_is_one_bin_and_equal_sets_have_none():
    reference = blobs([250, 250, 250, 250], 1)
    assert ndb(reference, reference, bins=4)["ndb"].value == 0
    assert ndb(reference, reference, bins=4)["js"].value == 0
    disjoint = ndb(reference + 0.0, reference, bins=4)["js"]
    assert "high by about" in disjoint.note
    assert ndb(blobs([0, 0, 0, 500]), blobs([500, 500, 500, 0], 1), bins=3)["ndb"].value == 3


def test_a_perfect_model_differs_in_the_share_of_the_level():
    generator = torch.Generator().manual_seed(0)
    counts = [
        ndb(*(torch.randn(500, 2, generator=generator) for _ in range(2)), bins=20)["ndb"].value
        for _ in range(30)
    ]
    # Bins fitted to the reference have steadier counts there: 1 in 20 is an upper value.
    assert 0.2 < np.mean(counts) < 1.8


def test_the_error_of_the_count_is_that_of_independent_tests():
    # At z = 0 a bin counts in 5 % of the draws, at the threshold in half of them.
    assert _count_variances(np.zeros(40), 1.96, 0.5)[0] == pytest.approx(
        40 * 0.05 * 0.95, rel=0.03
    )
    assert _count_variances(np.full(40, 1.96), 1.96, 0.5)[0] == pytest.approx(40 / 4, rel=0.03)
    # Bins that are far out count in every draw.
    assert _count_variances(np.repeat([-60.0, 60.0], 20), 1.96, 0.5)[0] < 0.01


def test_the_noise_of_the_bins_does_not_count_twice():
    z = torch.randn(2000, dtype=torch.float64).numpy()  # mu = 0: 5 % of the bins count
    chance = stats.norm.sf(1.96 - z) + stats.norm.cdf(-1.96 - z)
    twice = (chance * (1 - chance)).sum()
    # A hundred steps leave the law of mu a little wider than a point.
    assert _count_variances(z, 1.96, 0.5)[0] == pytest.approx(2000 * 0.05 * 0.95, rel=0.2)
    assert twice > 1.6 * 2000 * 0.05 * 0.95


def test_row_order_does_not_matter_and_the_seed_does_little():
    x, y = blobs([40, 30, 20, 10]), blobs([25, 25, 25, 25], 1)
    assert ndb(x.flip(0), y.flip(0), bins=10) == ndb(x, y, bins=10)
    assert sorted(np.bincount(nearest_center(y, cluster_centers(y, 4, seed=0)))) == [25] * 4


def test_errors_and_class():
    x, y = blobs([40, 30, 20, 10]), blobs([25, 25, 25, 25], 1)
    with pytest.raises(ValueError, match=r"2 <= bins <= 100 .*got 101"):
        ndb(x, y, bins=101)
    metric = NDB(bins=4)
    metric.update(x[:50], y)
    metric.update(x[50:], y[:0])
    found = metric.estimate()
    assert found == ndb(x, y, bins=4)
    assert float(metric.compute()["ndb"]) == found["ndb"].value
