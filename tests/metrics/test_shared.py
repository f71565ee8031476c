"""Which part of an error bar the seeds of one model share: by simulation.

With the reference fixed and samples drawn anew, a number spreads by its own part alone; with both
drawn anew, by all of it.
"""

import math

import numpy as np
import pytest
import torch
from dgmbench import metrics

N, D = 256, 3


def draw(seed, shift=0.0, n=N):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed)) + shift


METRICS = {
    "frechet": lambda x, y: metrics.frechet_distance(x, y),
    "mmd": lambda x, y: metrics.mmd(x, y),
    "energy": lambda x, y: metrics.energy_distance(x, y),
    "sliced": lambda x, y: metrics.sliced_wasserstein(x, y),
    "kernel": lambda x, y: metrics.kernel_distance(x, y),
    "precision": lambda x, y: metrics.prdc(x, y)["precision"],
    "coverage": lambda x, y: metrics.prdc(x, y)["coverage"],
}


def spread(metric, seeds, references, shift):
    """Standard deviation over draws, and the mean of own and shared part that are told."""
    found = [metric(draw(s, shift), draw(r)) for s, r in zip(seeds, references, strict=True)]
    own = np.sqrt(np.mean([e.stderr**2 - e.shared**2 for e in found]))
    shared = np.sqrt(np.mean([e.shared**2 for e in found]))
    return np.std([e.value for e in found], ddof=1), own, shared


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_parts_are_those_of_a_simulation(name, shift):
    metric, k = METRICS[name], 150
    fixed = [
        spread(metric, range(1000 * (r + 1), 1000 * (r + 1) + k), [10**6 + r] * k, shift)
        for r in range(4)
    ]
    seen = math.sqrt(np.mean([s**2 for s, _, _ in fixed]))
    own = math.sqrt(np.mean([o**2 for _, o, _ in fixed]))
    assert own == pytest.approx(seen, rel=0.35)
    both, own, shared = spread(metric, range(k), range(10**6, 10**6 + k), shift)
    assert math.hypot(own, shared) == pytest.approx(both, rel=0.35)


def test_what_is_not_said_is_all_shared():
    assert metrics.Estimate(1.0, 0.5, 3).shared == 0.5
    assert metrics.Estimate(1.0, 0.5, 3, shared=9.0).shared == 0.5
    assert math.isnan(metrics.Estimate(1.0, math.nan, 3).shared)


def test_means_over_test_rows_share_all_of_their_error():
    log_prob = torch.randn(500, generator=torch.Generator().manual_seed(0)).double()
    found = metrics.nll(log_prob)
    assert found.shared == found.stderr > 0


def test_numbers_of_samples_alone_share_nothing():
    found = metrics.vendi_score(draw(0), kernel="rbf")
    assert found.shared == 0 < found.stderr


@pytest.mark.parametrize("cls", sorted(metrics.FUNCTIONS, key=lambda c: c.__name__))
def test_every_metric_says_what_is_shared(cls):
    said = cls.shares
    words = set(said.values()) if isinstance(said, dict) else {said}
    assert words <= {"all", "none", "reference"}
