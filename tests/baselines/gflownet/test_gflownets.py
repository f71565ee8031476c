import math

import pytest
import torch
from dgmbench.baselines import MODELS
from dgmbench.baselines.gflownet.base import GFlowNet
from dgmbench.baselines.gflownet.sub_trajectory_balance import SubTrajectoryBalance
from dgmbench.baselines.gflownet.trajectories import (
    Trajectories,
    masked_log_softmax,
    rollout,
    unroll,
    walk,
)
from dgmbench.baselines.gflownet.trajectory_balance import TrajectoryBalance
from dgmbench.benchmark.contract.environment import listed, listed_points
from dgmbench.benchmark.contract.model import Budget, Likelihood, seeded
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from dgmbench.benchmark.tasks.rewards.environments import Grid, Places
from torch import nn

from .optimum import DOMAINS, log_reward, optimal, optimum, partial_reward

OBJECTIVES = {name: cls for name, cls in MODELS.items() if issubclass(cls, GFlowNet)}
GRID = DOMAINS["grid"]
CPU = torch.device("cpu")


def task(domain):
    partial = partial_reward(domain.environment)
    return TrainingTask(domain, log_reward=log_reward, log_partial_reward=partial)


def batch_of(model, domain, n=128):
    return next(iter(model.batches(task(domain), n)))


@pytest.mark.parametrize("word", DOMAINS)
def test_flow_at_the_source_is_the_normaliser(word):
    """Conservation: what flows out of the source is the sum of all rewards."""
    domain = DOMAINS[word]
    truth = float(log_reward(domain.states()).double().logsumexp(0))
    assert float(optimum(domain.environment)[2][0]) == pytest.approx(truth, abs=1e-9)


@pytest.mark.parametrize("word", DOMAINS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_residual_is_zero_at_the_optimum(name, word):
    model, log_z = optimal(OBJECTIVES[name], DOMAINS[word])
    with seeded(0):
        batch = batch_of(model, DOMAINS[word])
    assert model.loss(batch).item() < 1e-9
    # Not because nothing is compared: another reward, another loss.
    other = Trajectories(
        batch.states, batch.actions, batch.log_reward + torch.randn(128), batch.log_partial
    )
    assert model.loss(other).item() > 0.01
    model.prepare(task(DOMAINS[word]))
    if model.log_z() is not None:
        assert model.log_z() == pytest.approx(log_z, abs=1e-5)


@pytest.mark.parametrize("word", DOMAINS)
def test_the_law_of_the_optimum_is_the_normalised_reward(word):
    domain = DOMAINS[word]
    law = optimal(TrajectoryBalance, domain)[0].terminal_law()
    expected = log_reward(domain.states()).double().softmax(0)
    torch.testing.assert_close(law, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("word", DOMAINS)
def test_the_exact_law_is_that_of_the_draws(word):
    domain = DOMAINS[word]
    with seeded(1):
        model = TrajectoryBalance(domain, hidden=(8,))
        with torch.no_grad():
            model.net[-1].bias.uniform_(-1, 1)
        law = model.terminal_law()
        assert float(law.sum()) == pytest.approx(1, abs=1e-6)
        n = 40_000
        counts = torch.bincount(domain.index(model.sample(n)), minlength=len(law))
    assert len(counts) == len(law)  # nothing lies outside
    z = (counts - n * law) / (n * law * (1 - law)).sqrt().clamp(min=0.5)
    assert z.abs().max() < 4.5
    torch.testing.assert_close(
        model.log_prob(domain.states()).double().exp(), law, rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("word", DOMAINS)
def test_episodes_by_rows_are_those_by_states(word):
    """By policies without chance, one action per state, in each of which one episode is played."""
    environment = DOMAINS[word].environment
    graph = listed(environment)
    seen = set()
    with seeded(3):
        for _ in range(50):
            legal = environment.legal(graph.states).double()
            one = nn.functional.one_hot(legal.multinomial(1).squeeze(1), environment.moves + 1)
            policy = one.float()
            slow = rollout(environment, 2, lambda s, p=policy: p[graph.rows(s)], CPU)
            quick = walk(graph, 2, policy, environment.stop)
            for states, others in zip(slow, quick, strict=True):
                torch.testing.assert_close(states, others, rtol=0, atol=0)
            seen.add(tuple(quick[1][0].tolist()))
    assert len(seen) > 10


@pytest.mark.parametrize("word", DOMAINS)
def test_environments_never_step_outside(word):
    domain = DOMAINS[word]
    environment = domain.environment
    with seeded(2):
        model = TrajectoryBalance(domain, hidden=(8,))
        states, actions = rollout(environment, 500, model.forward_policy, CPU)
    assert bool((states[:, 0] == 0).all()) and bool((actions[:, -1] == environment.stop).all())
    flat, taken = states.flatten(0, 1), actions.flatten()
    assert bool((flat >= 0).all() and (flat < environment.radix).all())
    assert bool(environment.legal(flat).gather(1, taken[:, None]).all())
    moves = taken < environment.stop
    after = environment.step(flat[moves], taken[moves])
    assert bool(environment.undoable(after).gather(1, taken[moves][:, None]).all())
    torch.testing.assert_close(environment.undo(after, taken[moves]), flat[moves])
    stopped = (actions == environment.stop).cummax(1).values
    assert bool((actions[stopped] == environment.stop).all())
    points = environment.points(states[:, -1])
    assert bool(environment.admits(points).all())
    torch.testing.assert_close(environment.ends(points), states[:, -1])


@pytest.mark.parametrize("word", DOMAINS)
def test_backward_episodes_end_where_they_should(word):
    domain = DOMAINS[word]
    environment = domain.environment
    model = TrajectoryBalance(domain, hidden=(8,))
    ends = environment.ends(domain.states())
    states, actions = unroll(environment, ends, model.backward_policy)
    assert bool((states[:, 0] == 0).all()) and bool((states[:, -1] == ends).all())
    flat, taken = states.flatten(0, 1), actions.flatten()
    assert bool(environment.legal(flat).gather(1, taken[:, None]).all())
    torch.testing.assert_close(
        environment.step(states[:, :-1].flatten(0, 1), actions[:, :-1].flatten()),
        states[:, 1:].flatten(0, 1),
    )
    assert model.log_ratio(states, actions).isfinite().all()


@pytest.mark.parametrize("word", DOMAINS)
def test_on_policy_estimates_of_log_z_are_unbiased_in_exp(word):
    domain = DOMAINS[word]
    with seeded(3):
        model = TrajectoryBalance(domain, hidden=(8,))
        x, log_q = model.proposals(20_000)
    weights = (log_reward(x).double() - log_q).exp()
    truth = float(log_reward(domain.states()).double().exp().sum())
    error = float(weights.std()) / math.sqrt(len(weights))
    assert abs(float(weights.mean()) - truth) < 4.5 * error


def test_backward_episodes_estimate_the_law_without_bias():
    """E[P_F(tau) / P_B(tau | x)] over tau ~ P_B is p(x), and its logarithm a bound."""
    with seeded(4):
        model = TrajectoryBalance(GRID, hidden=(8,), particles=1)
        law = model.terminal_law()
        model.likelihood = Likelihood.LOWER_BOUND
        x = torch.tensor([[2, 1], [3, 3], [0, 0], [1, 3]])
        log_w = model.log_prob(x.repeat(2000, 1)).view(2000, 4).double()
    error = log_w.exp().std(0) / math.sqrt(2000)
    truth = law[GRID.index(x)]
    assert bool(((log_w.exp().mean(0) - truth).abs() <= 4.5 * error + 1e-6).all())
    assert bool((log_w.mean(0) <= truth.log() + 1e-5).all())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_match_finite_differences(name):
    with seeded(5):
        model = OBJECTIVES[name](GRID, hidden=(4,)).double()
        batch = batch_of(model, GRID, 16)
    batch = Trajectories(
        batch.states, batch.actions, batch.log_reward.double(), batch.log_partial.double()
    )
    weights = model.net[-1].bias
    model.loss(batch).backward()
    slope = weights.grad.clone()
    h = 1e-6
    for i in range(len(weights)):
        with torch.no_grad():
            weights[i] += h
            above = float(model.loss(batch))
            weights[i] -= 2 * h
            below = float(model.loss(batch))
            weights[i] += h
        assert float(slope[i]) == pytest.approx((above - below) / (2 * h), rel=1e-4, abs=1e-7)


def test_sub_trajectories_go_from_transitions_to_the_whole():
    """A large weight leaves the whole trajectory alone: the residual of trajectory balance."""
    with seeded(6):
        model = SubTrajectoryBalance(GRID, hidden=(8,), weight=1e6)
        batch = batch_of(model, GRID, 32)
    log_flow = model.policies(model.environment.source(1))[0, -1]
    whole = log_flow + model.log_ratio(batch.states, batch.actions) - batch.log_reward
    torch.testing.assert_close(model.loss(batch), whole.square().mean(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_learns_the_reward(name):
    def reward(x):
        return torch.sin(3.0 * x[:, 0]) + 0.5 * x[:, 1]

    with seeded(7):
        model = OBJECTIVES[name](GRID, hidden=(64, 64), lr=1e-2)
        shown = TrainingTask(GRID, log_reward=reward, log_partial_reward=reward)
        model.fit(shown, Budget(steps=300, batch_size=64))
    log_r = reward(GRID.states()).double()
    assert float((model.terminal_law() - log_r.softmax(0)).abs().sum()) < 0.1
    if model.log_z() is not None:
        assert model.log_z() == pytest.approx(float(log_r.logsumexp(0)), abs=0.05)


def test_log_z_starts_at_its_estimate_and_has_its_own_learning_rate():
    with seeded(9):
        model = TrajectoryBalance(GRID, hidden=(8,), lr=1e-3, log_z_lr=0.1)
        model.prepare(task(GRID))
    assert model.log_z() == pytest.approx(optimum(GRID.environment)[2][0], abs=1.5)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    (player,) = model.players()
    player.play(lambda: batch_of(model, GRID, 8), 0.0)
    moved = {name: (p - before[name]).abs().max().item() for name, p in model.named_parameters()}
    # Adam's first step is the learning rate itself.
    assert moved.pop("log_flow") == pytest.approx(0.1, rel=1e-3)
    assert 0 < max(moved.values()) < 1.01e-3


@pytest.mark.parametrize("word", DOMAINS)
def test_table_and_net_agree(word):
    model = TrajectoryBalance(DOMAINS[word], hidden=(8,))
    states = rollout(model.environment, 50, model.forward_policy, CPU)[0]
    table = model.tabulated(model.policies, 10_000)(states)
    torch.testing.assert_close(table, model.policies(states))


def test_training_explores_by_uniform_and_tempered_actions():
    model = TrajectoryBalance(GRID, hidden=(8,), epsilon=1.0)
    with torch.no_grad():
        model.net[-1].bias[2] = 5.0  # P_F stops at once
    states = torch.tensor([[1, 1], [3, 3]])
    torch.testing.assert_close(model.behaviour(states)[0], torch.full((3,), 1 / 3))
    assert model.behaviour(states)[1].tolist() == [0, 0, 1]
    model.epsilon, model.temperature = 0.0, 2.0
    log_pf = model.policies(states)[0, :3]
    torch.testing.assert_close(model.behaviour(states)[0], (log_pf / 2).softmax(0))


def test_replay_draws_backward_from_the_best_points():
    with seeded(8):
        model = TrajectoryBalance(GRID, hidden=(8,), replay=0.5, capacity=3)
        stream = model.batches(task(GRID), 16)
        first, second = next(stream), next(stream)
    assert len(first.actions) == len(second.actions) == 16
    assert len(stream.kept) == 3
    assert bool((stream.log_reward.diff() <= 0).all())
    torch.testing.assert_close(stream.log_reward, log_reward(stream.kept).float())
    best = {tuple(x) for x in first.states[:, -1].tolist()}
    assert {tuple(x) for x in second.states[8:, -1].tolist()} <= best
    torch.testing.assert_close(second.log_reward, log_reward(second.states[:, -1]).float())
    again = model.batches(task(GRID), 16)
    again.go_on(stream.state())
    torch.testing.assert_close(again.kept, stream.kept)


def test_gradients_survive_states_without_parents():
    logits = torch.randn(2, 3, requires_grad=True)
    legal = torch.tensor([[False] * 3, [True, False, True]])
    log_p = masked_log_softmax(logits, legal)
    assert bool((log_p[0] == -math.inf).all())
    log_p.where(legal, 0).sum().backward()
    assert logits.grad.isfinite().all()


def test_likelihood_by_number_of_states():
    bits = Domain((20,), levels=2, environment=Places(20))
    model = TrajectoryBalance(bits, hidden=(8,))
    assert model.likelihood is Likelihood.LOWER_BOUND
    assert TrajectoryBalance(GRID).likelihood is Likelihood.EXACT
    assert model.log_prob(bits.check("samples", model.sample(3))).isfinite().all()


def test_what_cannot_be_built_has_no_probability():
    domain = DOMAINS["subsets"]
    x = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    model = TrajectoryBalance(domain, hidden=(8,))
    assert model.log_prob(x)[0] == -math.inf and model.log_prob(x)[1] > -math.inf
    model.likelihood = Likelihood.LOWER_BOUND
    assert model.log_prob(x)[0] == -math.inf and model.log_prob(x)[1] > -math.inf


def test_refusals():
    assert "real values" in TrajectoryBalance.supports(Domain((2,)))
    assert "step by step" in TrajectoryBalance.supports(Domain((4,), levels=8))
    long = Domain((64,), levels=17, environment=Grid(64, 17))
    assert "longer" in TrajectoryBalance.supports(long)
    with pytest.raises(ValueError, match="reward"):
        next(iter(TrajectoryBalance(GRID).batches(TrainingTask(GRID), 4)))
    with pytest.raises(ValueError, match="epsilon"):
        TrajectoryBalance(GRID, epsilon=2.0)
    with pytest.raises(ValueError, match="weight"):
        SubTrajectoryBalance(GRID, weight=0.0)
    with pytest.raises(ValueError, match="states"):
        listed(Places(100))


def test_padding_does_not_count():
    for name, cls in OBJECTIVES.items():
        model = cls(GRID, hidden=(8,))
        b = batch_of(model, GRID, 8)
        longer = Trajectories(
            torch.cat([b.states, b.states[:, -1:]], 1),
            torch.cat([b.actions, b.actions[:, -1:]], 1),
            b.log_reward,
            torch.cat([b.log_partial, b.log_partial[:, -1:]], 1),
        )
        torch.testing.assert_close(model.loss(b), model.loss(longer), msg=name)


@pytest.mark.parametrize("word", DOMAINS)
def test_points_of_a_restricted_domain_are_found_again(word):
    domain = DOMAINS[word]
    states = domain.states()
    torch.testing.assert_close(domain.index(states), torch.arange(len(states)))
    every = domain.unrestricted.states()
    outside = ~domain.environment.admits(every)
    if not domain.is_restricted:
        assert not outside.any()
        return
    assert len(listed_points(domain.environment)) == int(domain.num_states)
    assert bool((domain.index(every)[outside] == len(states)).all()) and outside.any()
    law = torch.full((len(states),), 0.5 / len(states))
    assert float(domain.completed(law)[-1]) == pytest.approx(0.5)
    assert float(domain.on_grid(law)[outside].sum()) == 0
    assert float(domain.on_grid(law).sum()) == pytest.approx(0.5)
