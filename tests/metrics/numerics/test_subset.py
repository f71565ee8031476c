from __future__ import annotations

import pytest
import torch
from dgmbench.metrics.numerics.subset import order_along, thinned


def normal(n, d):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("n", "d", "kept"),
    [(1000, 3, 1000), (5000, 3, 1024), (900, 512, 256), (900, 256, 512), (300, 2048, 256)],
)
def test_few_rows_are_all_kept_and_of_many_some(n, d, kept):
    chosen = thinned(normal(n, d))
    assert len(chosen) == len(set(chosen.tolist())) == kept


@pytest.mark.parametrize("far", [-1e9, 1e9])
def test_a_row_far_out_is_among_them(far):
    x = normal(5000, 2)
    x[77] = far
    assert 77 in thinned(x).tolist()


def test_a_given_width_counts():
    assert len(thinned(normal(3000, 2), 2048)) == 256


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_the_choice_is_by_content(offset):
    x = normal(3000, 5) + offset
    turn = torch.randperm(3000, generator=torch.Generator().manual_seed(1))
    assert torch.equal(x[thinned(x)], x[turn][thinned(x[turn])])
    assert torch.equal(x[order_along(x)], x[turn][order_along(x[turn])])


def test_equal_rows_stand_together():
    x = normal(50, 4).repeat(3, 1)
    assert torch.equal(x[order_along(x)][::3], x[order_along(x)][2::3])


def test_the_choice_is_fair():
    # Evenly spaced along one axis, and a random sample along the others: three standard errors.
    x = normal(20_000, 3)
    few = x[thinned(x)]
    assert float((few.mean(dim=0) - x.mean(dim=0)).abs().max()) < 3 / 1024**0.5
    assert float((few.T.cov() - x.T.cov()).abs().max()) < 3 * (2 / 1024) ** 0.5
