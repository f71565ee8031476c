r"""What GFlowNets share: policies over an environment, trajectories, exact laws and bounds.

Bengio et al., GFlowNet Foundations, JMLR 24, 2023, arXiv:2111.09266. A forward policy P_F builds a
point step by step, s_0 -> s_1 -> ... -> s_n -> stop; a backward policy P_B undoes it. They are
right if for some flow F of the states, with F(s_0) = Z,

    F(s) P_F(s' | s) = F(s') P_B(s | s'),      F(s) P_F(stop | s) = R(x),

because then P_F draws x with probability R(x) / Z. An objective is a residual of these equations,
in logarithms, squared and averaged; a member of the family is its residual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...benchmark.contract.environment import Environment, Graph, listed
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..nets.mlp import MLP
from ..training import NeuralModel, Player
from .replay import Episodes
from .trajectories import (
    StateMap,
    Trajectories,
    masked_log_softmax,
    rollout,
    terminal_law,
    unroll,
    walk,
)

# Longer episodes than this are refused: a step of training would evaluate the net that often.
LONGEST = 512
FIRST = 64  # trajectories by which log Z is set before the first step
# Trajectories of one pass of `log_p` and `draw`, times their states: bounds the memory.
STATES_AT_ONCE = 2**17


class GFlowNet(NeuralModel):
    """Policies of one net over the states of the domain's environment.

    `log_prob` is EXACT where the states can be listed (at most 2^17): dynamic programming over all
    of them. Elsewhere it is a LOWER_BOUND from K backward trajectories,
    log (1/K) sum_k P_F(tau_k) / P_B(tau_k | x) with tau_k ~ P_B(. | x). Trajectories in training
    follow P_F^(1 / temperature), mixed with uniform actions.

    Args:
        domain: Integers with an environment.
        hidden: Widths of the hidden layers of the net under P_F, P_B and log F.
        learns_backward: Whether P_B is learnt; else it is uniform over the parents.
        epsilon: Share of training actions that are uniform over the legal ones.
        temperature: Above 1 the training actions are more even than P_F.
        replay: Share of a batch that is replayed from the best points so far.
        capacity: Points kept for it.
        particles: Backward trajectories K of the bound.
        lr: Learning rate of the policies.
        log_z_lr: Learning rate of log Z where it is a parameter of its own.

    Attributes:
        has_flow: Whether the net also gives log F(s).
        has_backward: Whether the objective has a backward policy to learn.
        has_log_z: Whether log Z is a parameter of its own.
        looks_forward: Whether the objective reads what states on the way are worth.
    """

    family = "gflownet"
    learns_from = "reward"
    probe_arguments = frozenset({"particles"})
    has_flow: ClassVar[bool] = False
    has_backward: ClassVar[bool] = True
    has_log_z: ClassVar[bool] = False
    looks_forward: ClassVar[bool] = False
    worth_of_source: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (256, 256),
        learns_backward: bool = True,
        epsilon: float = 0.05,
        temperature: float = 1.0,
        replay: float = 0.0,
        capacity: int = 1000,
        particles: int = 16,
        lr: float = 2e-3,
        log_z_lr: float = 0.1,
    ) -> None:
        super().__init__(domain, lr)
        _check(epsilon, temperature, replay, capacity, particles)
        self.learns_backward = learns_backward and self.has_backward
        self.epsilon = epsilon
        self.temperature, self.replay, self.capacity = temperature, replay, capacity
        self.particles, self.log_z_lr = particles, log_z_lr
        environment = self.environment
        heads = [environment.moves + 1, environment.moves if self.learns_backward else 0]
        self.heads = [*heads, int(self.has_flow)]
        self.net = MLP(environment.features_width, sum(self.heads), hidden, nn.ReLU)
        if self.has_log_z:
            self.log_flow = nn.Parameter(torch.zeros(()))
        if self.looks_forward:
            self.register_buffer("worth_of_source", torch.zeros(()))
        self._kept: tuple[tuple[int, ...], Tensor] | None = None
        exact = environment.is_listed
        self.likelihood = Likelihood.EXACT if exact else Likelihood.LOWER_BOUND

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.levels is None:
            return "it builds whole numbers step by step, not real values"
        if domain.environment is None:
            return "the task does not say how a point is built step by step"
        if domain.environment.length > LONGEST:
            return f"its episodes would be longer than {LONGEST} steps"
        return None

    @property
    def environment(self) -> Environment:
        """The domain's environment."""
        if self.domain.environment is None:
            raise ValueError("Expected a domain with an environment, got none.")
        return self.domain.environment

    @property
    def graph(self) -> Graph:
        """The listed environment, on the CPU.

        Raises:
            ValueError: It has too many states.
        """
        return listed(self.environment)

    def players(self) -> list[Player]:
        """One player; log Z, where it is a parameter, has a learning rate of its own."""
        groups: list[dict[str, Any]] = [{"params": list(self.net.parameters()), "lr": self.lr}]
        if self.has_log_z:
            groups.append({"params": [self.log_flow], "lr": self.log_z_lr})
        return [Player("loss", groups, self.loss)]

    # The net.

    @property
    def dtype(self) -> torch.dtype:
        """Type of the numbers of the net."""
        return next(self.net.parameters()).dtype

    def policies(self, states: Tensor) -> Tensor:
        """Returns log P_F, log P_B and log F in states `(..., W)`, `(..., 2M + 1 (+ 1))`."""
        features = self.environment.features(states).to(self.dtype)
        forward, backward, flow = self.net(features).split(self.heads, dim=-1)
        undoable = self.environment.undoable(states)
        if not self.learns_backward:
            backward = torch.zeros_like(forward[..., :-1])
        log_pf = masked_log_softmax(forward, self.environment.legal(states))
        return torch.cat([log_pf, masked_log_softmax(backward, undoable), flow], dim=-1)

    def split(self, policies: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns log P_F `(..., M + 1)`, log P_B `(..., M)` and log F `(..., 0 or 1)`."""
        M = self.environment.moves
        forward, backward, flow = policies.split([M + 1, M, self.heads[2]], dim=-1)
        return forward, backward, flow

    def forward_policy(self, states: Tensor) -> Tensor:
        """Returns P_F in states `(..., W)`: shape `(..., M + 1)`."""
        return self.split(self.policies(states))[0].exp()

    def backward_policy(self, states: Tensor) -> Tensor:
        """Returns P_B in states `(..., W)`: shape `(..., M)`, all zero at the source."""
        return self.split(self.policies(states))[1].exp()

    def behaviour(self, states: Tensor) -> Tensor:
        """Returns what training follows: P_F, tempered and mixed with uniform legal actions."""
        log_pf = self.split(self.policies(states))[0]
        legal = self.environment.legal(states)
        if self.temperature != 1:
            log_pf = masked_log_softmax(log_pf / self.temperature, legal)
        uniform = (legal / legal.sum(-1, keepdim=True)).to(log_pf)
        return torch.lerp(log_pf.exp(), uniform, self.epsilon)

    def table(self, f: StateMap, queries: int) -> tuple[Graph, Tensor] | None:
        """Returns the graph and f of all its states; None where `queries` are fewer."""
        environment = self.environment
        if environment.num_states > queries or not environment.is_listed:
            return None
        graph = self.graph.to(self.device)
        return graph, f(graph.states)

    def tabulated(self, f: StateMap, queries: int) -> StateMap:
        """Returns f itself, or a table of f where fewer states exist than `queries`."""
        known = self.table(f, queries)
        if known is None:
            return f
        graph, table = known

        def look_up(states: Tensor) -> Tensor:
            rows = graph.rows(states).flatten()
            return table.index_select(0, rows).unflatten(0, states.shape[:-1])

        return look_up

    @torch.no_grad()
    def play(self, n: int, policy: StateMap) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields n episodes by a policy, in parts that bound the memory; see `rollout`."""
        length, stop = self.environment.length, self.environment.stop
        known = self.table(policy, n * length)
        for m in _sizes(n, max(1, STATES_AT_ONCE // length)):
            if known is None:
                yield rollout(self.environment, m, policy, self.device)
            else:
                yield walk(known[0], m, known[1], stop)

    # Training.

    @torch.no_grad()
    def prepare(self, task: TrainingTask) -> None:
        """Sets log Z, where it is a parameter, to its mean estimate by first trajectories."""
        if self.has_log_z:
            first = next(iter(self.batches(task, FIRST)))
            log_ratio = self.log_ratio(first.states, first.actions)
            self.log_flow.fill_((first.log_reward - log_ratio).mean())

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Trajectories]:
        """Yields trajectories for ever: of the current policy, and replayed ones."""
        if task.log_reward is None:
            raise ValueError("Expected a task with a reward, got none.")

        def play(n: int) -> Trajectories:
            states, actions = zip(*self.play(n, self.behaviour), strict=True)
            return self._judged(task, torch.cat(states), torch.cat(actions))

        def replay(ends: Tensor) -> Trajectories:
            return self._judged(task, *self.unroll(ends))

        return Episodes(play, replay, batch_size, self.replay, self.capacity)

    def _judged(self, task: TrainingTask, states: Tensor, actions: Tensor) -> Trajectories:
        if task.log_reward is None:
            raise ValueError("Expected a task with a reward, got none.")
        log_reward = task.log_reward(self._points(states[:, -1])).float()
        log_partial = log_reward.new_zeros(actions.shape)
        if self.looks_forward and task.log_partial_reward is not None:
            log_partial = task.log_partial_reward(states.flatten(0, 1)).float()
            log_partial = log_partial.view(actions.shape)
        return Trajectories(states, actions, log_reward, log_partial)

    def _points(self, ends: Tensor) -> Tensor:
        return self.environment.points(ends).unflatten(1, self.domain.shape)

    def unroll(self, ends: Tensor) -> tuple[Tensor, Tensor]:
        """Draws an episode that ends in each state `(N, W)`, by P_B."""
        with torch.no_grad():
            queries = len(ends) * self.environment.length
            return unroll(self.environment, ends, self.tabulated(self.backward_policy, queries))

    def steps(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns log P_F and log P_B of the actions of episodes, and log F of their states.

        Args:
            states: See `Trajectories`, `(B, L, W)`.
            actions: `(B, L)`.

        Returns:
            log P_F(s_{t+1} | s_t) `(B, L)`, 0 after the stop; log P_B(s_t | s_{t+1}) `(B, L)`, 0
            from the stop on; log F(s_t) `(B, L)`, 0 where the net gives none.
        """
        policies = self.tabulated(self.policies, actions.numel())(states)
        forward, backward, flow = self.split(policies)
        given = Trajectories(states, actions, actions, actions)
        moves, taken = given.moves(self.environment.stop), given.taken(self.environment.stop)
        log_pf = forward.gather(2, actions.unsqueeze(2)).squeeze(2).where(taken, 0)
        # Where an action stops, move 0 stands in and is left out.
        undone = actions.where(moves, 0)[:, :-1].unsqueeze(2)
        log_pb = backward[:, 1:].gather(2, undone).squeeze(2).where(moves[:, :-1], 0)
        log_pb = torch.cat([log_pb, torch.zeros_like(log_pf[:, :1])], dim=1)
        return log_pf, log_pb, flow.squeeze(2) if self.has_flow else torch.zeros_like(log_pf)

    def log_ratio(self, states: Tensor, actions: Tensor) -> Tensor:
        """Returns log P_F(tau) - log P_B(tau | x) of episodes, shape `(B,)`."""
        log_pf, log_pb, _ = self.steps(states, actions)
        return (log_pf - log_pb).sum(1)

    # What a trained model says.

    @torch.no_grad()
    def log_z(self) -> float | None:
        """Returns the learnt log Z = log F(s_0) in nats; None where the objective has none."""
        if self.has_log_z:
            return float(self.log_flow)
        if self.has_flow:
            return float(self.policies(self.environment.source(1, self.device))[0, -1])
        return None

    @torch.no_grad()
    def terminal_law(self) -> Tensor:
        """Returns the exact probability of every point of `Domain.states()`, float64 `(S,)`.

        Raises:
            ValueError: There are too many states.
        """
        graph = self.graph.to(self.device)
        policy = self.forward_policy(graph.states)
        law = terminal_law(graph, policy, self.environment.stop)
        points = self.domain.index(self._points(graph.states[graph.ends]))
        return law.new_zeros(len(points)).scatter(0, points, law[graph.ends])

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points by P_F."""
        drawn = [states[:, -1] for states, _ in self.play(n, self.forward_policy)]
        return self._points(torch.cat(drawn))

    def proposals(self, n: int) -> tuple[Tensor, Tensor]:
        """Draws n points by P_F with log P_F(tau) - log P_B(tau | x); see `GenerativeModel`."""
        with torch.no_grad():
            found = [
                (states[:, -1], self.log_ratio(states, actions))
                for states, actions in self.play(n, self.forward_policy)
            ]
            ends, log_q = (torch.cat(parts) for parts in zip(*found, strict=True))
            return self._points(ends), log_q

    def log_proposal(self, x: Tensor) -> Tensor:
        """Returns log P_F(tau) - log P_B(tau | x), tau ~ P_B; see `GenerativeModel`."""
        with torch.no_grad():
            return self._log_ratios(x, 1).squeeze(1)

    def _log_ratios(self, x: Tensor, K: int) -> Tensor:
        """Log P_F / P_B of K backward trajectories of each point, `(N, K)`."""
        points = x.flatten(1)
        admitted = self.environment.admits(points)
        ends = self.environment.ends(points[admitted]).repeat_interleave(K, 0)
        chunks = ends.split(max(1, STATES_AT_ONCE // self.environment.length))
        found = [self.log_ratio(*self.unroll(chunk)) for chunk in chunks if len(chunk)]
        log_ratio = torch.full((len(x), K), -math.inf, device=self.device)
        if found:
            log_ratio[admitted] = torch.cat(found).unflatten(0, (-1, K))
        return log_ratio

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns log p(x) in nats, shape `(B,)`: exact, or a bound by the number of states."""
        if self.likelihood is Likelihood.EXACT:
            return self._law()[self.domain.index(x)].log().float()
        K = draws or self.particles
        return self._log_ratios(x, K).logsumexp(1) - math.log(K)

    def estimator(self, draws: int | None = None) -> str:
        exact = self.likelihood is Likelihood.EXACT
        return "exact" if exact else f"{draws or self.particles} backward trajectories"

    def _law(self) -> Tensor:
        """The exact law with a 0 for what is no point, kept until a parameter changes."""
        state = tuple(p._version for p in self.parameters())
        if self._kept is None or self._kept[0] != state:
            law = self.terminal_law().to(self.device)
            self._kept = (state, torch.cat([law, law.new_zeros(1)]))
        return self._kept[1]


def _check(
    epsilon: float, temperature: float, replay: float, capacity: int, particles: int
) -> None:
    if particles < 1:
        raise ValueError(f"Expected particles >= 1, got {particles}.")
    if not (0 <= epsilon <= 1 and temperature > 0 and 0 <= replay < 1 and capacity >= 0):
        raise ValueError(
            "Expected epsilon in [0, 1], temperature > 0, replay in [0, 1) and capacity >= 0, got "
            f"{epsilon}, {temperature}, {replay} and {capacity}."
        )


def _sizes(n: int, most: int) -> list[int]:
    """Splits n into parts of at most `most`."""
    return [min(most, n - first) for first in range(0, n, most)]
