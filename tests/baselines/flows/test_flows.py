"""Every flow: inverse, log-determinant, triangular Jacobians, normalisation by data."""

import pytest
import torch
from dgmbench.baselines.flows.base import Flow
from dgmbench.baselines.flows.coupling import Affine
from dgmbench.baselines.flows.ffjord import FFJORD
from dgmbench.baselines.flows.glow import Glow
from dgmbench.baselines.flows.iaf import IAF
from dgmbench.baselines.flows.images import ActNorm
from dgmbench.baselines.flows.maf import MAF
from dgmbench.baselines.flows.maps import LARGEST, Shifted, Spline
from dgmbench.baselines.flows.masked import Masked
from dgmbench.baselines.flows.nsf_ar import NSFAR
from dgmbench.baselines.flows.realnvp import Checkered, RealNVP
from dgmbench.baselines.flows.tarflow import Patches, TarFlow, patches
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from dgmbench.benchmark.tasks import load_task
from torch.autograd.functional import jacobian

SMALL = {
    "realnvp": lambda domain: RealNVP(domain, transforms=4, width=16, blocks=1),
    "glow": lambda domain: Glow(domain, transforms=2, width=16, blocks=1),
    "maf": lambda domain: MAF(domain, transforms=3, hidden=(16,)),
    "iaf": lambda domain: IAF(domain, transforms=3, hidden=(16,)),
    "nsf-ar": lambda domain: NSFAR(domain, transforms=2, hidden=(16,), bins=4),
    "tarflow": lambda domain: TarFlow(domain, transforms=2, width=16, layers=1, heads=2),
}
DOMAINS = {
    "line": Domain((1,)),
    "plane": Domain((2,)),
    "five": Domain((5,)),
    "image": Domain((1, 8, 8)),
    "colours": Domain((3, 8, 8)),
}


def scrambled(module, scale=0.3):
    """Moves every parameter away from its start, so that no layer is the identity."""
    with torch.no_grad():
        for p in module.parameters():
            fan_in = p[0].numel() if p.dim() > 1 else 1
            p.add_(scale / fan_in**0.5 * torch.randn_like(p))
    return module


@pytest.mark.parametrize("word", DOMAINS)
@pytest.mark.parametrize("name", SMALL)
def test_a_flow_inverts_and_its_log_det_is_slogdet(name, word):
    domain = DOMAINS[word]
    if SMALL[name](DOMAINS["line"]).supports(domain):
        pytest.skip("not its domain")
    flow = scrambled(SMALL[name](domain)).flow.double()
    x = torch.randn(6, domain.dim, dtype=torch.float64)
    with torch.no_grad():
        z, log_det = flow(x)
        back, log_back = flow(z, inverse=True)
    assert z.shape == x.shape and log_det.shape == (6,)
    assert not torch.allclose(z, x)
    torch.testing.assert_close(back, x, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(log_back, -log_det, atol=1e-6, rtol=1e-6)
    if domain.dim <= 64:
        matrix = jacobian(lambda v: flow(v[None])[0][0], x[0])
        torch.testing.assert_close(log_det[0], torch.linalg.slogdet(matrix)[1])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("mapping", [Shifted(), Spline(5, 3.0)], ids=["affine", "spline"])
def test_an_autoregressive_layer_has_a_triangular_jacobian(mapping, turned):
    layer = scrambled(Masked(6, (32,), mapping, turned), 1.0).double()
    matrix = jacobian(lambda v: layer(v[None])[0][0], torch.randn(6, dtype=torch.float64))
    assert torch.equal(matrix.triu(1), torch.zeros(6, 6, dtype=torch.float64))
    assert (matrix.diagonal() > 0).all()
    assert (matrix.tril(-1) != 0).any()


def test_an_inverse_autoregressive_layer_is_the_inverse_of_the_other():
    one = scrambled(Masked(4, (16,), Shifted()), 1.0).double()
    other = Masked(4, (16,), Shifted(), turned=True).double()
    other.load_state_dict(one.state_dict())
    x = torch.randn(8, 4, dtype=torch.float64)
    y, log_det = one(x)
    back, log_back = other(y)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(log_back, -log_det)


@pytest.mark.parametrize("mapping", [Shifted(), Spline(5, 3.0)], ids=["affine", "spline"])
def test_a_map_of_zeros_is_the_identity_and_its_slope_the_derivative(mapping):
    x = torch.linspace(-4, 4, 81, dtype=torch.float64).requires_grad_()
    zeros = torch.zeros(81, mapping.numbers, dtype=torch.float64)
    torch.testing.assert_close(mapping(x, zeros)[0], x, atol=1e-5, rtol=1e-5)
    theta = 2 * torch.randn(81, mapping.numbers, dtype=torch.float64)
    for inverse in (False, True):
        y, log_slope = mapping(x, theta, inverse)
        (slope,) = torch.autograd.grad(y.sum(), x)
        torch.testing.assert_close(log_slope, slope.log())


def test_a_log_scale_stays_within_its_bound():
    _, log_slope = Shifted()(torch.ones(2), torch.tensor([[0.0, 1e6], [0.0, -1e6]]))
    assert (log_slope.abs() <= LARGEST).all()


def test_a_checkered_coupling_leaves_one_colour():
    layer = scrambled(Checkered((2, 4, 4), 8, 1, odd=False))
    x = torch.randn(3, 2, 4, 4)
    y, _ = layer(x)
    even = (torch.arange(4)[:, None] + torch.arange(4)) % 2 == 0
    assert torch.equal(y[..., even], x[..., even])
    assert (y[..., ~even] != x[..., ~even]).all()
    other = x.clone()
    other[..., ~even] += 1  # what moves does not enter the net
    shifted, _ = layer(other)
    slope = (shifted - y)[..., ~even]
    _, log_det = layer(x)
    torch.testing.assert_close(slope.log().flatten(1).sum(1), log_det)


@pytest.mark.parametrize("make", [MAF, Glow], ids=["maf", "glow"])
def test_affine_layers_within_are_set_by_data(make):
    domain = Domain((1, 8, 8)) if make is Glow else Domain((4,))
    rows = 3 + 2 * torch.randn(600, *domain.shape) ** 2
    model = make(domain)
    seen = {}
    inner = [m for m in model.flow.modules() if isinstance(m, Affine) and m is not model.entry]
    assert len(inner) > 1
    model.prepare(TrainingTask(domain, train=rows, val=rows[:10]))

    def see(layer, given, out):
        seen[layer] = out[0]

    for layer in inner:
        layer.register_forward_hook(see)
    model.flow(model.scaling.encode(rows[:512]).flatten(1))
    for out in seen.values():
        numbers = out.movedim(1, -1).flatten(0, -2)
        torch.testing.assert_close(
            numbers.mean(0), torch.zeros(numbers.shape[1]), atol=2e-3, rtol=0
        )
        torch.testing.assert_close(numbers.std(0), torch.ones(numbers.shape[1]), atol=2e-3, rtol=0)


def test_activation_normalisation_counts_every_pixel():
    layer = scrambled(ActNorm(2))
    x = torch.randn(3, 2, 4, 5, dtype=torch.float64)
    y, log_det = layer.double()(x)
    one = jacobian(lambda v: layer(v[None])[0].flatten(), x[0]).reshape(40, 40)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(one)[1])
    torch.testing.assert_close(layer(y, True)[0], x)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 28, 28), (49, 16)), ((1, 8, 8), (16, 4)), ((3, 32, 32), (64, 48)), ((1, 9, 9), (81, 1))],
)
def test_patches_go_back_to_where_they_were(shape, expected):
    domain = Domain(shape)
    assert patches(domain) == expected
    x = torch.randn(2, domain.dim)
    y, _ = Patches(domain)(x)
    assert y.shape == (2, *expected)
    back, _ = Patches(domain)(y, inverse=True)
    assert torch.equal(back, x)
    torch.testing.assert_close(y.square().sum((1, 2)), x.square().sum(1))


def test_tarflow_is_causal_over_patches():
    flow = scrambled(TarFlow(Domain((1, 8, 8)), transforms=1, width=16, layers=1, heads=2)).flow
    x = torch.randn(1, 64)
    into = Patches(Domain((1, 8, 8)))
    changed = into(x)[0].clone()
    changed[:, 7] += 1
    y = into(flow(x)[0])[0]
    z = into(flow(into(changed, True)[0])[0])[0]
    moved = (y - z).abs().sum((0, 2)).flip(0) > 0  # the block is followed by a reversal
    assert not moved[:7].any() and moved[7:].all()


def test_tarflow_cleans_a_draw_along_the_score():
    """At the start the flow is N(m, s^2) of the data: the step shrinks noise by level^2 / s^2."""
    domain = Domain((2,))
    model = TarFlow(domain, transforms=1, width=16, layers=1, heads=2, noise=0.5).eval()
    torch.manual_seed(1)
    plain = model.sample(16, sampler="plain")
    torch.manual_seed(1)
    cleaned = model.sample(16, sampler="denoised")
    torch.testing.assert_close(cleaned, plain * (1 - 0.25))


@pytest.mark.parametrize("dim", [3, 12])  # exact, and where Hutchinson's estimate has no noise
def test_ffjord_is_exact_for_a_linear_velocity(dim):
    """dx/dt = x carries N(0, 1) to N(0, e^2)."""
    model = FFJORD(Domain((dim,)))
    model.net = torch.nn.Module()
    model.net.forward = lambda x, t: 1.0 * x
    x = torch.randn(50, dim)
    expected = torch.distributions.Normal(0, torch.e).log_prob(x).sum(1)
    torch.testing.assert_close(model.log_prob(x), expected, atol=1e-4, rtol=0)
    loss = -model.log_density(x, model.training_steps)
    torch.testing.assert_close(-loss, expected, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_ffjord_trains_through_the_solver():
    task = load_task("moons")
    model = FFJORD(task.domain, hidden=(32, 32))
    model.fit(task.for_training(), Budget(steps=40, batch_size=128))
    losses = [loss for _, name, loss in model.curve if name == "val"]
    assert losses[-1] < losses[0] - 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", ["realnvp", "glow", "maf", "nsf-ar", "tarflow"])
def test_flows_learn_a_dependence(name):
    """Two coordinates of correlation 0.9: the entropy is 0.83 nats below that of independent."""
    x0 = torch.randn(2000, 1)
    rows = torch.cat([x0, 0.9 * x0 + (1 - 0.81) ** 0.5 * torch.randn(2000, 1)], 1)
    model = SMALL[name](Domain((2,)))
    model.fit(
        TrainingTask(Domain((2,)), train=rows[:1500], val=rows[1500:]),
        Budget(steps=300, batch_size=128),
    )
    truth = 2.8379 - 0.8304
    assert -model.log_prob(rows[1500:]).mean().item() == pytest.approx(truth, abs=0.12)


def test_flows_share_their_likelihood():
    assert all(issubclass(type(make(Domain((2,)))), Flow) for make in SMALL.values())


@pytest.mark.parametrize("bins", [0, -3])
def test_a_spline_without_bins_is_named(bins):
    with pytest.raises(ValueError, match=f"at least one bin of a spline, got {bins}"):
        NSFAR(Domain((2,)), bins=bins)
