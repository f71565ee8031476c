"""Standard errors are what they say: intervals around the expectation at that n, by simulation."""

import math

import pytest
import torch
from dgmbench.metrics.diversity.alpha_precision import alpha_precision, beta_recall
from dgmbench.metrics.diversity.clipped import clipped_coverage, clipped_density
from dgmbench.metrics.diversity.modes import mode_coverage
from dgmbench.metrics.diversity.ndb import ndb
from dgmbench.metrics.diversity.pairwise_diversity import pairwise_diversity
from dgmbench.metrics.diversity.prdc import prdc
from dgmbench.metrics.diversity.probabilistic import (
    probabilistic_precision,
    probabilistic_recall,
)
from dgmbench.metrics.diversity.symmetric import symmetric_precision, symmetric_recall
from dgmbench.metrics.diversity.vendi import vendi_score
from dgmbench.metrics.exact.exact_law import empirical_total_variation, log_z_error
from dgmbench.metrics.exact.fisher_divergence import fisher_divergence
from dgmbench.metrics.exact.kl import kl_to_truth, reverse_kl_to_truth
from dgmbench.metrics.likelihood.nll import nll
from dgmbench.metrics.memorisation.authenticity import authenticity
from dgmbench.metrics.memorisation.ct_score import ct_score
from dgmbench.metrics.memorisation.feature_likelihood import feature_likelihood_divergence
from dgmbench.metrics.memorisation.nearest_neighbour_ratio import nearest_neighbour_ratio

DRAWS = 400


def normal(g, n, d, scale=1.0, shift=0.0):
    return torch.randn(n, d, generator=g, dtype=torch.float64) * scale + shift


def fixed(n, d):
    return normal(torch.Generator().manual_seed(99), n, d)


def states(g, n, law):
    return torch.multinomial(torch.tensor(law), n, replacement=True, generator=g)


def normal_log_density(x, scale=1.0):
    return (-0.5 * (x / scale) ** 2 - math.log(scale * math.sqrt(2 * math.pi))).sum(dim=1)


def two_laws(g):
    x = normal(g, 100, 3)
    return normal_log_density(x, 1.5), normal_log_density(x)


def by_importance(g):
    """The normaliser of exp(-x^2) by 200 normal draws, with a truth that is off by 1/2."""
    x = normal(g, 200, 1)[:, 0]
    weight = (-0.5 * x.square()).exp() * math.sqrt(2 * math.pi)
    stderr = weight.std() / weight.mean() / math.sqrt(200)
    return log_z_error(weight.mean().log(), 0.5 * math.log(math.pi) - 0.5, stderr)


TRAIN = fixed(300, 4)
SKEW = torch.softmax(fixed(30, 1)[:, 0], 0).tolist()
FLAT = [1 / 30] * 30
CASES = {
    "prdc-8d": lambda g: prdc(normal(g, 300, 8, 1.1, 0.3), normal(g, 300, 8)),
    "prdc-plane": lambda g: prdc(normal(g, 400, 2, 1.1, 0.8), normal(g, 300, 2)),
    "prdc-64d": lambda g: prdc(normal(g, 300, 64, 1.0, 0.1), normal(g, 300, 64)),
    "prdc-64d-few": lambda g: prdc(normal(g, 200, 64, 1.0, 0.1), normal(g, 200, 64)),
    "prdc-far": lambda g: prdc(normal(g, 300, 8, 1.0, 0.8), normal(g, 300, 8)),
    "prdc-narrow": lambda g: prdc(normal(g, 300, 8, 0.6, 0.3), normal(g, 300, 8)),
    "clipped-density": lambda g: clipped_density(normal(g, 300, 8, 1.2, 0.3), normal(g, 300, 8)),
    "clipped-coverage": lambda g: clipped_coverage(normal(g, 300, 8, 0.8, 0.3), normal(g, 300, 8)),
    "p-precision": lambda g: probabilistic_precision(normal(g, 300, 4, 1.3), normal(g, 250, 4)),
    "p-recall": lambda g: probabilistic_recall(normal(g, 300, 4, 0.8), normal(g, 250, 4)),
    "sym-precision": lambda g: symmetric_precision(normal(g, 300, 8, 0.8), normal(g, 300, 8)),
    "sym-recall": lambda g: symmetric_recall(normal(g, 300, 8, 0.7), normal(g, 300, 8)),
    "alpha-precision": lambda g: alpha_precision(normal(g, 300, 4, 1.3), normal(g, 250, 4)),
    "beta-recall": lambda g: beta_recall(normal(g, 300, 4, 1.3), normal(g, 250, 4)),
    "vendi-1": lambda g: vendi_score(normal(g, 200, 5) * torch.linspace(0.3, 1.5, 5)),
    "vendi-2": lambda g: vendi_score(normal(g, 200, 5) * torch.linspace(0.3, 1.5, 5), 2.0),
    "vendi-inf": lambda g: vendi_score(normal(g, 200, 5, 1.0, 0.5), math.inf),
    "vendi-rbf": lambda g: vendi_score(normal(g, 300, 2), 1.0, "rbf", bandwidth=1.0),
    "vendi-high": lambda g: vendi_score(normal(g, 100, 50)),
    "pairwise": lambda g: pairwise_diversity(normal(g, 60, 3)),
    "pairwise-high": lambda g: pairwise_diversity(normal(g, 30, 200)),
    "modes-ring": lambda g: mode_coverage(states(g, 200, [*SKEW[:10], 0.2]) - 1, 10),
    "modes-grid": lambda g: mode_coverage(states(g, 100, [0.15, *SKEW[:25]]) - 1, 25),
    "modes-many": lambda g: mode_coverage(
        states(g, 300, [9.0] + [1.0] * 150 + [0.2] * 90) - 1, 240
    ),
    "ndb": lambda g: ndb(normal(g, 500, 2, 1.3), normal(g, 700, 2), bins=20),
    "ndb-far": lambda g: ndb(normal(g, 600, 2, 1.0, 0.6), normal(g, 800, 2), bins=40),
    "ndb-100": lambda g: ndb(normal(g, 1500, 3, 1.2, 0.2), normal(g, 1000, 3)),
    "log-z": by_importance,
    "authenticity": lambda g: authenticity(normal(g, 100, 4, 0.9), TRAIN),
    "ratio": lambda g: nearest_neighbour_ratio(normal(g, 100, 4, 0.8), normal(g, 80, 4), TRAIN),
    "ct": lambda g: ct_score(normal(g, 200, 4, 0.8), normal(g, 150, 4), TRAIN, cells=3),
    "fld": lambda g: feature_likelihood_divergence(
        normal(g, 200, 4, 0.8), normal(g, 200, 4), TRAIN
    ),
    "nll": lambda g: nll(two_laws(g)[0]),
    "kl": lambda g: kl_to_truth(*two_laws(g)),
    "reverse-kl": lambda g: reverse_kl_to_truth(*two_laws(g)[::-1]),
    "fisher": lambda g: (lambda x: fisher_divergence(-x / 2.25, -x))(normal(g, 100, 3)),
    "tv": lambda g: empirical_total_variation(states(g, 200, SKEW), torch.tensor(FLAT)),
    "tv-sparse": lambda g: empirical_total_variation(
        states(g, 300, [1.0] * 300 + [3.0] * 300), torch.full((600,), 1 / 600)
    ),
}


# An error bar takes a tenth to a quarter of a second.
DEAR = {"clipped-density", "clipped-coverage", "p-precision", "p-recall", "beta-recall", "fld"}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_interval_covers_the_expectation_at_this_n(case):
    generator = torch.Generator().manual_seed(7)
    draws = DRAWS // 2 if case in DEAR else DRAWS
    drawn = [CASES[case](generator) for _ in range(draws)]
    drawn = drawn if isinstance(drawn[0], dict) else [{case: one} for one in drawn]
    for name in drawn[0]:
        values = torch.tensor([one[name].value for one in drawn])
        errors = torch.tensor([one[name].stderr for one in drawn])
        if errors.isnan().all():
            continue
        covered = ((values - values.mean()).abs() <= 1.96 * errors).double().mean()
        ratio = errors.square().mean().sqrt() / values.std()
        print(f"{case} {name}: cover {covered:.3f} ratio {ratio:.3f} mean {values.mean():.4f}")
        assert 0.90 <= covered <= 0.98, name


def test_a_share_that_one_outlier_decides_says_so_with_an_error_bar_as_large_as_it_is():
    """All or none of a far cluster lie in the ball of the reference's farthest point."""
    g = torch.Generator().manual_seed(3)
    values, bars, notes = [], [], set()
    for _ in range(40):
        x = 6 / math.sqrt(2) + 0.01 * normal(g, 200, 2)
        wide = 1 + 2 * torch.rand(200, 1, generator=g, dtype=torch.float64) ** 4
        y = wide * normal(g, 200, 2)
        found = prdc(x, y)["precision"]
        values.append(found.value)
        bars.append(found.stderr)
        notes.add(found.note)
    assert max(bars) <= 0.5
    spread, bar = torch.tensor(values).std(), torch.tensor(bars).square().mean().sqrt()
    assert spread > 0.2 and 0.7 < bar / spread < 1.4
    assert any("another draw of the data may give any value" in note for note in notes)
