import math

import pytest
import torch
from dgmbench.baselines.gflownet.grid_environment import GridEnvironment
from dgmbench.baselines.gflownet.trajectory_balance import (
    Rollouts,
    TrajectoryBalance,
    masked_log_softmax,
)
from dgmbench.benchmark.contract.model import Budget, Likelihood
from dgmbench.benchmark.contract.task import Domain, TrainingTask

GRID = Domain((2,), levels=4)


def log_reward(x):
    """A bumpy reward without symmetry."""
    return torch.sin(3.0 * x[:, 0]) + 0.5 * x[:, 1]


def optimum() -> tuple[torch.Tensor, float]:
    """log P_F and log P_B of every state from the flows of the uniform P_B, and log Z.

    F(s) = R(s) + sum_{s -> s'} F(s') P_B(s | s'), from the far corner back to the origin.
    """
    grid, H = GridEnvironment(GRID), 4
    states = GRID.states()
    reward = log_reward(states).double().exp()
    table = torch.full((16, 5), -math.inf, dtype=torch.double)
    flow = reward.clone()
    for row in reversed(range(16)):
        i, j = divmod(row, H)
        parents = max(1, (i > 0) + (j > 0))
        table[row, 3:] = grid.backward_mask(states[row]).double().div(parents).log()
        children = [(0, row + H)] if i < H - 1 else []
        children += [(1, row + 1)] if j < H - 1 else []
        edges = {a: flow[s] * table[s, 3 + a].exp() for a, s in children}
        flow[row] = reward[row] + sum(edges.values())
        table[row, 2] = (reward[row] / flow[row]).log()
        for a, edge in edges.items():
            table[row, a] = (edge / flow[row]).log()
    return table.float(), float(flow[0].log())


class Optimal(TrajectoryBalance):
    """The policies in closed form, with the Z that belongs to them."""

    def __init__(self):
        super().__init__(GRID)
        self.table, log_z = optimum()
        self.log_flow.data.fill_(log_z)

    def policies(self, states):
        return self.table[self.domain.index(states.flatten(0, -2))].unflatten(0, states.shape[:-1])


def test_flow_at_the_origin_is_the_normaliser():
    assert optimum()[1] == pytest.approx(float(log_reward(GRID.states()).logsumexp(0)), abs=1e-6)


def test_residual_is_zero_at_the_optimum():
    model = Optimal()
    batch = next(model.batches(TrainingTask(GRID, log_reward=log_reward), 256))
    assert model.loss(batch).item() < 1e-9
    # Not because nothing is compared: another Z, another loss.
    model.log_flow.data += 0.5
    assert model.loss(batch).item() == pytest.approx(0.25, abs=1e-4)


def test_terminal_law_of_the_optimum_is_the_normalised_reward():
    expected = log_reward(GRID.states()).double().softmax(0)
    torch.testing.assert_close(Optimal().terminal_law(), expected, rtol=1e-5, atol=1e-7)


def test_terminal_law_is_that_of_the_rollouts():
    model = TrajectoryBalance(GRID, hidden=(8,))
    with torch.no_grad():
        model.net[-1].bias.uniform_(-1, 1)
    law = model.terminal_law()
    assert float(law.sum()) == pytest.approx(1, abs=1e-6)
    n = 40_000
    counts = torch.bincount(GRID.index(model.sample(n)), minlength=16)
    z = (counts - n * law) / (n * law * (1 - law)).sqrt()
    assert z.abs().max() < 4.5
    torch.testing.assert_close(
        model.log_prob(GRID.states()).double().exp(), law, rtol=1e-4, atol=0
    )


def test_rollouts_are_paths_of_the_grid():
    model = TrajectoryBalance(GRID, hidden=(8,))
    states, actions = model.rollout(500, model.forward_policy)
    assert bool((states[:, 0] == 0).all())
    assert bool((actions[:, -1] == 2).all())
    step = states.diff(dim=1)
    assert bool((step.sum(2) == (actions[:, :-1] < 2)).all())
    GRID.check("states", states.flatten(0, 1))
    stopped = (actions == 2).cummax(1).values
    assert bool((actions[stopped] == 2).all())


def test_backward_episodes_end_where_they_should():
    model = TrajectoryBalance(GRID, hidden=(8,))
    x = GRID.states()
    states, actions = model.unroll(x)
    assert bool((states[:, 0] == 0).all())
    assert bool((states[:, -1] == x).all())
    assert bool(((actions < 2).sum(1) == x.sum(1)).all())
    assert bool((states.diff(dim=1).sum(2) == (actions[:, :-1] < 2)).all())
    assert model.log_ratio(states, actions).isfinite().all()


def test_backward_episodes_estimate_the_law_without_bias():
    """E[P_F(tau) / P_B(tau | x)] over tau ~ P_B is p(x), and its logarithm a bound."""
    model = TrajectoryBalance(GRID, hidden=(8,), particles=1)
    law = model.terminal_law()
    model.likelihood = Likelihood.LOWER_BOUND
    x = torch.tensor([[2, 1], [3, 3], [0, 0], [1, 3]])
    log_w = model.log_prob(x.repeat(2000, 1)).view(2000, 4).double()
    error = log_w.exp().std(0) / math.sqrt(2000)
    truth = law[GRID.index(x)]
    assert bool(((log_w.exp().mean(0) - truth).abs() <= 4.5 * error + 1e-6).all())
    assert bool((log_w.mean(0) <= truth.log() + 1e-5).all())


@pytest.mark.parametrize("learns_backward", [True, False])
def test_learns_the_reward(learns_backward):
    model = TrajectoryBalance(GRID, hidden=(64,), lr=5e-3, learns_backward=learns_backward)
    model.fit(TrainingTask(GRID, log_reward=log_reward), Budget(steps=200, batch_size=64))
    truth = log_reward(GRID.states()).double().softmax(0)
    assert float((model.terminal_law() - truth).abs().sum()) < 0.1
    assert model.log_z() == pytest.approx(optimum()[1], abs=0.05)


def test_log_z_has_its_own_learning_rate():
    model = TrajectoryBalance(GRID, hidden=(8,), lr=1e-3, log_z_lr=0.1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.fit(TrainingTask(GRID, log_reward=log_reward), Budget(steps=1, batch_size=8))
    moved = {name: (p - before[name]).abs().max().item() for name, p in model.named_parameters()}
    # Adam's first step is the learning rate itself.
    assert moved.pop("log_flow") == pytest.approx(0.1, rel=1e-3)
    assert 0 < max(moved.values()) < 1.01e-3


def test_table_and_net_agree():
    model = TrajectoryBalance(GRID, hidden=(8,))
    states = torch.randint(0, 4, (5, 7, 2))
    table = model.tabulated(model.policies, 1000)(states)
    torch.testing.assert_close(table, model.policies(states))


def test_gradients_survive_states_without_parents():
    logits = torch.randn(2, 3, requires_grad=True)
    legal = torch.tensor([[False] * 3, [True, False, True]])
    log_p = masked_log_softmax(logits, legal)
    assert bool((log_p[0] == -math.inf).all())
    log_p.where(legal, 0).sum().backward()
    assert logits.grad.isfinite().all()


def test_likelihood_by_size_of_the_domain():
    bits = Domain((20,), levels=2)
    model = TrajectoryBalance(bits, hidden=(8,))
    assert model.likelihood is Likelihood.LOWER_BOUND
    assert TrajectoryBalance(GRID).likelihood is Likelihood.EXACT
    assert model.log_prob(bits.check("samples", model.sample(3))).isfinite().all()


def test_refusals():
    assert "real values" in TrajectoryBalance.supports(Domain((2,)))
    assert "token" in TrajectoryBalance.supports(Domain((4,), levels=8, ordered=False))
    assert "longer" in TrajectoryBalance.supports(Domain((1, 8, 8), levels=17))
    with pytest.raises(ValueError, match="reward"):
        next(TrajectoryBalance(GRID).batches(TrainingTask(GRID), 4))


def test_padding_does_not_count():
    model = TrajectoryBalance(GRID, hidden=(8,))
    states, actions = model.rollout(8, model.forward_policy)
    longer = torch.cat([states, states[:, -1:]], 1), torch.cat([actions, actions[:, -1:]], 1)
    short = Rollouts(states, actions, torch.zeros(8))
    torch.testing.assert_close(model.loss(short), model.loss(Rollouts(*longer, torch.zeros(8))))
