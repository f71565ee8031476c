"""Gaussian, histogram, n-gram and Chow-Liu tree against closed forms and counts by hand."""

import itertools
import math

import numpy as np
import pytest
import torch
from dgmbench.baselines.classical.chow_liu import ChowLiu, mutual_information, pair_counts, tree
from dgmbench.baselines.classical.gaussian import Gaussian
from dgmbench.baselines.classical.histogram import Histogram
from dgmbench.baselines.classical.ngram import NGram
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask

ONCE = Budget(steps=1)
LETTERS = Domain((6,), levels=3, ordered=False, layout="sequence")


def fitted(cls, domain, train, val=None, **arguments):
    model = cls(domain, **arguments)
    model.fit(TrainingTask(domain, train, train if val is None else val), ONCE)
    return model


def test_gaussian_is_the_maximum_of_the_likelihood():
    """Its mean log-density over train is -1/2 log det(2 pi e S), whatever the rows."""
    x = torch.randn(500, 4) @ torch.randn(4, 4) + 3
    model = fitted(Gaussian, Domain((4,)), x)
    S = torch.cov(x.double().T, correction=0)
    want = -0.5 * torch.logdet(2 * math.pi * math.e * S)
    assert model.log_prob(x).double().mean() == pytest.approx(float(want), abs=1e-4)


def test_gaussian_of_equal_coordinates_takes_a_floor():
    x = torch.randn(300, 1).expand(-1, 3).contiguous()
    model = fitted(Gaussian, Domain((3,)), x)
    assert model.log_prob(x).isfinite().all()
    y = model.sample(2000)
    assert torch.corrcoef(y.T).min() > 0.99


def test_histogram_of_levels_counts_them():
    x = torch.tensor([[0, 1], [0, 2], [1, 2], [0, 2]])
    model = fitted(Histogram, Domain((2,), levels=3), x)
    # The least smoothing is best on the rows themselves: 1/1000 of a row of the uniform law.
    p = (3 + 1e-3 / 3) / 4.001 * (3 + 1e-3 / 3) / 4.001
    assert model.log_prob(torch.tensor([[0, 2]])).exp().item() == pytest.approx(p, rel=1e-5)


def test_histogram_of_a_uniform_law_is_flat_and_integrates_to_one():
    x = torch.rand(20_000, 1)
    model = fitted(Histogram, Domain((1,)), x, torch.rand(4000, 1))
    grid = torch.linspace(-1, 2, 300_001)[:, None]
    p = model.log_prob(grid).double().exp()
    assert float(torch.trapezoid(p, grid[:, 0].double())) == pytest.approx(1, abs=2e-3)
    assert model.log_prob(torch.tensor([[0.3], [0.7]])).exp() == pytest.approx([1, 1], abs=0.15)


def test_histogram_has_tails_and_copes_with_ties():
    x = torch.randn(5000, 2)
    x[:, 1] = (x[:, 1] > 0).float()  # two values
    model = fitted(Histogram, Domain((2,)), x)
    assert model.log_prob(torch.tensor([[9.0, 1.0], [0.0, -3.0]])).isfinite().all()
    y = model.sample(4000)
    assert y[:, 0].std() == pytest.approx(1, abs=0.1)
    # Half of the draws near each value, to within the narrowest bin and a tail.
    assert (y[:, 1] > 0.5).float().mean() == pytest.approx(0.5, abs=0.05)


def test_bigram_counts_by_hand():
    x = torch.tensor([[0, 1, 0, 1, 0, 1]] * 4)
    model = fitted(NGram, LETTERS, x, orders=2)
    a = float(model.weight)
    unigram = lambda n, total: (n + a / 3) / (total + a)  # noqa: E731
    zero, one = unigram(12, 24), unigram(12, 24)
    # By position each symbol is certain but for the smoothing; shared, 0 follows 1 always.
    if bool(model.shared):
        after0, after1 = (12 + a * one) / (12 + a), (8 + a * zero) / (8 + a)
        want = math.log(zero) + 3 * math.log(after0) + 2 * math.log(after1)
    else:
        p = unigram(4, 4)
        want = math.log(p) + 5 * math.log((4 + a * p) / (4 + a))
    assert model.log_prob(x[:1]).item() == pytest.approx(want, abs=1e-5)


def test_order_is_chosen_by_val():
    """A chain whose symbol depends on the last but one needs order 3 and no more."""
    x = torch.randint(3, (4000, 6))
    for d in range(2, 6):
        x[:, d] = torch.where(torch.rand(4000) < 0.9, (x[:, d - 2] + 1) % 3, x[:, d])
    model = fitted(NGram, LETTERS, x[:3000], x[3000:])
    assert int(model.order) == 3
    y = model.sample(4000)
    assert ((y[:, 2:] == (y[:, :-2] + 1) % 3).float().mean()) == pytest.approx(0.933, abs=0.02)


def test_ngram_and_tree_sum_to_one():
    domain = Domain((4,), levels=3, ordered=False, layout="bits")
    x = torch.randint(3, (60, 4))
    for cls in (NGram, ChowLiu, Histogram):
        total = fitted(cls, domain, x).log_prob(domain.states()).double().exp().sum()
        assert total == pytest.approx(1, abs=1e-5)


def test_mutual_information_is_that_of_the_table():
    x = torch.randint(2, (1000, 3))
    x[:, 2] = x[:, 0]
    found = mutual_information(pair_counts(x, 2), 1000)
    p = np.histogram2d(*x[:, :2].T.numpy(), bins=2)[0] / 1000
    want = (p * np.log(p / np.outer(p.sum(1), p.sum(0)))).sum()
    assert found[0, 1] == pytest.approx(want, abs=1e-12)
    q = x[:, 0].double().mean()
    assert found[0, 2] == pytest.approx(float(-(q * q.log() + (1 - q) * (1 - q).log())), abs=1e-12)


def test_tree_finds_the_tree_that_the_data_come_from():
    """A chain in scrambled order: each bit is the one before it, flipped once in ten."""
    order = [3, 0, 4, 1, 2]
    x = torch.zeros(20_000, 5, dtype=torch.long)
    x[:, order[0]] = torch.randint(2, (20_000,))
    for before, after in itertools.pairwise(order):
        flip = torch.rand(20_000) < 0.1
        x[:, after] = torch.where(flip, 1 - x[:, before], x[:, before])
    _, parent = tree(mutual_information(pair_counts(x, 2), len(x)))
    edges = {frozenset((d, int(p))) for d, p in enumerate(parent) if d != p}
    assert edges == {frozenset(pair) for pair in itertools.pairwise(order)}
    model = fitted(ChowLiu, Domain((5,), levels=2), x)
    entropy = math.log(2) - 4 * (0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    assert -model.log_prob(x).mean() == pytest.approx(entropy, abs=0.03)
    y = model.sample(20_000)
    assert (y[:, 3] == y[:, 0]).float().mean() == pytest.approx(0.9, abs=0.01)


def test_too_wide_a_domain_is_refused():
    assert "pairs" in ChowLiu.supports(Domain((3, 32, 32), levels=256))
    assert "order" in NGram.supports(Domain((2,), levels=8))
    with pytest.raises(ValueError, match="real values have none"):
        ChowLiu(Domain((2,)))
