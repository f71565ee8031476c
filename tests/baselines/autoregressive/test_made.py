import math

import pytest
import torch
from dgmbench.baselines.autoregressive.made import MADE
from dgmbench.baselines.nets.masked import MaskedMLP
from dgmbench.benchmark.contract.task import Domain


def sharpened(model, factor=3):
    """Scales the weights up, so that conditionals depend strongly on what they may see."""
    with torch.no_grad():
        for p in model.net.parameters():
            p.mul_(factor)
    return model


def test_jacobian_is_strictly_triangular_and_full_below():
    D, E, P = 5, 2, 3
    net = MaskedMLP(D, E, P, hidden=(64, 64)).double()
    x = torch.randn(30, D, E, dtype=torch.float64)
    reach = torch.zeros(D, D)
    for row in x:
        jacobian = torch.autograd.functional.jacobian(lambda v: net(v[None])[0], row)
        reach += jacobian.abs().sum((1, 3))
    assert (reach.triu() == 0).all()
    assert (reach[torch.tril_indices(D, D, -1).unbind()] > 0).all()


def test_every_coordinate_is_seen_by_a_net_narrower_than_the_point():
    net = MaskedMLP(50, 1, 1, hidden=(20,))
    x = torch.zeros(1, 50, 1, requires_grad=True)
    (seen,) = torch.autograd.grad(net(x + torch.randn(64, 50, 1))[:, -1].sum(), x)
    assert (seen[0, :40] != 0).all()


def test_one_coordinate_alone_is_that_of_all():
    net = MaskedMLP(6, 2, 3, hidden=(32, 16))
    x = torch.randn(4, 6, 2)
    sums = net.start(4)
    for d in range(6):
        torch.testing.assert_close(net(sums, coordinate=d)[:, 0], net(x)[:, d])
        sums = net.grow(sums, x[:, d : d + 1], d)


@pytest.mark.parametrize(
    "domain",
    [
        Domain((6,), 2),
        Domain((2,), 8),
        Domain((3,), 5, ordered=False),
        Domain((1, 2, 2), 4),
        Domain((2,), 40),
        Domain((1,), 7),
    ],
    ids=str,
)
def test_sums_to_one_over_all_states(domain):
    model = sharpened(MADE(domain, hidden=(32,)))
    assert model.log_prob(domain.states()).exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_density_integrates_to_one():
    model = sharpened(MADE(Domain((2,)), hidden=(32,), components=3), 1.5)
    model.scaling.shift.copy_(torch.tensor([1.0, -2.0]))
    model.scaling.scale.copy_(torch.tensor([2.0, 0.5]))
    axis = torch.linspace(-1, 1, 601)
    half = torch.tensor([24.0, 6.0])
    x = model.scaling.shift + half * torch.cartesian_prod(axis, axis)
    mass = model.log_prob(x).exp().sum() * (half / 300).prod()
    assert mass.item() == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("domain", [Domain((4,), 2), Domain((2,), 5), Domain((2,), 40)], ids=str)
def test_samples_have_the_frequencies_of_log_prob(domain):
    model = sharpened(MADE(domain, hidden=(32,)))
    n, states = 20000, domain.states()
    p = model.log_prob(states).exp()
    counts = torch.bincount(domain.index(model.sample(n)), minlength=len(states))
    frequent = n * p > 5
    z2 = ((counts - n * p).square() / (n * p))[frequent].sum().item()
    cells = int(frequent.sum())
    assert z2 < cells + 4 * math.sqrt(2 * cells)  # chi-square with about that many degrees


def test_real_samples_have_the_moments_of_the_density():
    model = sharpened(MADE(Domain((2,)), hidden=(32,), components=3), 1.5)
    model.scaling.scale.copy_(torch.tensor([2.0, 0.5]))
    axis = torch.linspace(-1, 1, 601)
    half = torch.tensor([24.0, 6.0])
    x = half * torch.cartesian_prod(axis, axis)
    p = model.log_prob(x).softmax(0)[:, None]
    mean = (p * x).sum(0)
    std = (p * (x - mean).square()).sum(0).sqrt()
    drawn = model.sample(20000)
    assert ((drawn.mean(0) - mean).abs() < 4 * std / math.sqrt(20000)).all()
    torch.testing.assert_close(drawn.std(0), std, rtol=0.05, atol=0)
