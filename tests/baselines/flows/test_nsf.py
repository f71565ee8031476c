import math

import pytest
import torch
from dgmbench.baselines.flows.coupling import LULinear, SplineCoupling
from dgmbench.baselines.flows.images import MultiScale, PixelCoupling, PixelLinear
from dgmbench.baselines.flows.maps import Spline
from dgmbench.baselines.flows.nsf import NSF
from dgmbench.baselines.flows.splines import numbers, spline
from dgmbench.benchmark.contract.model import Likelihood
from dgmbench.benchmark.contract.task import Domain


def scrambled(module, scale=0.5):
    """Moves every parameter away from its start, so that no layer is the identity."""
    with torch.no_grad():
        for p in module.parameters():
            p.add_(scale / p.shape[-1] ** 0.5 * torch.randn_like(p))
    return module


def test_spline_of_zeros_is_the_identity():
    x = torch.linspace(-5, 5, 101)
    y, log_slope = spline(x, torch.zeros(101, numbers(8)), bound=3.0)
    torch.testing.assert_close(y, x, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_slope, torch.zeros(101), atol=1e-5, rtol=0)


@pytest.mark.parametrize("inverse", [False, True])
def test_spline_slope_is_the_derivative(inverse):
    theta = 2 * torch.randn(200, numbers(6), dtype=torch.float64)
    x = torch.empty(200, dtype=torch.float64).uniform_(-4, 4).requires_grad_()
    y, log_slope = spline(x, theta, 3.0, inverse)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(log_slope, slope.log(), atol=1e-8, rtol=1e-8)


def test_spline_is_increasing_and_meets_its_tails():
    theta = (2 * torch.randn(numbers(6), dtype=torch.float64)).expand(4001, -1)
    x = torch.linspace(-4, 4, 4001, dtype=torch.float64)
    y, _ = spline(x, theta, 3.0)
    assert (y.diff() > 0).all()
    ends = torch.tensor([-3.0, -3 + 1e-9, 3 - 1e-9, 3.0], dtype=torch.float64)
    torch.testing.assert_close(spline(ends, theta[:4], 3.0)[0], ends, atol=1e-7, rtol=0)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 4), (2, 8, 12), (1, 28, 20)])
def test_scales_invert_and_log_det_is_slogdet(shape):
    def step(channels):
        return [PixelLinear(channels), PixelCoupling(channels, 8, 1, Spline(4, 3.0))]

    layer = scrambled(MultiScale(shape, 2, step), 0.05).double()
    x = torch.randn(6, shape[0] * shape[1] * shape[2], dtype=torch.float64)
    y, log_det = layer(x)
    back, log_back = layer(y, inverse=True)
    torch.testing.assert_close(back, x, atol=1e-7, rtol=0)
    torch.testing.assert_close(log_back, -log_det, atol=1e-7, rtol=0)
    if x.shape[1] <= 96:
        jacobian = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], x[0])
        torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian)[1])


def test_images_with_even_sides_get_scales():
    assert isinstance(NSF(Domain((1, 8, 8), 17)).flow.layers[1], MultiScale)
    assert not isinstance(NSF(Domain((1, 9, 9), 17)).flow.layers[1], MultiScale)


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("kind", ["linear", "coupling", "chain"])
def test_layers_invert_and_log_det_is_slogdet(dim, kind):
    layer = {
        "linear": lambda: LULinear(dim),
        "coupling": lambda: SplineCoupling(dim, 16, 1, 6, 3.0),
        "chain": lambda: NSF(Domain((dim,)), transforms=3, width=16).flow,
    }[kind]()
    layer = scrambled(layer).double()
    x = 1.5 * torch.randn(20, dim, dtype=torch.float64)
    y, log_det = layer(x)
    back, log_back = layer(y, inverse=True)
    torch.testing.assert_close(back, x, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_back, -log_det, atol=1e-5, rtol=0)
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], x[i])
        torch.testing.assert_close(log_det.expand(20)[i], torch.linalg.slogdet(jacobian)[1])


def test_float32_inverse():
    model = scrambled(NSF(Domain((1, 4, 4), 17), transforms=4), 0.2)
    x = torch.randn(256, 16)
    torch.testing.assert_close(model.flow(model.flow(x)[0], True)[0], x, atol=1e-4, rtol=0)


def test_density_integrates_to_one():
    model = scrambled(NSF(Domain((2,)), transforms=2, width=16), 0.2)
    model.scaling.shift.copy_(torch.tensor([1.0, -2.0]))
    model.scaling.scale.copy_(torch.tensor([2.0, 0.5]))
    low, high = model.sample(4096).aminmax(dim=0)
    middle, half = (low + high) / 2, 0.75 * (high - low)
    axis = torch.linspace(-1, 1, 401)
    x = middle + half * torch.cartesian_prod(axis, axis)
    mass = model.log_prob(x).exp().sum() * (half / 200).prod()
    assert mass.item() == pytest.approx(1, abs=1e-3)


def test_sample_follows_log_prob():
    model = scrambled(NSF(Domain((1,)), transforms=2), 2.0)
    x = model.sample(4096)
    grid = torch.linspace(-30, 30, 60001)[:, None]
    cdf = model.log_prob(grid).exp().cumsum(0) * 1e-3
    u = cdf[torch.searchsorted(grid[:, 0], x[:, 0]).clamp_max(60000)].sort().values
    gap = (u - torch.linspace(0, 1, 4096)).abs().max().item()
    assert gap < 1.63 / math.sqrt(4096)  # Kolmogorov-Smirnov at 1 %


def test_dequantised_bound_stays_under_the_exact_cell_probability():
    model = scrambled(NSF(Domain((1,), 4), transforms=2), 2.0)
    rows = torch.tensor([[-1.0], [-0.5], [1.0], [0.5]]) / 3
    model.entry.fit(rows.mean(0), rows.std(0))
    u = (torch.arange(20000) + 0.5) / 20000
    cells = []
    for k in range(4):
        y = ((k + u)[:, None] - model.scaling.shift) / model.scaling.scale
        cells.append(model.log_density(y).exp().mean().log() + model.scaling.log_abs_det)
    exact = torch.stack(cells).detach()
    x = torch.arange(4)[:, None]
    gaps = []
    for particles in (1, 16):
        model.particles = particles
        bound = model.log_prob(x.repeat(2000, 1)).reshape(2000, 4)
        error = bound.std(0) / math.sqrt(2000)
        assert (bound.mean(0) <= exact + 4 * error).all()
        gaps.append((exact - bound.mean(0)).mean().item())
    assert 0 < gaps[1] < gaps[0]
    assert exact.exp().sum() < 1 + 1e-3


def test_likelihood_claim_follows_the_domain():
    assert NSF(Domain((2,))).likelihood is Likelihood.EXACT
    assert NSF(Domain((2,), 8)).likelihood is Likelihood.LOWER_BOUND
