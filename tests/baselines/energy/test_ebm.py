import math

import pytest
import torch
from dgmbench.baselines.energy.ebm import EBM, langevin
from dgmbench.benchmark.contract.model import Budget, Likelihood
from dgmbench.benchmark.contract.task import Domain, TrainingTask


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


def test_loss_is_the_difference_of_energies_and_moves_the_buffer():
    model = EBM(Domain((2,)), hidden=(8,), buffer=64, decay=0.0)
    before = model.replay.clone()
    data = torch.randn(16, 2)
    torch.manual_seed(1)
    negatives = model.negatives(16)
    torch.manual_seed(1)
    loss = model.loss((data, negatives))
    torch.manual_seed(1)
    blurred = model.blur(data)
    moved = (model.replay != before).any(1)
    assert int(moved.sum()) == 16
    # The loss is their mean energy against that of data, and moves nothing itself.
    negative = model.energy(model.replay[moved]).mean()
    torch.testing.assert_close(loss, model.energy(blurred).mean() - negative)


def test_likelihood_is_minus_the_energy_with_the_jacobian():
    model = EBM(Domain((2,)), hidden=(8,))
    assert model.likelihood is Likelihood.UNNORMALIZED
    model.scaling.scale.copy_(torch.tensor([0.5, 4.0]))
    model.std.copy_(torch.tensor([1.0, 3.0]))
    model.mean.fill_(0.2)
    x = torch.randn(5, 2)
    expected = -model.energy((x / model.scaling.scale - 0.2) / model.std) - math.log(2 * 3)
    torch.testing.assert_close(model.log_prob(x), expected.detach())


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
