import pytest
import torch
from dgmbench.baselines.autoregressive.transformer import Transformer
from dgmbench.baselines.nets.causal import CausalTransformer
from dgmbench.benchmark.contract.model import Budget, seeded
from dgmbench.benchmark.contract.task import Domain, TrainingTask


def test_outputs_see_the_coordinates_before_them_alone():
    net = CausalTransformer(6, 3, 2, width=16, layers=2, heads=2)
    x = torch.randn(1, 6, 3, requires_grad=True)
    for d in range(6):
        (gradient,) = torch.autograd.grad(net(x)[0, d].square().sum(), x)
        seen = gradient[0].abs().sum(1) > 0
        assert seen.tolist() == [i < d for i in range(6)]


def test_cached_steps_are_the_whole_pass():
    net = CausalTransformer(7, 3, 2, width=16, layers=3, heads=4)
    x = torch.randn(5, 7, 3)
    whole, past, parts = net(x), [], []
    for d in range(7):
        out, past = net.step(x[:, d - 1 : d] if d else None, past, 5)
        parts.append(out)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("domain", [Domain((3,), 4, ordered=False), Domain((2, 2), 2)])
def test_samples_follow_the_likelihood(domain):
    with seeded(0):
        model = Transformer(domain, width=8, layers=1, heads=2)
        rows = domain.states()[torch.randint(domain.levels**2, (500,))]
        model.fit(TrainingTask(domain, rows), Budget(steps=30, batch_size=64))
        x = model.sample(20_000)
    law = model.log_prob(domain.states()).double().exp()
    assert float(law.sum()) == pytest.approx(1, abs=1e-5)
    found = torch.bincount(domain.index(x), minlength=len(law)) / len(x)
    error = (law * (1 - law) / len(x)).sqrt() + 1e-5
    assert float(((found - law) / error).square().mean()) < 2.0


def test_it_learns_an_order_that_a_table_of_pairs_cannot():
    """The third token is the sum of the first two."""
    domain = Domain((3,), 5, ordered=False)
    with seeded(1):
        first = torch.randint(5, (2000, 2))
        rows = torch.cat([first, first.sum(1, keepdim=True) % 5], 1)
        model = Transformer(domain, width=32, layers=2, heads=4, lr=5e-3)
        model.fit(TrainingTask(domain, rows[:1800], rows[1800:]), Budget(300, 128))
    nll = -float(model.log_prob(rows[1800:]).mean())
    assert nll < 2 * torch.log(torch.tensor(5.0)) + 0.1


def test_refusals():
    with pytest.raises(ValueError, match="heads that divide the width 16, got 3"):
        CausalTransformer(4, 1, 1, width=16, layers=1, heads=3)
    assert "1,024" in Transformer.supports(Domain((2000,), 2))
