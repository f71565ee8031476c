from __future__ import annotations

import pytest
import torch
from dgmbench.metrics.numerics.sorting import content_keys, content_order, shuffled_order


@pytest.mark.parametrize("d", [1, 2, 100])
def test_the_same_rows_come_out_in_the_same_order(d):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, d, generator=generator)
    y = x[torch.randperm(500, generator=generator)]
    assert torch.equal(x[content_order(x)], y[content_order(y)])
    assert torch.equal(x[shuffled_order(x, 3)], y[shuffled_order(y, 3)])
    assert not torch.equal(x[shuffled_order(x, 3)], x[shuffled_order(x, 4)])


@pytest.mark.parametrize(
    "x", [torch.eye(3000), torch.arange(3000.0), torch.cartesian_prod(*[torch.arange(2.0)] * 11)]
)
def test_different_rows_have_different_keys(x):
    assert len(content_keys(x).unique()) == len(x)


def test_equal_rows_have_equal_keys_whatever_their_type_and_sign_of_zero():
    x = torch.tensor([[0.0, 2.0], [1.0, 3.0]])
    assert torch.equal(content_keys(x), content_keys(x.long()))
    assert torch.equal(content_keys(-0.0 * x), content_keys(0.0 * x))


def test_blocks_of_rows_do_not_matter():
    x = torch.randn(30, 2**17, generator=torch.Generator().manual_seed(0))  # one row at a time
    assert torch.equal(content_keys(x)[20:], content_keys(x[20:]))


def test_the_order_says_nothing_of_the_values():
    x = torch.linspace(-1, 1, 4000)
    assert abs(float(torch.corrcoef(torch.stack([x, x[content_order(x)]]))[0, 1])) < 0.07


def test_no_rows():
    assert len(shuffled_order(torch.zeros(0, 3))) == 0
