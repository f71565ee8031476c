import math

import pytest
import torch
from dgmbench.baselines.moment.gmmn import GMMN, mmd2
from dgmbench.benchmark.contract.task import Domain, TrainingTask


def test_loss_is_the_double_loop():
    x, y = torch.randn(7, 3).double(), torch.randn(5, 3).double() + 1
    widths = torch.tensor([0.5, 2.0], dtype=torch.float64)

    def k(a, b):
        square = float(((a - b) ** 2).sum())
        return sum(math.exp(-square / (2 * float(h) ** 2)) for h in widths)

    want = sum(k(x[i], x[j]) for i in range(7) for j in range(7) if i != j) / 42
    want += sum(k(y[i], y[j]) for i in range(5) for j in range(5) if i != j) / 20
    want -= 2 * sum(k(a, b) for a in x for b in y) / 35
    assert mmd2(x, y, widths).item() == pytest.approx(want, abs=1e-12)


def test_is_unbiased_when_the_laws_agree():
    widths = torch.tensor([1.0])
    draws = torch.stack(
        [mmd2(torch.randn(16, 2), torch.randn(16, 2), widths) for _ in range(1000)]
    )
    error = draws.std().item() / math.sqrt(1000)
    assert abs(draws.mean().item()) < 4 * error
    apart = torch.stack(
        [mmd2(torch.randn(16, 2), torch.randn(16, 2) + 1, widths) for _ in range(50)]
    )
    assert apart.mean().item() > 10 * error


def test_gaussian_pair_in_closed_form():
    """E k(x, y) of N(0, 1) and N(m, 1) is sqrt(h^2 / (h^2 + 2)) exp(-m^2 / (2 (h^2 + 2)))."""
    h, m, n = 0.7, 1.0, 2000
    got = mmd2(torch.randn(n, 1), torch.randn(n, 1) + m, torch.tensor([h])).item()
    factor = math.sqrt(h**2 / (h**2 + 2))
    want = 2 * factor * (1 - math.exp(-(m**2) / (2 * (h**2 + 2))))
    assert got == pytest.approx(want, abs=0.03)


def test_gradient_is_finite_where_points_coincide():
    y = torch.zeros(4, 2, requires_grad=True)
    mmd2(torch.zeros(4, 2), y, torch.tensor([0.1])).backward()
    assert y.grad.isfinite().all()


def test_widths_are_multiples_of_the_median_distance():
    model = GMMN(Domain((2,)), bandwidths=(0.5, 1.0))
    train = 5 * torch.randn(1000, 2)
    for _ in range(2):  # a second fit starts afresh
        model.prepare(TrainingTask(Domain((2,)), train, train))
    median = torch.pdist(model.scaling.encode(train)).median()
    torch.testing.assert_close(model.widths, median * torch.tensor([0.5, 1.0]))


def test_refuses_unordered_tokens():
    with pytest.raises(ValueError, match="unordered tokens"):
        GMMN(Domain((5,), 9, ordered=False))
