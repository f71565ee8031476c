import math

import pytest
import torch
from dgmbench.baselines.energy.dynamics import discrete_langevin, langevin
from dgmbench.baselines.energy.ebm import EBM
from dgmbench.baselines.energy.normaliser import by_quadrature
from dgmbench.benchmark.contract.model import Budget, Likelihood, seeded
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from torch.nn import functional


@pytest.mark.parametrize("std", [0.2, 1.0])
def test_langevin_targets_a_gaussian_energy(std):
    """Unadjusted dynamics on x^2 / (2 s^2) are an AR(1): variance s^2 / (1 - step / (4 s^2))."""
    step = 0.4 * std**2
    x = langevin(lambda y: (y**2).sum(1) / (2 * std**2), torch.zeros(40_000, 1), step, 60)
    expected = std**2 / (1 - step / (4 * std**2))
    assert float(x.var()) == pytest.approx(expected, rel=4 * math.sqrt(2 / 40_000))
    assert abs(float(x.mean())) < 4 * std / math.sqrt(40_000) * 1.1


def test_drift_is_limited():
    steep = langevin(lambda y: 1e6 * (y**2).sum(1), torch.ones(100, 1), 0.01, 1, limit=0.2)
    noise = steep - (1 - 0.2)
    assert noise.abs().max() < 0.5
    assert float(noise.std()) == pytest.approx(0.1, rel=0.3)


def test_langevin_leaves_no_graph_and_works_without_gradients_outside():
    with torch.no_grad():
        x = langevin(lambda y: (y**2).sum(1), torch.zeros(3, 2), 0.1, 2)
    assert not x.requires_grad


def test_discrete_langevin_leaves_the_law_of_its_energy():
    """Three coordinates of three levels with a coupling: 27 states, a million draws."""
    with seeded(0):
        weights, pair = torch.randn(3, 3), torch.randn(3, 3)

    def energy(x):
        return -(x * weights).sum((1, 2)) - torch.einsum("bi,ij,bj->b", x[:, 0], pair, x[:, 1])

    states = Domain((3,), levels=3, ordered=False).states()
    law = (-energy(functional.one_hot(states, 3).float())).softmax(0)
    start = functional.one_hot(torch.randint(3, (40_000, 3)), 3).float()
    x = discrete_langevin(energy, start, moves=1.0, steps=60).argmax(2)
    found = torch.bincount(x @ torch.tensor([9, 3, 1]), minlength=27) / len(x)
    error = (law * (1 - law) / len(x)).sqrt()
    assert float(((found - law) / error).square().mean()) < 2.0


def test_quadrature_of_gaussians():
    for dim in (1, 2):
        got = by_quadrature(lambda u: -0.5 * (u / 0.05).square().sum(1), dim, torch.zeros(1))
        want = dim * math.log(0.05 * math.sqrt(2 * math.pi))
        assert float(got) == pytest.approx(want, abs=1e-4)  # float32


def test_loss_is_the_difference_of_the_nets_values():
    model = EBM(Domain((2,)), hidden=(8,), decay=0.0)
    data, negatives = torch.randn(16, 2), torch.randn(16, 2)
    torch.manual_seed(1)
    loss = model.loss((data, negatives))
    torch.manual_seed(1)
    blurred = model.encode(data) + math.sqrt(model.step / 2) * torch.randn(16, 2)
    expected = model.f(blurred).mean() - model.f(negatives).mean()
    torch.testing.assert_close(loss, expected)


def test_the_weight_of_squares_does_not_touch_the_base():
    """With a net of zeros nothing pushes: the base may be as large as it likes."""
    model = EBM(Domain((50,)), hidden=(8,), decay=100.0)
    with torch.no_grad():
        model.net[-1].weight.zero_()
        model.net[-1].bias.zero_()
    x = torch.randn(64, 50)
    assert float(model.loss((x, x)).detach()) == 0
    assert float(model.energy(x).detach().mean()) > 10


def test_negatives_go_on_where_they_were():
    model = EBM(Domain((2,)), hidden=(8,), buffer=64, restart=0.0)
    stream = model.batches(TrainingTask(Domain((2,)), torch.randn(100, 2)), 16)
    before = stream.kept.clone()
    _, points = next(stream)
    moved = (stream.kept != before).any(1)
    assert int(moved.sum()) == 16
    assert torch.equal(stream.kept[moved].sort(0).values, points.sort(0).values)
    other = model.batches(TrainingTask(Domain((2,)), torch.randn(100, 2)), 16)
    other.go_on(stream.state())
    assert torch.equal(other.kept, stream.kept)


def test_likelihood_is_minus_the_energy_with_the_jacobian():
    model = EBM(Domain((3,)), hidden=(8,))
    assert model.likelihood is Likelihood.UNNORMALIZED
    model.scaling.scale.copy_(torch.tensor([0.5, 4.0, 1.0]))
    model.std.copy_(torch.tensor([1.0, 3.0, 1.0]))
    model.mean.fill_(0.2)
    x = torch.randn(5, 3)
    expected = -model.energy((x / model.scaling.scale - 0.2) / model.std) - math.log(2 * 3)
    torch.testing.assert_close(model.log_prob(x), expected.detach())


@pytest.mark.parametrize("domain", [Domain((4,), 2), Domain((3,), 5, ordered=False)])
def test_log_z_by_enumeration_makes_a_law(domain):
    rows = torch.randint(domain.levels, (200, *domain.shape))
    model = EBM(domain, hidden=(8,))
    model.fit(TrainingTask(domain, rows), Budget(steps=20, batch_size=32))
    assert model.likelihood is Likelihood.EXACT
    assert float(model.log_prob(domain.states()).double().exp().sum()) == pytest.approx(1)


def test_learns_two_modes_and_the_barrier_between_them():
    half = torch.randn(2000, 1) * 0.2
    train = torch.cat([half - 1, half + 1])
    model = EBM(Domain((1,)), hidden=(32,), chain=5, lr=5e-3)
    model.fit(TrainingTask(Domain((1,)), train), Budget(steps=200, batch_size=64))
    log_p = model.log_prob(torch.tensor([[-1.0], [1.0], [0.0]]))
    assert float(log_p[:2].min() - log_p[2]) > 2
    x = model.sample(500)
    assert 0.2 < float((x > 0).float().mean()) < 0.8
    assert float((x.abs() - 1).abs().mean()) < 0.35


def test_integers_are_sampled_within_their_levels():
    domain = Domain((1, 3, 3), levels=5)
    model = EBM(domain, hidden=(8,), steps=5)
    x = domain.check("samples", model.sample(20))
    assert x.dtype == torch.int64
