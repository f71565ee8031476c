r"""Generative flow network trained by trajectory balance.

Malkin, Jain, Bengio, Sun & Bengio, Trajectory balance: Improved credit assignment in GFlowNets,
NeurIPS 2022, arXiv:2201.13259. A policy P_F builds x step by step, s_0 -> ... -> s_n = x -> stop;
P_B undoes it. If a constant Z makes both sides equal for every trajectory tau,

    Z prod_t P_F(s_{t+1} | s_t) = R(x) prod_t P_B(s_t | s_{t+1}),

then P_F draws x with probability R(x) / Z. The loss is the squared difference of the logarithms:

    L_TB(tau) = (log Z + sum_t log P_F(s_{t+1} | s_t) - log R(x) - sum_t log P_B(s_t | s_{t+1}))^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..nets.mlp import MLP
from ..training import NeuralModel, Player
from .grid_environment import GridEnvironment, masked_log_softmax

# Maps states `(..., D)` to values `(..., V)`.
StateMap = Callable[[Tensor], Tensor]
# Longer episodes than this are refused: a step of training would evaluate the net that often.
LONGEST = 512


@dataclass
class Rollouts:
    """Episodes of L steps, padded after their stop.

    Attributes:
        states: State before each action, shape `(B, L, D)`; after the stop, the terminal state.
        actions: Shape `(B, L)`; after the stop, further stops.
        log_reward: log R of the terminal state in nats, shape `(B,)`.
    """

    states: Tensor
    actions: Tensor
    log_reward: Tensor


class TrajectoryBalance(NeuralModel):
    """GFlowNet on a grid of integers, which it raises one by one from the origin.

    `log_prob` is EXACT where the states can be enumerated (at most 65,536): dynamic programming
    over all of them. Elsewhere it is a LOWER_BOUND from K backward trajectories,
    log (1/K) sum_k P_F(tau_k) / P_B(tau_k | x) with tau_k ~ P_B(. | x).

    Args:
        domain: Ordered integers or bits.
        hidden: Widths of the hidden layers of the net under P_F and P_B.
        learns_backward: Whether P_B is learnt; else it is uniform over the parents.
        epsilon: Share of training actions that are uniform over the legal ones.
        particles: Backward trajectories K of the bound.
        lr: Learning rate of the policies.
        log_z_lr: Learning rate of log Z.
    """

    family = "gflownet"
    paper = "arXiv:2201.13259"
    learns_from = "reward"
    probe_arguments = frozenset({"particles"})

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128),
        learns_backward: bool = True,
        epsilon: float = 0.05,
        particles: int = 16,
        lr: float = 1e-3,
        log_z_lr: float = 0.1,
    ) -> None:
        super().__init__(domain, lr)
        self.grid = GridEnvironment(domain)
        self.learns_backward, self.epsilon = learns_backward, epsilon
        self.particles, self.log_z_lr = particles, log_z_lr
        self.net = MLP(self.grid.dim * self.grid.levels, 2 * self.grid.dim + 1, hidden)
        self.log_flow = nn.Parameter(torch.zeros(()))
        self._kept: tuple[tuple[int, ...], Tensor] | None = None
        self.likelihood = Likelihood.EXACT if domain.is_enumerable else Likelihood.LOWER_BOUND

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.levels is None:
            return "it builds integers step by step, not real values"
        if not domain.ordered and domain.levels > 2:
            return "raising a token by one has no meaning"
        if domain.dim * (domain.levels - 1) >= LONGEST:
            return f"its episodes would be longer than {LONGEST} steps"
        return None

    def players(self) -> list[Player]:
        """One player with two learning rates: the paper gives log Z a higher one."""
        groups = [
            {"params": list(self.net.parameters()), "lr": self.lr},
            {"params": [self.log_flow], "lr": self.log_z_lr},
        ]
        return [Player("trajectory balance", groups, self.loss)]

    def policies(self, states: Tensor) -> Tensor:
        """Returns log P_F and then log P_B, in states `(..., D)`: shape `(..., 2D + 1)`."""
        forward, backward = self.net(self.grid.features(states)).split(
            [self.grid.actions, self.grid.dim], dim=-1
        )
        if not self.learns_backward:
            backward = torch.zeros_like(backward)
        log_pf = masked_log_softmax(forward, self.grid.forward_mask(states))
        log_pb = masked_log_softmax(backward, self.grid.backward_mask(states))
        return torch.cat([log_pf, log_pb], dim=-1)

    def forward_policy(self, states: Tensor) -> Tensor:
        """Returns P_F in states `(..., D)`: shape `(..., D + 1)`."""
        return self.policies(states)[..., : self.grid.actions].exp()

    def backward_policy(self, states: Tensor) -> Tensor:
        """Returns P_B in states `(..., D)`: shape `(..., D)`, all zero at the origin."""
        return self.policies(states)[..., self.grid.actions :].exp()

    def behaviour(self, states: Tensor, epsilon: float = 0.0) -> Tensor:
        """Returns P_F mixed with the uniform law of the legal actions, `(..., D + 1)`."""
        legal = self.grid.forward_mask(states).float()
        uniform = legal / legal.sum(-1, keepdim=True)
        return torch.lerp(self.forward_policy(states), uniform, epsilon)

    def tabulated(self, f: StateMap, queries: int) -> StateMap:
        """Returns f itself, or a table of f where fewer states exist than `queries`."""
        if self.domain.num_states > queries:
            return f
        table = f(self.domain.states().flatten(1).to(self.device))

        def look_up(states: Tensor) -> Tensor:
            return table[self.domain.index(states.flatten(0, -2))].unflatten(0, states.shape[:-1])

        return look_up

    @torch.no_grad()
    def rollout(self, n: int, policy: StateMap) -> tuple[Tensor, Tensor]:
        """Plays n episodes; returns states `(n, L, D)` and actions `(n, L)`, see `Rollouts`."""
        state = torch.zeros(n, self.grid.dim, dtype=torch.long, device=self.device)
        action = torch.full((n,), -1, device=self.device)
        states, actions = [], []
        for _ in range(self.grid.length):
            drawn = policy(state).multinomial(1).squeeze(1)
            action = torch.where(action == self.grid.stop, action, drawn)
            states.append(state)
            actions.append(action)
            state = self.grid.move(state, action)
        return torch.stack(states, 1), torch.stack(actions, 1)

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Rollouts]:
        """Yields rollouts of the current policy for ever."""
        if task.log_reward is None:
            raise ValueError("Expected a task with a reward, got none.")
        behaviour = partial(self.behaviour, epsilon=self.epsilon)
        while True:
            with torch.no_grad():
                policy = self.tabulated(behaviour, batch_size * self.grid.length)
            states, actions = self.rollout(batch_size, policy)
            x = states[:, -1].unflatten(1, self.domain.shape)
            yield Rollouts(states, actions, task.log_reward(x).to(self.log_flow))

    def log_ratio(self, states: Tensor, actions: Tensor) -> Tensor:
        """Returns log P_F(tau) - log P_B(tau | x) of episodes (see `Rollouts`), shape `(B,)`."""
        policies = self.tabulated(self.policies, actions.numel())
        forward, backward = policies(states).split([self.grid.actions, self.grid.dim], dim=-1)
        moves = actions < self.grid.stop
        # Only the first stop of an episode is an action; the others are padding.
        taken = moves | (~moves).long().cumsum(1).eq(1)
        log_pf = forward.gather(2, actions.unsqueeze(2)).squeeze(2)
        # Where an action stops, coordinate 0 stands in and is left out.
        coordinate = actions.where(moves, 0)[:, :-1].unsqueeze(2)
        log_pb = backward[:, 1:].gather(2, coordinate).squeeze(2)
        return log_pf.where(taken, 0).sum(1) - log_pb.where(moves[:, :-1], 0).sum(1)

    def loss(self, batch: Rollouts) -> Tensor:
        """Returns the mean of L_TB over the rollouts."""
        residual = self.log_flow + self.log_ratio(batch.states, batch.actions) - batch.log_reward
        return residual.square().mean()

    def log_z(self) -> float:
        """Returns the learnt log Z, in nats."""
        return float(self.log_flow.detach())

    @torch.no_grad()
    def terminal_law(self) -> Tensor:
        """Returns the exact probability of every state of `Domain.states()`, float64 `(S,)`.

        Raises:
            ValueError: There are too many states.
        """
        states = self.domain.states().flatten(1).to(self.device)
        return self.grid.terminal_law(self.forward_policy(states))

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n terminal states of P_F."""
        return self.rollout(n, self.forward_policy)[0][:, -1].unflatten(1, self.domain.shape)

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x) in nats, shape `(B,)`: exact, or a bound by the domain's size."""
        if self.likelihood is Likelihood.EXACT:
            return self._law()[self.domain.index(x)].log().float()
        K = draws or self.particles
        repeated = x.flatten(1).long().repeat_interleave(K, 0)
        log_ratio = self.log_ratio(*self.unroll(repeated)).unflatten(0, (-1, K))
        return log_ratio.logsumexp(1) - math.log(K)

    def estimator(self, draws: int | None = None) -> str:
        exact = self.likelihood is Likelihood.EXACT
        return "exact" if exact else f"{draws or self.particles} backward trajectories"

    def _law(self) -> Tensor:
        """The exact law, kept until a parameter changes."""
        state = tuple(p._version for p in self.parameters())
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, self.terminal_law())
        return self._kept[1]

    @torch.no_grad()
    def unroll(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Draws an episode that ends in x, shape `(N, D)`, by P_B; see `Rollouts`."""
        state, states, actions = x, [x], [torch.full((len(x),), self.grid.stop, device=x.device)]
        for _ in range(self.grid.length - 1):
            home = ~self.grid.backward_mask(state).any(1)
            policy = self.backward_policy(state).masked_fill(home[:, None], 1.0)
            action = policy.multinomial(1).squeeze(1)
            before = self.grid.move(state, action, by=-1)
            state = torch.where(home[:, None], state, before)
            states.append(state)
            actions.append(action.masked_fill(home, -1))
        return self._in_order(torch.stack(states, 1).flip(1), torch.stack(actions, 1).flip(1))

    def _in_order(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Moves the wait at the origin, marked -1, from the start to stops at the end."""
        order = (actions < 0).long().argsort(dim=1, stable=True)
        actions = actions.gather(1, order)
        states = states.gather(1, order.unsqueeze(2).expand_as(states))
        waits = (actions < 0).unsqueeze(2)
        terminal = states.amax(1, keepdim=True)
        return states.where(~waits, terminal), actions.where(actions >= 0, self.grid.stop)
