from __future__ import annotations

import pytest
import torch
from dgmbench.metrics.distance.cmmd import cmmd


def test_equals_the_definition_on_unit_vectors():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(30, 8, generator=generator), torch.randn(20, 8, generator=generator) + 1

    def gram(a, b):
        return torch.exp((a @ b.T - 1) / 100)  # |a - b|^2 = 2 - 2 a.b, h = 10

    a, b = (side.double() / side.double().norm(dim=1, keepdim=True) for side in (x, y))
    biased = float(gram(a, a).mean() + gram(b, b).mean() - 2 * gram(a, b).mean())
    assert cmmd(x, y, unbiased=False).value == pytest.approx(1000 * biased, rel=1e-9)
    within = (gram(a, a).sum() - 30) / (30 * 29) + (gram(b, b).sum() - 20) / (20 * 19)
    expected = 1000 * float(within - 2 * gram(a, b).mean())
    assert cmmd(x, y).value == pytest.approx(expected, rel=1e-9)
    assert cmmd(5 * x, y / 3).value == pytest.approx(expected, rel=1e-6)


def test_opposite_directions_by_hand():
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    expected = 2 - 2 * float(torch.exp(torch.tensor(-4 / 2, dtype=torch.float64)))
    assert cmmd(x, -x, width=1.0, scale=1.0).value == pytest.approx(expected, rel=1e-12)


def test_a_row_of_zeros_has_no_direction():
    with pytest.raises(ValueError, match="1 rows of zeros"):
        cmmd(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.ones(3, 2))
