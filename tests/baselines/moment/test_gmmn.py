import math

import pytest
import torch
from dgmbench.baselines.moment.gmmn import GMMN, mmd2
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask


def test_loss_is_the_double_loop():
    x, y = torch.randn(7, 3).double(), torch.randn(5, 3).double() + 1
    widths = torch.tensor([0.5, 2.0], dtype=torch.float64)

    def k(a, b):
        square = float(((a - b) ** 2).sum())
        return sum(math.exp(-square / (2 * float(h) ** 2)) for h in widths)

    want = sum(k(a, b) for a in x for b in x) / 49
    want += sum(k(a, b) for a in y for b in y) / 25
    want -= 2 * sum(k(a, b) for a in x for b in y) / 35
    assert mmd2(x, y, widths).item() == pytest.approx(want, abs=1e-12)


def test_bias_is_that_of_the_diagonal():
    """Of two samples of one law of n points each: E MMD^2 = 2 (1 - E k(x, y)) / n."""
    widths = torch.tensor([1.0])
    draws = torch.stack(
        [mmd2(torch.randn(16, 2), torch.randn(16, 2), widths) for _ in range(1000)]
    )
    error = draws.std().item() / math.sqrt(1000)
    between = 1 / 3  # E exp(-|x - y|^2 / 2) for x - y ~ N(0, 2 I) in two dimensions
    assert abs(draws.mean().item() - 2 * (1 - between) / 16) < 4 * error


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


def test_loss_on_vectors_is_the_root():
    model = GMMN(Domain((2,)))
    x = torch.randn(50, 2)
    torch.manual_seed(3)
    loss = model.loss(x)
    torch.manual_seed(3)
    expected = mmd2(model.scaling.encode(x), model.generate(50), model.widths).sqrt()
    torch.testing.assert_close(loss, expected)


def test_codes_of_images_are_fixed_while_the_generator_learns():
    domain = Domain((1, 8, 8), 17)
    rows = torch.randint(0, 17, (100, 1, 8, 8))
    model = GMMN(domain, channels=4)
    seen = []
    players = model.players
    model.players = lambda: seen.append(model.encoder.net.head.weight.clone()) or players()
    model.fit(TrainingTask(domain, rows), Budget(steps=10, batch_size=32))
    assert torch.equal(seen[-1], model.encoder.net.head.weight)
    assert {name for _, name, _ in model.curve} == {"reconstruction", "loss"}
