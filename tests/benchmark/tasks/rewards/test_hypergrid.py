from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import pytest
import torch
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.tasks import load_task
from dgmbench.benchmark.tasks.rewards.hypergrid import Hypergrid, hypergrid
from scipy import stats


def reward(x: tuple[int, ...], height: int, r0: float) -> float:
    """The definition, in exact fractions."""
    u = [abs(Fraction(i, height - 1) - Fraction(1, 2)) for i in x]
    outer = all(Fraction(1, 4) < v <= Fraction(1, 2) for v in u)
    ring = all(Fraction(3, 10) < v < Fraction(4, 10) for v in u)
    return r0 + 0.5 * outer + 2.0 * ring


@pytest.mark.parametrize(("dim", "height"), [(2, 8), (3, 8), (2, 16), (2, 12), (1, 11), (4, 8)])
@pytest.mark.parametrize("r0", [0.1, 0.001])
def test_closed_forms_are_sums_over_states(dim, height, r0):
    law = Hypergrid(dim, height, r0)
    states = list(product(range(height), repeat=dim))
    exact = torch.tensor([reward(x, height, r0) for x in states], dtype=torch.float64)
    x = Domain((dim,), levels=height).states().view(-1, dim)
    torch.testing.assert_close(law.log_reward(x).double(), exact.log(), rtol=1e-5, atol=1e-6)
    p = exact / exact.sum()
    assert law.log_z == pytest.approx(math.log(exact.sum()), abs=1e-12)
    assert law.entropy == pytest.approx(float(-(p * p.log()).sum()), abs=1e-10)
    assert float(law.log_density(x).double().exp().sum()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("dim", "height", "r0", "log_z"),
    [(2, 8, 0.1, 3.109061), (2, 8, 0.01, 2.811809), (2, 8, 0.001, 2.776581)],
)
def test_log_z_is_the_published_one(dim, height, r0, log_z):
    assert hypergrid(dim, height, r0).task.log_z == pytest.approx(log_z, abs=1e-6)


def test_draws_follow_the_law():
    task = load_task("hypergrid-8x8")
    with seeded(0):
        x = task.draw(50_000)
    count = torch.bincount(task.domain.index(x), minlength=64).double()
    p = task.log_density(task.domain.states()).double().exp()
    expected = p / p.sum() * count.sum()
    assert stats.chisquare(count.numpy(), expected.numpy()).pvalue > 1e-4


def test_modes_are_the_corners_of_highest_reward():
    task = load_task("hypergrid-8x8")
    states = task.domain.states()
    labels = task.modes.assign(states)
    assert task.modes.count == 4
    high = task.log_reward(states) > math.log(2.0)
    assert torch.equal(labels >= 0, high)
    assert {
        tuple(s): int(k) for s, k in zip(states[high].tolist(), labels[high], strict=True)
    } == {
        (1, 1): 0,
        (1, 6): 1,
        (6, 1): 2,
        (6, 6): 3,
    }


def test_a_symmetric_grid_has_symmetric_modes_where_rounding_would_not():
    # 3/15 is exactly on the edge of the ring; in float64 12/15 falls inside and 3/15 outside.
    labels = Hypergrid(2, 16).assign(Domain((2,), levels=16).states())
    assert int((labels >= 0).sum()) == 4


def test_no_modes_where_no_value_is_in_the_ring():
    assert hypergrid(2, 4).task.modes is None


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="Expected D >= 1, H >= 2, R0 > 0, got 2, 8, 0"):
        Hypergrid(2, 8, 0)
