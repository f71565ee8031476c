from __future__ import annotations

import math

import pytest
import torch
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.tasks import TASKS, load_task
from dgmbench.benchmark.tasks.densities.curves import circles, moons, pinwheel
from dgmbench.benchmark.tasks.densities.highdim import (
    CorrelatedGaussian,
    HiddenRing,
    veegan_1200_assign,
    veegan_1200_draw,
)
from dgmbench.benchmark.tasks.densities.mixtures import Mixture, circle
from dgmbench.benchmark.tasks.densities.shapes import Funnel, StudentT
from dgmbench.benchmark.tasks.registry import named_task
from scipy import stats
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

# Finest scale of each smooth density of the plane, and a box that holds it.
PLANE = {
    "ring-8": (0.1, 2.0),
    "8-gaussians": (0.35, 7.0),
    "grid-25": (0.2, 6.0),
    "moons": (0.2, 6.0),
    "circles": (0.24, 6.0),
    "two-spirals": (0.1, 5.0),
    "swiss-roll": (0.2, 6.0),
    "pinwheel": (0.2, 7.0),
}
KNOWN = [
    name
    for name in TASKS
    if name.split("-")[0] not in ("hypergrid", "hmm", "veegan")
    and list(TASKS).index(name) < list(TASKS).index("veegan-1200")
    and name != "rings"
]


def plane_integral(f, low: torch.Tensor, high: torch.Tensor, spacing: float) -> float:
    """The integral of `(M, 2)` to `(M,)` over a box at whose edge it is 0, by a plain sum."""
    a, b = (torch.arange(low[i], high[i], spacing, dtype=torch.float64) for i in (0, 1))
    return spacing**2 * sum(float(f(torch.cartesian_prod(x, b)).sum()) for x in a.split(16))


def box(half: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((2,), -half).double(), torch.full((2,), half).double()


@pytest.mark.parametrize("name", PLANE)
def test_density_integrates_to_one(name):
    std, half = PLANE[name]
    density = load_task(name).log_density
    total = plane_integral(lambda x: density(x).exp(), *box(half), std / 2)
    assert total == pytest.approx(1.0, abs=1e-6)


def test_sharp_density_integrates_to_one_near_a_mode():
    density = load_task("veegan-ring").log_density
    low, high = torch.tensor([0.9, -0.1]).double(), torch.tensor([1.1, 0.1]).double()
    total = plane_integral(lambda x: density(x).exp(), low, high, 0.005)
    assert total == pytest.approx(1 / 8, abs=1e-6)


@pytest.mark.parametrize("name", ["banana", "checkerboard", "student-t"])
def test_other_plane_density_integrates_to_one(name):
    density = load_task(name).log_density
    if name == "banana":
        low, high = torch.tensor([-14.0, -10.0]).double(), torch.tensor([14.0, 100.0]).double()
        total = plane_integral(lambda x: density(x).exp(), low, high, 0.2)
    elif name == "checkerboard":  # the nodes are the centres of small squares
        low, high = (torch.full((2,), v).double() for v in (-4.95, 5.0))
        total = plane_integral(lambda x: density(x).exp(), low, high, 0.1)
    else:  # along the radius, since the tails are long
        r = torch.logspace(-6, 5, 20001, dtype=torch.float64)
        p = density(torch.stack([r, 0 * r], 1)).exp()
        total = float(torch.trapezoid(2 * math.pi * r * p, r))
    assert total == pytest.approx(1.0, abs=2e-5)


@pytest.mark.parametrize("name", KNOWN)
def test_entropy_is_the_mean_surprise_of_draws(name):
    task = load_task(name)
    with seeded(5):
        surprise = -task.log_density(task.draw(20_000)).double()
    stderr = float(surprise.std()) / math.sqrt(len(surprise))
    assert abs(float(surprise.mean()) - task.entropy) <= 4 * stderr + 1e-5


@pytest.mark.parametrize("name", ["ring-8", "moons", "pinwheel", "checkerboard", "banana"])
def test_draws_follow_the_density(name):
    task = load_task(name)
    with seeded(6):
        x = task.draw(20_000)
    low, high = x.amin(0) - 1e-3, x.amax(0) + 1e-3
    if name == "checkerboard":  # cells must not cross the edges of the squares
        low, high = torch.tensor([-4.0, -4.0]), torch.tensor([4.0, 4.0])
    cells, inner = 12, 16  # the mass of a cell by the midpoint rule on 16 x 16 points
    side = (high - low) / cells
    fine = (torch.arange(cells * inner) + 0.5) / inner
    points = torch.cartesian_prod(fine, fine) * side + low
    p = task.log_density(points.double()).exp() * float(side.prod()) / inner**2
    mass = p.view(cells, inner, cells, inner).sum((1, 3)).flatten()
    place = ((x - low) / side).long()
    count = torch.bincount(place[:, 0] * cells + place[:, 1], minlength=cells**2).double()
    big = mass * len(x) >= 5
    if (~big).any() and name != "checkerboard":  # small cells are one
        count = torch.cat([count[big], count[~big].sum()[None]])
        mass = torch.cat([mass[big], mass[~big].sum()[None]])
    else:
        assert count[~big].sum() == 0
        count, mass = count[big], mass[big]
    seen, expected = count, mass * count.sum() / mass.sum()
    assert stats.chisquare(seen.numpy(), expected.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("name", ["ring-8", "grid-25", "moons", "8-gaussians"])
def test_entropy_is_the_integral_of_the_density_on_another_grid(name):
    std, half = PLANE[name]
    task = load_task(name)

    def surprise(x):
        log_p = task.log_density(x)
        return torch.where(log_p > -700, -log_p.exp() * log_p, 0.0)

    expected = plane_integral(surprise, *box(half), std / 3.7)
    assert task.entropy == pytest.approx(expected, abs=1e-5)


def test_entropy_of_modes_far_apart_is_a_closed_form():
    expected = math.log(8) + 1 + math.log(2 * math.pi * 0.01**2)
    assert load_task("veegan-ring").entropy == pytest.approx(expected, abs=1e-9)


def test_mixture_is_that_of_torch():
    with seeded(0):
        means, weights, x = torch.randn(5, 7), torch.rand(5), torch.randn(40, 7)
    reference = MixtureSameFamily(
        Categorical(weights), Independent(Normal(means, torch.tensor(0.7)), 1)
    )
    torch.testing.assert_close(Mixture(means, 0.7, weights).log_prob(x), reference.log_prob(x))


def test_mixture_is_exact_in_single_precision_far_from_the_origin():
    law = Mixture(circle(8, 1.0) * 4, 0.01)
    x = (law.means + 0.02).float()
    torch.testing.assert_close(
        law.log_prob(x).double(), law.log_prob(x.double()), rtol=0, atol=2e-3
    )


@pytest.mark.parametrize(("name", "count"), [("ring-8", 8), ("grid-25", 25), ("veegan-grid", 25)])
def test_modes_hold_their_share(name, count):
    task = load_task(name)
    assert task.modes.count == count
    labels = task.modes.assign(task.test)
    good = float((labels >= 0).float().mean())
    # 98.9 % of a Gaussian of the plane is within 3 standard deviations.
    assert abs(good - (1 - math.exp(-4.5))) < 4 * math.sqrt(0.011 * 0.989 / len(labels))
    assert labels[labels >= 0].unique().tolist() == list(range(count))
    assert int(task.modes.assign(torch.tensor([[100.0, 0.0]]))) == -1


def test_mode_of_a_point_is_the_nearest_centre():
    modes = load_task("ring-8").modes
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.29, 0.0], [1.31, 0.0], [0.0, 0.0]])
    assert modes.assign(x).tolist() == [0, 2, 0, -1, -1]


@pytest.mark.parametrize(("task", "count"), [(moons, 2), (circles, 2), (pinwheel, 5)])
def test_curves_have_equal_mass(task, count):
    law = task().load()
    labels = law.modes.assign(law.train)
    share = torch.bincount(labels[labels >= 0], minlength=count) / len(labels)
    assert law.modes.count == count
    assert (share - 1 / count).abs().max() < 4 * math.sqrt(0.25 / len(labels)) + 0.005


def test_checkerboard_squares():
    task = load_task("checkerboard")
    x = torch.tensor([[-3.9, -3.9], [-3.9, -1.9], [3.9, 3.9], [5.0, 0.1]])
    assert task.modes.assign(x).tolist() == [0, -1, 7, -1]
    assert task.log_density(x).tolist() == pytest.approx([-math.log(32), -math.inf] * 2)
    assert torch.bincount(task.modes.assign(task.train)).min() > 1100


@pytest.mark.parametrize("dim", [2, 16, 64])
def test_correlated_gaussian_is_that_of_torch(dim):
    law = CorrelatedGaussian(dim)
    reference = MultivariateNormal(torch.zeros(dim).double(), law.covariance)
    x = load_task(f"gaussian-{dim}").test.double()
    torch.testing.assert_close(law.log_prob(x), reference.log_prob(x))
    assert law.entropy() == pytest.approx(float(reference.entropy()), abs=1e-8)
    assert (x.T.cov() - law.covariance).abs().max() < 0.12  # 5 standard errors of 4,096 rows


def test_hidden_ring_is_a_ring_in_a_plane():
    law = HiddenRing(64)
    gap = (law.means[0] - law.means[4]).norm()
    assert float(gap) == pytest.approx(12.0)
    assert int(torch.linalg.matrix_rank(law.means)) == 2


def test_funnel_is_its_conditionals():
    with seeded(1):
        x = torch.randn(50, 10).double()
    v = x[:, 0]
    expected = Normal(0.0, 3.0).log_prob(v)
    expected = expected + Normal(torch.zeros(50, 1), (v / 2).exp()[:, None]).log_prob(
        x[:, 1:]
    ).sum(1)
    torch.testing.assert_close(Funnel().log_prob(x), expected)


def test_student_t_is_that_of_scipy():
    law, reference = StudentT(3, 4.5), stats.multivariate_t(shape=torch.eye(3).numpy(), df=4.5)
    with seeded(2):
        x = 3 * torch.randn(20, 3).double()
    assert law.log_prob(x).numpy() == pytest.approx(reference.logpdf(x.numpy()))
    assert law.entropy() == pytest.approx(float(reference.entropy()), abs=1e-6)


def test_veegan_1200_modes():
    with seeded(3):
        x = veegan_1200_draw(2000)
    labels = veegan_1200_assign(x)
    assert float((labels >= 0).float().mean()) > 0.98
    assert labels[labels >= 0].unique().tolist() == list(range(10))
    torch.testing.assert_close(x[:, 700:], x[:, 700:701].expand(-1, 500))
    wider = x[:, :700] + torch.randn(2000, 700, generator=torch.Generator().manual_seed(0))
    assert (veegan_1200_assign(torch.cat([wider, x[:, 700:]], 1)) == -1).all()


def test_rows_are_fixed_and_leave_the_random_state_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = load_task("ring-8")
    assert torch.equal(torch.get_rng_state(), before)
    named_task.cache_clear()
    torch.manual_seed(1)
    second = load_task("ring-8")
    assert torch.equal(first.train, second.train) and torch.equal(first.test, second.test)
    sizes = [len(rows) for rows in (first.train, first.val, first.test)]
    assert sizes == [50_000, 2_000, 4_096]
    assert len(torch.cat([first.train, first.val, first.test]).unique(dim=0)) == sum(sizes)


def test_log_density_keeps_the_dtype():
    task = load_task("ring-8")
    assert task.log_density(task.test).dtype == torch.float32
    assert task.log_density(task.test.double()).dtype == torch.float64


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_laws_follow_the_device_of_their_input():
    for name in ("ring-8", "pinwheel", "checkerboard", "funnel", "student-t", "gaussian-16",
                 "mixture-64", "hmm-8", "hypergrid-8x8", "digits"):  # fmt: skip
        task = load_task(name)
        for law in (task.log_density, task.log_reward, task.modes and task.modes.assign):
            if law is not None:
                there, here = law(task.test[:64].cuda()), law(task.test[:64])
                assert there.device.type == "cuda"
                torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-4)
