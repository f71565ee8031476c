import math

import pytest
import torch
from dgmbench.baselines.autoregressive.nade import NADE
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from torch.autograd.functional import jacobian


def test_conditionals_are_those_of_the_paper():
    """Written out for one point of three bits: h_d = sigmoid(c + sum_{j<d} W_j x_j)."""
    model = NADE(Domain((3,), 2), units=4)
    torch.nn.init.normal_(model.bias)
    x = torch.tensor([[1, 0, 1]])
    y, total = [1.0, -1.0, 1.0], 0.0
    for d in range(3):
        a = model.bias + sum((y[j] * model.weight[j, 0] for j in range(d)), torch.zeros(4))
        logit = a.sigmoid() @ model.out.weight[d, :, 0] + model.out.bias[d, 0]
        total += torch.nn.functional.logsigmoid(logit if x[0, d] else -logit)
    torch.testing.assert_close(model.log_prob(x)[0], total)


@pytest.mark.parametrize("orders", [0, 3])
@pytest.mark.parametrize(
    "domain", [Domain((4,), 2), Domain((3,), 3, False)], ids=["bits", "names"]
)
def test_probabilities_sum_to_one_and_draws_follow_them(domain, orders):
    model = NADE(domain, units=8, orders=orders)
    torch.nn.init.normal_(model.out.weight)
    p = model.log_prob(domain.states()).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-5)
    drawn = model.sample(20_000)
    base = domain.levels ** torch.arange(domain.dim - 1, -1, -1)
    counts = (drawn * base).sum(1).bincount(minlength=len(p)) / 20_000
    order = (domain.states() * base).sum(1)
    assert (counts[order] - p).abs().max() < 4 * 0.5 / math.sqrt(20_000)


def test_an_order_makes_the_jacobian_triangular_in_it():
    model = NADE(Domain((5,)), units=16).double()
    order = torch.tensor([3, 0, 4, 1, 2])
    x = torch.randn(5, dtype=torch.float64)
    matrix = jacobian(lambda v: model.theta_in(order, v[None])[0].sum(1), x)
    matrix = matrix[order][:, order]
    assert torch.equal(matrix.triu(), torch.zeros(5, 5, dtype=torch.float64))
    assert (matrix.tril(-1).abs().sum(1)[1:] > 0).all()


def test_a_mixture_of_orders_is_their_average():
    model = NADE(Domain((4,), 2), units=8, orders=3)
    x = Domain((4,), 2).states()
    parts = [model._in(order, x).exp() for order in model.order]
    torch.testing.assert_close(model.log_prob(x).exp(), torch.stack(parts).mean(0))


@pytest.mark.slow
@pytest.mark.parametrize("orders", [0, 2])
def test_it_learns_a_parity(orders):
    """The last of four bits is the parity of the others: the entropy is 3 log 2."""
    bits = torch.randint(2, (4000, 3))
    rows = torch.cat([bits, bits.sum(1, keepdim=True) % 2], 1)
    domain = Domain((4,), 2)
    model = NADE(domain, units=32, orders=orders, lr=0.02)
    model.fit(TrainingTask(domain, rows[:3000], rows[3000:]), Budget(steps=800, batch_size=256))
    assert -model.log_prob(rows[3000:]).mean().item() < 3 * math.log(2) + 0.15
