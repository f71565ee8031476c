"""Standard errors are what they say: coverage over fresh samples and a fresh reference, P != Q."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from dgmbench.metrics.distance.c2st import c2st
from dgmbench.metrics.distance.cmmd import cmmd
from dgmbench.metrics.distance.energy_distance import energy_distance
from dgmbench.metrics.distance.frechet import (
    FrechetDistance,
    frechet_distance,
    frechet_distance_infinity,
)
from dgmbench.metrics.distance.inception_score import inception_score
from dgmbench.metrics.distance.kernel_distance import kernel_distance
from dgmbench.metrics.distance.mmd import mmd, mmd_test
from dgmbench.metrics.distance.sinkhorn import sinkhorn_divergence
from dgmbench.metrics.distance.sliced_wasserstein import sliced_wasserstein
from dgmbench.metrics.distance.wasserstein import wasserstein

pytestmark = pytest.mark.slow

DRAWS = 400


def frechet_streaming(samples, reference):
    metric = FrechetDistance(rows=100)
    for x, y in zip(samples.split(40), reference.split(40), strict=False):
        metric.update(x, y)
    return metric.estimate()


CASES = {  # function, samples, reference, dimension
    "frechet": (frechet_distance, 400, 300, 3),
    "frechet-streaming": (frechet_streaming, 400, 400, 3),
    "frechet-infinity": (frechet_distance_infinity, 400, 300, 3),
    "kernel": (kernel_distance, 200, 150, 8),
    "kernel-moments": (kernel_distance, 300, 200, 2),
    "kernel-subsets": (partial(kernel_distance, subsets=50, subset_size=40), 200, 200, 8),
    "mmd": (mmd, 100, 150, 3),
    "mmd-biased": (partial(mmd, unbiased=False), 100, 150, 3),
    "cmmd": (cmmd, 100, 150, 6),
    "energy": (energy_distance, 100, 150, 3),
    "sliced": (partial(sliced_wasserstein, directions=200), 150, 100, 4),
    "wasserstein": (wasserstein, 150, 100, 2),
    "wasserstein-line": (wasserstein, 150, 100, 1),
    "sinkhorn": (sinkhorn_divergence, 100, 80, 2),
    "c2st-logistic": (partial(c2st, classifier="logistic"), 80, 80, 3),
}


def coverage(estimates) -> float:
    """Share of 95 % intervals that hold the estimator's expectation, the mean of the draws."""
    values = torch.tensor([e.value for e in estimates], dtype=torch.float64)
    stderrs = torch.tensor([e.stderr for e in estimates], dtype=torch.float64)
    return float(((values - values.mean()).abs() <= 1.96 * stderrs).double().mean())


def draw(n, d, generator, scale, shift):
    return torch.randn(n, d, generator=generator, dtype=torch.float64) * scale + shift


@pytest.mark.parametrize("case", CASES)
def test_intervals_cover(case):
    function, n, m, d = CASES[case]
    generator = torch.Generator().manual_seed(0)
    pairs = ((draw(n, d, generator, 1, 0), draw(m, d, generator, 1.3, 0.5)) for _ in range(DRAWS))
    assert 0.90 <= coverage([function(x, y) for x, y in pairs]) <= 0.98


def test_intervals_of_c2st_by_a_network_cover():
    # A fit takes some tenths of a second: a hundred draws, and a coverage of 0.95 +- 3 * 0.02.
    generator = torch.Generator().manual_seed(0)
    pairs = [(draw(60, 2, generator, 1, 0), draw(60, 2, generator, 1, 1)) for _ in range(100)]
    assert 0.89 <= coverage([c2st(x, y) for x, y in pairs]) <= 1


@pytest.mark.parametrize("splits", [1, 20])
def test_intervals_of_the_inception_score_cover(splits):
    generator = torch.Generator().manual_seed(0)
    batches = (torch.softmax(2 * draw(400, 5, generator, 1, 0), dim=1) for _ in range(DRAWS))
    assert 0.90 <= coverage([inception_score(p, splits) for p in batches]) <= 0.98


@pytest.mark.parametrize(("shift", "permutations"), [(0.3, 200), (0.5, 500)])
def test_intervals_of_the_p_value_cover_that_of_all_relabellings(shift, permutations):
    # One pair of samples: the error is that of the permutations.
    generator = torch.Generator().manual_seed(0)
    x, y = draw(30, 2, generator, 1, 0), draw(25, 2, generator, 1, shift)
    estimates = [mmd_test(x, y, permutations=permutations, seed=i) for i in range(DRAWS)]
    assert 0.01 < estimates[0].value < 0.9
    assert 0.90 <= coverage(estimates) <= 0.98


@pytest.mark.parametrize("function", [mmd, energy_distance, kernel_distance])
def test_the_second_order_is_right_where_p_is_q(function):
    # There the law is not normal, but the standard deviation is still what is reported.
    generator = torch.Generator().manual_seed(0)
    estimates = [
        function(draw(60, 3, generator, 1, 0), draw(90, 3, generator, 1, 0)) for _ in range(1000)
    ]
    values = torch.tensor([e.value for e in estimates])
    reported = torch.tensor([e.stderr for e in estimates]).square().mean().sqrt()
    # Above 1, since no variance is let below its second-order part; 1.45 with that counted twice.
    assert 0.95 <= float(reported / values.std()) <= 1.35


@pytest.mark.parametrize(("n", "m", "d"), [(60, 50, 40), (60, 50, 80), (30, 30, 100)])
def test_frechet_with_few_points_for_the_dimension_is_conservative(n, m, d):
    generator = torch.Generator().manual_seed(0)
    pairs = ((draw(n, d, generator, 1, 0), draw(m, d, generator, 1.3, 0.5)) for _ in range(DRAWS))
    assert 0.93 <= coverage([frechet_distance(x, y) for x, y in pairs]) <= 0.995
