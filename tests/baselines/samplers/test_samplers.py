import math

import pytest
import torch
from dgmbench.baselines import MODELS
from dgmbench.baselines.samplers.ais import AIS
from dgmbench.baselines.samplers.continuous_gflownet import ContinuousGFlowNet
from dgmbench.baselines.samplers.hmc import HamiltonianMonteCarlo
from dgmbench.baselines.samplers.reverse_kl import ReverseKL
from dgmbench.benchmark.contract.model import Budget, seeded
from dgmbench.benchmark.contract.task import Domain, TrainingTask

PLANE = Domain((2,))
MEAN, STD, LOG_Z = torch.tensor([1.0, -0.5]), 0.7, 3.0
SAMPLERS = {name: cls for name, cls in MODELS.items() if cls.family == "sampler"}


def log_reward(x):
    """exp(LOG_Z) times a Gaussian."""
    square = ((x - MEAN.to(x)) / STD).square().sum(1)
    return LOG_Z - square / 2 - math.log(2 * math.pi * STD**2)


# Rows that a sampler must not look at.
TASK = TrainingTask(PLANE, torch.full((10, 2), 99.0), torch.full((5, 2), 99.0), log_reward)


def check_moments(x, within=0.1):
    torch.testing.assert_close(x.mean(0), MEAN, rtol=0, atol=within)
    torch.testing.assert_close(x.std(0), torch.full((2,), STD), rtol=0, atol=within)


def test_annealing_finds_the_law_and_its_normaliser():
    with seeded(0):
        model = AIS(PLANE, particles=2048)
        model.fit(TASK, Budget(steps=50))
        check_moments(model.sample(4000))
        x, log_q = model.proposals(2048)
    log_w = log_reward(x).double() - log_q
    assert float(log_w.logsumexp(0)) - math.log(2048) == pytest.approx(LOG_Z, abs=0.05)
    assert model.log_z() is None  # a sampled estimate, whose error the weights tell
    with pytest.raises(NotImplementedError, match=r"2,048 particles"):
        model.proposals(2049)


def test_chains_leave_the_law_alone():
    with seeded(1):
        model = HamiltonianMonteCarlo(PLANE, particles=2048, chains=256)
        model.fit(TASK, Budget(steps=200))
        check_moments(model.sample(2048))
        assert len(model.sample(2048).unique(dim=0)) == len(model.points.unique(dim=0))
    assert model.notes == []
    assert model.examples == 256 * 200 * 6  # five leapfrog steps and the start of each move
    with pytest.raises(ValueError, match="divide"):
        HamiltonianMonteCarlo(PLANE, particles=100, chains=30)


def test_the_flow_descends_the_reverse_divergence():
    with seeded(2):
        model = ReverseKL(PLANE, transforms=2, width=16, lr=1e-2)
        model.fit(TASK, Budget(steps=250, batch_size=128))
        x = model.sample(4000)
        check_moments(x)
        log_w = log_reward(x) - model.log_prob(x)
    assert float(log_w.mean()) == pytest.approx(LOG_Z, abs=0.02)
    # Its loss is -ELBO.
    model.train()
    with seeded(3):
        assert float(model.loss(model.noise(4000))) == pytest.approx(-LOG_Z, abs=0.03)


def test_a_path_without_drift_ends_in_the_base():
    """log P_F - log P_B telescopes to log N(x; 0, s^2 I) where u = 0, whatever the path."""
    model = ContinuousGFlowNet(PLANE, scale=2.0, steps=7)
    with seeded(4):
        path = model.backward_paths(torch.randn(50, 2))
        far = model.forward_paths(50_000)[:, -1]
    x = path[:, -1]
    base = -x.square().sum(1) / 8 - math.log(2 * math.pi * 4)
    torch.testing.assert_close(model.log_ratio(path), base, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.log_prob(x), base, rtol=1e-4, atol=1e-4)
    assert float(far.std()) == pytest.approx(2.0, abs=0.03)
    assert bool((path[:, 0] == 0).all())


def drifting():
    """A model with a drift of its own."""
    with seeded(5):
        model = ContinuousGFlowNet(PLANE, steps=10, hidden=(16,))
        torch.nn.init.normal_(model.net.head.weight, std=0.05)
    return model


def test_paths_estimate_the_normaliser_without_bias():
    model = drifting()
    with seeded(6):
        x, log_q = model.proposals(40_000)
    w = (log_reward(x).double() - log_q).exp()
    error = float(w.std()) / math.sqrt(len(w))
    assert abs(float(w.mean()) - math.exp(LOG_Z)) < 4.5 * error


def test_backward_paths_bound_the_density_of_the_draws():
    """The bound of many paths integrates to 1, and that of one path is below it on average."""
    model = drifting()
    edge = torch.linspace(-8, 8, 41)
    grid = torch.cartesian_prod(edge, edge)
    with seeded(7):
        many = model.log_prob(grid, draws=64).double()
        one = model.log_prob(grid[800:840].repeat(100, 1), draws=1).view(100, 40).double()
    assert float(many.exp().sum()) * 0.4**2 == pytest.approx(1.0, abs=0.03)
    assert float((one.mean(0) - many[800:840]).mean()) <= 0.01


def test_trajectory_balance_learns_the_law():
    with seeded(8):
        model = ContinuousGFlowNet(PLANE, steps=15, hidden=(64, 64), lr=5e-3)
        model.fit(TASK, Budget(steps=300, batch_size=128))
        check_moments(model.sample(4000), within=0.15)
    assert model.log_z() == pytest.approx(LOG_Z, abs=0.1)


@pytest.mark.parametrize("name", SAMPLERS)
def test_they_need_real_values_and_a_reward(name):
    assert "real" in SAMPLERS[name].supports(Domain((2,), levels=4))
    with pytest.raises(ValueError, match="reward"):
        SAMPLERS[name](PLANE).fit(TrainingTask(PLANE), Budget(steps=2, batch_size=4))
    with pytest.raises(ValueError, match="scale"):
        SAMPLERS[name](PLANE, scale=0.0)
