"""What each way of making real numbers of integers owes to the likelihood."""

import math

import pytest
import torch
from dgmbench.baselines import MODELS
from dgmbench.baselines.dequantisers import WAYS, Variational, dequantiser, log_logistic
from dgmbench.baselines.flows.nsf import NSF
from dgmbench.baselines.scaling import Scaling
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask

DOMAINS = [Domain((3,), 5), Domain((1, 8, 8), 2), Domain((3, 8, 8), 256)]


def disturbed(found, scale=0.5):
    """A variational way that has left its start."""
    if isinstance(found, Variational):
        with torch.no_grad():
            for p in found.nets.parameters():
                p.add_(scale / max(p[0].numel(), 1) ** 0.5 * torch.randn_like(p))
    return found


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_a_point_comes_back(way, domain):
    found = disturbed(dequantiser(Scaling(domain), way, True))
    x = torch.randint(domain.levels, (20, *domain.shape))
    y, w = found(x)
    assert y.shape == x.shape and y.isfinite().all() and w.isfinite().all()
    assert torch.equal(found.back(y), x)


@pytest.mark.parametrize("way", WAYS)
def test_a_density_that_fills_the_cells_gives_the_probability(way):
    """Uniform data on [0, 3): each of the three levels has probability 1/3, whatever the way."""
    domain = Domain((1,), 3)
    found = disturbed(dequantiser(Scaling(domain), way, True))

    def log_density(y):  # the law of y where (x + u) / K is uniform on [0, 1)
        if way != "logit":
            return torch.full((len(y),), -math.log(2.0))  # y is uniform on [-1, 1]
        p = y.sigmoid().squeeze(1)
        return (p * (1 - p)).log() - math.log(0.9)  # p is uniform on [0.05, 0.95]

    x = torch.arange(3)[:, None].repeat(4000, 1)
    bound = found.bound(log_density, x, 64)
    torch.testing.assert_close(bound.exp().mean().item(), 1 / 3, atol=3e-3, rtol=0)
    if way != "variational":
        torch.testing.assert_close(bound, torch.full_like(bound, -math.log(3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_variational_noise_is_uniform_at_the_start(domain):
    found = dequantiser(Scaling(domain), "variational", True)
    x = torch.randint(domain.levels, (400, *domain.shape))
    y, w = found(x)
    torch.testing.assert_close(
        w, found.scaling.log_abs_det.expand(400), atol=1e-3 * domain.dim, rtol=1e-4
    )
    u = (y * found.scaling.scale + found.scaling.shift - x).flatten().sort().values
    gap = (u - torch.linspace(0, 1, len(u))).abs().max().item()
    assert gap < 2 / math.sqrt(len(u))


def test_the_density_of_variational_noise_is_that_of_its_draws():
    """E[1 / q(u)] is the volume of the cell: 1 for each of its coordinates together."""
    domain = Domain((2,), 4)
    found = disturbed(dequantiser(Scaling(domain), "variational", True))
    x = torch.tensor([[1, 3]]).repeat(200_000, 1)
    _, w = found(x)
    inverse = (w - found.scaling.log_abs_det).exp()
    assert inverse.mean().item() == pytest.approx(1, abs=5 * inverse.std().item() / 447)
    assert inverse.std() > 0.1


def test_the_logistic_density_is_the_slope_of_the_sigmoid():
    e = torch.linspace(-5, 5, 11, dtype=torch.double).requires_grad_()
    (slope,) = torch.autograd.grad(e.sigmoid().sum(), e)
    torch.testing.assert_close(log_logistic(e), slope.log())


def test_logit_moments_are_those_of_its_points():
    domain = Domain((2,), 8)
    found = dequantiser(Scaling(domain), "logit", True)
    rows = torch.randint(8, (9000, 2))
    mean, std = found.moments(rows)
    y = found(rows)[0]
    torch.testing.assert_close(mean, y.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(std, y.std(0), atol=0.05, rtol=0)


def test_ways_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="uniform, logit, variational"):
        dequantiser(Scaling(Domain((2,), 4)), "gaussian", True)
    with pytest.raises(ValueError, match="domain of integers"):
        dequantiser(Scaling(Domain((2,))), "logit", True)


@pytest.mark.parametrize("name", ["flow-matching", "edm", "meanflow", "consistency"])
def test_noise_that_nothing_would_train_is_refused(name):
    with pytest.raises(ValueError, match="uniform or logit"):
        MODELS[name](Domain((2,), 4), dequantisation="variational")


def trained(way, steps=600):
    """A flow on bits that are all the same, three at a time."""
    domain = Domain((6,), 2)
    rows = torch.randint(2, (3000, 2)).repeat_interleave(3, 1)
    torch.manual_seed(0)
    model = NSF(domain, transforms=2, width=32, blocks=1, dequantisation=way)
    model.fit(TrainingTask(domain, rows[:2000], rows[2000:]), Budget(steps=steps, batch_size=128))
    return model.log_prob(rows[2000:]).mean().item()


@pytest.mark.slow
def test_variational_noise_is_not_looser_after_training():
    uniform, variational = trained("uniform"), trained("variational")
    assert variational > uniform - 0.02
    assert uniform < -2 * math.log(2) + 0.01 and variational < -2 * math.log(2) + 0.01
