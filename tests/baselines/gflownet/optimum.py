"""Flows in closed form on small environments: the known answers of every objective."""

import torch
from dgmbench.benchmark.contract.environment import listed
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.tasks.rewards.environments import (
    AcyclicGraphs,
    Grid,
    Places,
    Subsets,
)


def domain(environment, shape, levels=2):
    return Domain((shape,), levels=levels, layout="bits", environment=environment)


DOMAINS = {
    "grid": domain(Grid(2, 4), 2, 4),
    "grid of 2021": domain(Grid(2, 4, True), 2, 4),
    "places": domain(Places(3), 3),
    "words": domain(Places(2, 2), 4),
    "subsets": domain(Subsets(5, 2), 5),
    "graphs": domain(AcyclicGraphs(3), 6),
}


def log_reward(x):
    """A bumpy reward without symmetry."""
    place = torch.arange(1, x.shape[1] + 1)
    return torch.sin(2.0 * (x * place).sum(1).float()) + 0.3 * x[:, 0]


def partial_reward(environment):
    """The reward where a state may stop, something else on the way, 0 at an empty source."""

    def worth(states):
        ends = environment.legal(states)[:, environment.stop]
        found = 0.1 * states.sum(1).float()
        found[ends] = log_reward(environment.points(states[ends])).float()
        return found

    return worth


def optimum(environment):
    """log P_F, log P_B and log F of every listed state, by the flows of the uniform P_B.

    F(s) = R(s) [s may stop] + sum over children F(s') / parents(s'), from the last layer back.
    """
    graph, stop = listed(environment), environment.stop
    states = graph.states
    ends = environment.legal(states)[:, stop]
    parents = environment.undoable(states).sum(1).clamp(min=1).double()
    flow = torch.zeros(len(states), dtype=torch.double)
    flow[ends] = log_reward(environment.points(states[ends])).double().exp()
    policy = torch.zeros(len(states), stop + 1, dtype=torch.double)
    policy[:, stop] = flow
    for row in reversed(range(len(states))):
        for move, child in enumerate(graph.children[row].tolist()):
            if child >= 0:
                policy[row, move] = flow[child] / parents[child]
        flow[row] = policy[row].sum()
    log_pf = (policy / flow[:, None]).log()
    log_pb = (environment.undoable(states).double() / parents[:, None]).log()
    return log_pf, log_pb, flow.log()


def optimal(cls, of_domain, **arguments):
    """A model whose net is replaced by the optimum's table."""
    environment = of_domain.environment
    log_pf, log_pb, log_flow = optimum(environment)

    class Optimal(cls):
        def policies(self, states):
            rows = self.graph.rows(states)
            parts = [log_pf[rows], log_pb[rows]]
            if self.has_flow:
                given = log_flow[rows]
                if self.looks_forward:
                    worth = partial_reward(environment)
                    given = given - worth(states.flatten(0, -2)).view(given.shape)
                parts.append(given[..., None])
            return torch.cat(parts, -1).float()

    model = Optimal(of_domain, hidden=(4,), **arguments)
    if model.has_log_z:
        model.log_flow.data.fill_(float(log_flow[0]))
    return model, float(log_flow[0])
