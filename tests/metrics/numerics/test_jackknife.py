from __future__ import annotations

import math

import pytest
import torch
from dgmbench.metrics.numerics.jackknife import block_jackknife, jackknife_variances


@pytest.fixture
def x():
    return torch.randn(60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def mean(*sides):
    return float(sum(side.mean() for side in sides))


def test_single_rows_give_the_textbook_error_of_a_mean(x):
    expected = float(x.mean(dim=1).std()) / math.sqrt(60)
    assert block_jackknife(mean, x, blocks=60) == pytest.approx(expected, rel=1e-12)
    assert block_jackknife(mean, x, blocks=1000) == pytest.approx(expected, rel=1e-12)


def test_sides_add_up(x):
    y = 2 * x[:40]
    one = block_jackknife(mean, x, blocks=100) ** 2 + block_jackknife(mean, y, blocks=100) ** 2
    assert block_jackknife(mean, x, y, blocks=100) ** 2 == pytest.approx(one, rel=1e-12)


def test_several_numbers_at_once(x):
    both = jackknife_variances(lambda side: (mean(side), 3 * mean(side)), x, blocks=7)
    assert both[1] == pytest.approx(9 * both[0])
    assert math.sqrt(both[0]) == pytest.approx(block_jackknife(mean, x, blocks=7))


def test_uneven_blocks_are_right_on_average():
    # 23 rows in 5 blocks; the jackknife variance of a mean is unbiased: sigma^2 / n.
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(400, 23, generator=generator, dtype=torch.float64)
    variances = torch.tensor([block_jackknife(mean, row, blocks=5) ** 2 for row in rows])
    error = float(variances.std()) / math.sqrt(len(rows))
    assert abs(float(variances.mean()) - 1 / 23) < 4 * error


def test_the_order_of_the_rows_does_not_matter(x):
    turned = x[torch.randperm(60, generator=torch.Generator().manual_seed(1))]
    assert block_jackknife(mean, turned) == pytest.approx(block_jackknife(mean, x), rel=1e-12)


def test_equal_rows_are_dealt_at_random():
    # Dealt one by one, equal rows would fill every block alike, and the error would vanish.
    x = torch.tensor([0.0, 1.0]).repeat_interleave(500)
    assert block_jackknife(mean, x, blocks=100) == pytest.approx(0.5 / math.sqrt(1000), rel=0.3)


def test_blocks_and_rows_are_needed(x):
    with pytest.raises(ValueError, match="got 1 and"):
        block_jackknife(mean, x, blocks=1)
    with pytest.raises(ValueError, match=r"\[60, 1\]"):
        block_jackknife(mean, x, x[:1])
