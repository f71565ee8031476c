"""Rewards against sums over all points, and against what is published of them."""

import math

import pytest
import torch
from dgmbench.benchmark.contract.environment import listed
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.tasks import TASKS, load_task
from dgmbench.benchmark.tasks.densities.targets import ManyWell
from dgmbench.benchmark.tasks.registry import outline_of
from dgmbench.benchmark.tasks.rewards import bit_sequences as bits
from dgmbench.benchmark.tasks.rewards.environments import (
    ACYCLIC,
    AcyclicGraphs,
    Grid,
    Places,
    Subsets,
)
from dgmbench.benchmark.tasks.rewards.ising import Ising, ising
from dgmbench.benchmark.tasks.rewards.structures import BGe, local_scores, network_data, structures
from dgmbench.benchmark.tasks.rewards.subsets import SubsetReward, subsets
from scipy import stats

ENVIRONED = [n for n, make in TASKS.items() if make().task.domain.environment is not None]
LISTED = [n for n in ENVIRONED if outline_of(n).task.domain.is_enumerable]


@pytest.mark.parametrize("name", LISTED)
def test_the_law_sums_to_one_and_gives_log_z_and_entropy(name):
    task = outline_of(name).task
    states = task.domain.states()
    log_r, log_p = task.log_reward(states).double(), task.log_density(states).double()
    assert float(log_r.logsumexp(0)) == pytest.approx(task.log_z, abs=1e-4)
    assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-4)
    assert float(-(log_p.exp() * log_p).sum()) == pytest.approx(task.entropy, abs=1e-3)


@pytest.mark.parametrize("name", [n for n in LISTED if not n.endswith("x8x8")])
def test_draws_follow_the_law(name):
    task = outline_of(name).task
    with seeded(0):
        x = task.draw(20_000)
    p = task.log_density(task.domain.states()).double().exp()
    counts = torch.bincount(task.domain.index(x), minlength=len(p)).double()
    assert len(counts) == len(p)
    often = p * 20_000 >= 5  # chi-square wants five in each cell: the rest is one cell
    seen = torch.cat([counts[often], counts[~often].sum()[None]])
    wanted = torch.cat([p[often], p[~often].sum()[None]]) * 20_000
    keep = wanted > 0
    wanted = wanted[keep] / wanted[keep].sum() * seen[keep].sum()
    assert stats.chisquare(seen[keep].numpy(), wanted.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("name", ENVIRONED)
def test_states_that_may_stop_are_worth_their_reward(name):
    task = outline_of(name).task
    environment = task.domain.environment
    with seeded(1):
        x = task.draw(50)
    ends = environment.ends(x)
    torch.testing.assert_close(environment.points(ends), x.long())
    assert bool(environment.legal(ends)[:, environment.stop].all())
    torch.testing.assert_close(
        task.log_partial_reward(ends).double(), task.log_reward(x).double(), rtol=1e-5, atol=1e-4
    )
    if not environment.legal(environment.source(1))[0, environment.stop]:
        # Where the source is no point it is worth nothing.
        assert float(task.log_partial_reward(environment.source(1))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("nodes", [2, 3, 4, 5])
def test_acyclic_graphs_are_as_many_as_is_known(nodes):
    assert len(listed(AcyclicGraphs(nodes)).states) == ACYCLIC[nodes]


def test_graphs_that_say_the_same_have_the_same_score():
    """0 -> 1 -> 2, 0 <- 1 -> 2 and 0 <- 1 <- 2 are equivalent; the collider is not."""
    reward = BGe(network_data(3))
    edges = {(0, 1): 0, (0, 2): 1, (1, 0): 2, (1, 2): 3, (2, 0): 4, (2, 1): 5}

    def score(*pairs):
        x = torch.zeros(1, 6, dtype=torch.long)
        for pair in pairs:
            x[0, edges[pair]] = 1
        return float(reward.log_reward(x))

    chain = score((0, 1), (1, 2))
    assert score((1, 0), (1, 2)) == pytest.approx(chain, abs=1e-4)
    assert score((1, 0), (2, 1)) == pytest.approx(chain, abs=1e-4)
    assert score((0, 1), (2, 1)) != pytest.approx(chain, abs=1e-2)
    full = [score((0, 1), (0, 2), (1, 2)), score((2, 1), (2, 0), (1, 0))]
    assert full[0] == pytest.approx(full[1], abs=1e-4)


def test_the_score_of_one_node_is_a_marginal_of_student():
    """log p(x) of one variable by its predictive laws, one row after another.

    With a normal-Wishart prior of one dimension (alpha_mu = 1, alpha_w = 3, T = t = 1/2) the
    predictive of a row is Student's t; their product is the marginal.
    """
    x = network_data(3)[:20, :1]
    found = float(local_scores(x)[0, 0])
    total, mu, kappa, alpha, beta = 0.0, 0.0, 1.0, 1.5, 0.25
    for value in x[:, 0].tolist():
        scale = math.sqrt(beta * (kappa + 1) / (alpha * kappa))
        total += float(stats.t.logpdf(value, 2 * alpha, mu, scale))
        beta += kappa * (value - mu) ** 2 / (2 * (kappa + 1))
        mu, kappa, alpha = (kappa * mu + value) / (kappa + 1), kappa + 1, alpha + 0.5
    assert found == pytest.approx(total, abs=1e-8)


def test_the_chain_of_spins_has_onsagers_normaliser():
    """By the transfer matrix of three columns: Z = trace T^3."""
    side, J = 3, 0.4
    reward = Ising(side, J, 0.0)
    columns = 2 * torch.cartesian_prod(*[torch.arange(2)] * side).double() - 1
    inside = J * (columns * columns.roll(1, 1)).sum(1)
    between = J * columns @ columns.T
    T = (inside[:, None] / 2 + inside[None] / 2 + between).exp()
    exact = math.log(float(torch.linalg.matrix_power(T, side).trace()))
    states = torch.cartesian_prod(*[torch.arange(2)] * side**2)
    found = float(reward.log_reward(states).double().logsumexp(0))
    assert found == pytest.approx(exact, abs=1e-5)
    assert load_task("ising-3x3").log_z == pytest.approx(exact, abs=1e-5)


def test_sets_by_the_symmetric_polynomial_and_by_enumeration():
    reward = SubsetReward(8, 3)
    states = listed(Subsets(8, 3))
    log_r = reward.log_reward(states.states[states.ends]).double()
    log_z, entropy = reward.moments()
    assert log_z == pytest.approx(float(log_r.logsumexp(0)), abs=1e-6)
    p = log_r.softmax(0)
    assert entropy == pytest.approx(float(-(p * p.log()).sum()), abs=1e-6)


def test_bit_sequences_have_sixty_modes_of_fifteen_words():
    modes = bits.modes()
    assert modes.shape == (60, 120) and len(modes.unique(dim=0)) == 60
    words = {"".join(str(int(b)) for b in word) for word in modes.view(-1, 8)}
    assert words == set(bits.WORDS)
    assert float(bits.log_reward(modes).abs().max()) == 0
    assert bool((bits.assign(modes) == torch.arange(60)).all())
    flipped = modes.clone()
    flipped[:, :5] = 1 - flipped[:, :5]
    torch.testing.assert_close(bits.distances(flipped).diagonal(), torch.full((60,), 5.0))
    far = 1 - modes[:1]
    assert float(bits.log_reward(far)) == -2 * float(bits.distances(far).min())


def test_bit_sequences_are_normalised():
    """R / q of another proposal, flips at another rate, has the same mean Z."""
    flip, n = 0.15, 50_000
    with seeded(3):
        chosen = bits.modes()[torch.randint(60, (n,))]
        x = (chosen != (torch.rand(n, 120) < flip)).long()
    d = bits.distances(x).double()
    log_q = (d * math.log(flip) + (120 - d) * math.log1p(-flip)).logsumexp(1) - math.log(60)
    w = bits.log_reward(x).double() - log_q
    estimate = float(w.logsumexp(0)) - math.log(n)
    share = w.softmax(0)
    error = math.sqrt(float(share.square().sum()) - 1 / n)
    log_z, entropy = bits.moments()
    assert abs(estimate - log_z) < 4 * error
    with seeded(4):
        own = -(bits.log_reward(bits.draw(4000)).double() - log_z)
    assert abs(float(own.mean()) - entropy) < 4 * float(own.std()) / math.sqrt(4000)


def test_ranked_points_are_flips_of_the_modes():
    points = bits.ranked_points()
    assert points.shape == (1200, 120)
    own = bits.distances(points).gather(1, torch.arange(60).repeat_interleave(20)[:, None])
    torch.testing.assert_close(own[:, 0].view(60, 20), torch.arange(0.0, 120, 6).expand(60, 20))


def test_many_wells_have_the_published_normaliser():
    """164.70 in 32 dimensions (arXiv:2208.01893, section 4.2)."""
    assert load_task("many-well-32").log_z == pytest.approx(164.69567532, abs=1e-6)
    law = ManyWell(2)
    edge = torch.linspace(-6, 6, 1201, dtype=torch.double)
    log_p = law.log_prob(torch.cartesian_prod(edge, edge))
    assert float(log_p.exp().sum()) * 0.01**2 == pytest.approx(1, abs=1e-6)
    assert float(-(log_p.exp() * log_p).sum()) * 0.01**2 == pytest.approx(law.entropy(), abs=1e-5)
    with seeded(5):
        x = law.sample(20_000)
    right = float((x[:, 0] > 0).float().mean())
    mass = float(log_p.exp().view(1201, 1201)[601:].sum()) * 0.01**2
    assert right == pytest.approx(mass, abs=0.012)


@pytest.mark.parametrize("name", ["funnel", "gaussians-40", "many-well-32"])
def test_continuous_targets_have_their_normaliser(name):
    task = load_task(name)
    torch.testing.assert_close(
        task.log_reward(task.test[:99]), task.log_density(task.test[:99]) + task.log_z
    )
    assert "log_z_error" not in task.refuses


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Grid(0, 8), "coordinate"),
        (lambda: Grid(2, 1), "2 values"),
        (lambda: Places(0), "place"),
        (lambda: Places(3, 0), "bit"),
        (lambda: Subsets(3, 4), "size in 1..3"),
        (lambda: AcyclicGraphs(1), "2 nodes"),
        (lambda: bits.bit_sequences(7), "divisor of 120"),
        (lambda: bits.bit_sequences(0), "divisor of 120"),
        (lambda: ising(5), "side of 3 or 4"),
        (lambda: structures(6), "3, 4 or 5 nodes"),
        (lambda: subsets(5, 0), "size in 1..5"),
        (lambda: ManyWell(3), "even"),
    ],
)
def test_sizes_that_make_no_sense_are_named(make, word):
    with pytest.raises(ValueError, match=word):
        make()
