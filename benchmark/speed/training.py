"""Training steps against other libraries': the same net, batch and optimiser, the same rows.

Every function takes rows `(N, d)` and rows that are left aside, makes 200 steps (of continuous
flows 30) and returns the loss of the trained net on the first 1,024 of the latter, so that times
compare at equal work and values show that the work was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...baselines import MODELS
from ...baselines.gflownet.trajectories import terminal_law
from ...baselines.nets.time import TimeMLP
from ..contract.environment import listed
from ..contract.model import Budget
from ..contract.task import Domain, Task, TrainingTask
from ..tasks.rewards.environments import Grid
from ..tasks.rewards.hypergrid import hypergrid
from .peers import without_attention

STEPS, BATCH, LR, JUDGED = 200, 128, 2e-3, 1024
DRAWS = 8  # of times and noise, over which a loss is averaged
CONTINUOUS = 30  # steps of continuous flows
WIDTH, TRANSFORMS, BINS, BOUND = 64, 4, 8, 4.0


def _fit(model: Any, rows: Tensor, steps: int | None = None) -> None:
    model.half_life, model.selects_on_val = 0.0, False
    model.fit(TrainingTask(model.domain, rows), Budget(steps or STEPS, BATCH))


def _batches(rows: Tensor) -> Iterator[Tensor]:
    """Yields batches of a shuffled epoch after the other, as a library's user writes it."""
    set_of_rows = torch.utils.data.TensorDataset(rows)
    loader = torch.utils.data.DataLoader(set_of_rows, BATCH, shuffle=True, drop_last=True)
    while True:
        for (batch,) in loader:
            yield batch


def _descend(
    net: nn.Module, loss: Callable[[Tensor], Tensor], rows: Tensor, steps: int | None = None
) -> None:
    steps = steps or STEPS
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _, batch in zip(range(steps), _batches(rows), strict=False):
        optimizer.zero_grad()
        loss(batch).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        schedule.step()


def nsf(x: Tensor, y: Tensor) -> float:
    """Steps of a coupling spline flow; nats a row."""
    torch.manual_seed(0)
    model = MODELS["nsf"](Domain((x.shape[1],)), TRANSFORMS, WIDTH, 1, BINS, BOUND, lr=LR)
    _fit(model, x)
    return -float(model.log_prob(y[:JUDGED]).mean())


def nsf_zuko(x: Tensor, y: Tensor) -> float:
    """The same by zuko: coupling, as many layers, hidden layers and bins."""
    zuko: Any = import_module("zuko")
    torch.manual_seed(0)
    hidden = (WIDTH,) * 3  # a linear layer, and a block of two
    flow = zuko.flows.NSF(
        x.shape[1], 0, BINS, transforms=TRANSFORMS, hidden_features=hidden, passes=2
    )
    return _zuko_nll(flow, x, y)


def _bits(x: Tensor) -> Tensor:
    """Signs of running sums: bits that depend on those before them."""
    return (x.cumsum(1) > 0).long()


def made(x: Tensor, y: Tensor) -> float:
    """Steps of a masked autoregressive net on signs of the features' running sums; nats a row."""
    torch.manual_seed(0)
    model = MODELS["made"](Domain((x.shape[1],), levels=2), (256, 256), lr=LR)
    _fit(model, _bits(x))
    return -float(model.log_prob(_bits(y[:JUDGED])).mean())


def made_zuko(x: Tensor, y: Tensor) -> float:
    """The same by zuko's masked net, which has no direct connections."""
    zuko: Any = import_module("zuko")
    torch.manual_seed(0)
    d = x.shape[1]
    before = torch.ones(d, d).tril(-1).bool()
    net = zuko.nn.MaskedMLP(before, hidden_features=(256, 256))

    def loss(batch: Tensor) -> Tensor:
        bits = _bits(batch).float()
        total = functional.binary_cross_entropy_with_logits(
            net(2 * bits - 1), bits, reduction="sum"
        )
        return total / len(bits)

    _descend(net, loss, x)
    with torch.no_grad():
        return sum(float(loss(y[:JUDGED])) for _ in range(DRAWS)) / DRAWS


def flow_matching(x: Tensor, y: Tensor) -> float:
    """Steps of flow matching; the mean squared error of the velocity."""
    torch.manual_seed(0)
    model = MODELS["flow-matching"](Domain((x.shape[1],)), lr=LR)
    return _judged(model, x, y)


def _judged(model: Any, x: Tensor, y: Tensor) -> float:
    """Trains, and returns the loss over several draws of times and noise."""
    _fit(model, x)
    with torch.no_grad():
        return sum(float(model.loss(y[:JUDGED])) for _ in range(DRAWS)) / DRAWS


def flow_matching_torchcfm(x: Tensor, y: Tensor) -> float:
    """The same net in the loop of torchcfm's examples."""
    cfm: Any = import_module("torchcfm.conditional_flow_matching")
    return _torchcfm(cfm.ConditionalFlowMatcher(sigma=1e-4), x, y)


def _torchcfm(matcher: Any, x: Tensor, y: Tensor) -> float:
    torch.manual_seed(0)
    net = TimeMLP(x.shape[1], (128, 128, 128))
    mean, std = x.mean(0), x.std(0)

    def loss(batch: Tensor) -> Tensor:
        data = (batch - mean) / std
        t, point, velocity = matcher.sample_location_and_conditional_flow(
            torch.randn_like(data), data
        )
        return (net(point, t) - velocity).square().mean()

    _descend(net, loss, x)
    with torch.no_grad():
        return float(loss(y[:JUDGED]))


def maf(x: Tensor, y: Tensor) -> float:
    """Steps of a masked autoregressive flow; nats a row."""
    torch.manual_seed(0)
    model = MODELS["maf"](Domain((x.shape[1],)), 5, (128, 128), lr=LR)
    _fit(model, x)
    return -float(model.log_prob(y[:JUDGED]).mean())


def maf_zuko(x: Tensor, y: Tensor) -> float:
    """The same by zuko: as many layers and hidden units."""
    zuko: Any = import_module("zuko")
    torch.manual_seed(0)
    flow = zuko.flows.MAF(x.shape[1], 0, transforms=5, hidden_features=(128, 128))
    return _zuko_nll(flow, x, y)


def ffjord(x: Tensor, y: Tensor) -> float:
    """Steps of a continuous flow of 2 x 64 units, in its own Runge-Kutta steps; nats a row."""
    torch.manual_seed(0)
    model = MODELS["ffjord"](Domain((x.shape[1],)), (64, 64), lr=LR)
    _fit(model, x, CONTINUOUS)
    return -float(model.log_prob(y[:JUDGED]).mean())


def ffjord_zuko(x: Tensor, y: Tensor) -> float:
    """A continuous flow of zuko's with as many units, and its adaptive solver."""
    zuko: Any = import_module("zuko")
    torch.manual_seed(0)
    flow = zuko.flows.CNF(x.shape[1], 0, hidden_features=(64, 64))
    return _zuko_nll(flow, x, y, CONTINUOUS)


def _zuko_nll(flow: Any, x: Tensor, y: Tensor, steps: int | None = None) -> float:
    """Trains a flow of zuko's on standardised rows; returns nats a row of y."""
    mean, std = x.mean(0), x.std(0)
    _descend(flow, lambda batch: -flow().log_prob((batch - mean) / std).mean(), x, steps)
    with torch.no_grad():
        log_p = flow().log_prob((y[:JUDGED] - mean) / std) - std.log().sum()
    return -float(log_p.mean())


def ot_cfm(x: Tensor, y: Tensor) -> float:
    """Steps of flow matching with exact pairs; the mean squared error of the velocity."""
    torch.manual_seed(0)
    model = MODELS["ot-cfm"](Domain((x.shape[1],)), lr=LR)
    return _judged(model, x, y)


def ot_cfm_torchcfm(x: Tensor, y: Tensor) -> float:
    """The same net in the loop of torchcfm's examples, with its exact plan."""
    cfm: Any = import_module("torchcfm.conditional_flow_matching")
    matcher = cfm.ExactOptimalTransportConditionalFlowMatcher(sigma=1e-4)
    return _torchcfm(matcher, x, y)


GRID, ROLLOUTS, GRID_HIDDEN, GRID_LR, LOG_Z_LR = 8, 16, (256, 256), 1e-3, 0.1


def gfn(objective: str, x: Tensor, y: Tensor, steps: int = STEPS) -> float:
    """Steps of a GFlowNet on the hypergrid of side 8 in as many coordinates.

    Returns the sum over states of |p - q| of the exact laws.

    Args:
        objective: A name of `MODELS`.
        x: Rows, of which the number of coordinates is taken.
        y: Not looked at.
        steps: Training steps.
    """
    torch.manual_seed(0)
    task = hypergrid(x.shape[1], GRID).task
    model = MODELS[objective](task.domain, hidden=GRID_HIDDEN, lr=GRID_LR)
    model.fit(task.for_training(), Budget(steps, ROLLOUTS))
    return _distance(task, model.terminal_law())


def _distance(task: Task, law: Tensor) -> float:
    """Sum over states of |p - q| of a task's exact law and another."""
    if task.log_density is None:
        raise ValueError(f"Expected {task.name} to have a known density, got none.")
    return float((law - task.log_density(task.domain.states()).double().exp()).abs().sum())


def gfn_tb_torchgfn(x: Tensor, y: Tensor) -> float:
    """Trajectory balance of torchgfn: as many units, a shared trunk, its grid; the same number."""
    without_attention()
    names = ("gym", "gflownet", "estimators", "preprocessors", "utils.modules")
    gym, flow, estimators, preprocessors, modules = (import_module(f"gfn.{n}") for n in names)
    torch.manual_seed(0)
    env: Any = gym.HyperGrid(x.shape[1], GRID)
    codes = preprocessors.KHotPreprocessor(GRID, x.shape[1])
    forward = modules.MLP(codes.output_dim, env.n_actions)
    backward = modules.MLP(codes.output_dim, env.n_actions - 1, trunk=forward.trunk)
    make = estimators.DiscretePolicyEstimator
    model: Any = flow.TBGFlowNet(
        make(forward, env.n_actions, preprocessor=codes),
        make(backward, env.n_actions, preprocessor=codes, is_backward=True),
    )
    optimizer = torch.optim.Adam(
        [
            {"params": model.pf_pb_parameters(), "lr": GRID_LR},
            {"params": model.logz_parameters(), "lr": LOG_Z_LR},
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        episodes = model.sample_trajectories(env, n=ROLLOUTS, epsilon=0.05)
        optimizer.zero_grad()
        model.loss(env, episodes).backward()
        optimizer.step()
        schedule.step()
    task = hypergrid(x.shape[1], GRID).task
    states = task.domain.states()
    with torch.no_grad():
        asked = env.states_from_tensor(states)
        policy = model.pf.to_probability_distribution(asked, model.pf(asked)).probs
    graph = listed(Grid(x.shape[1], GRID))
    policy = policy[task.domain.index(graph.states)]
    law = terminal_law(graph, policy, x.shape[1])
    return _distance(
        task, law.new_zeros(len(law)).scatter(0, task.domain.index(graph.states), law)
    )
