"""Trajectories through an environment: how they are kept, drawn and undone; and exact laws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...benchmark.contract.environment import Environment, Graph

# Maps states `(..., W)` to values `(..., V)`.
StateMap = Callable[[Tensor], Tensor]


@dataclass
class Trajectories:
    """Episodes of L actions, padded after their stop.

    Attributes:
        states: State before each action, shape `(B, L, W)`; after the stop, the terminal state.
        actions: Shape `(B, L)`; after the stop, further stops.
        log_reward: log R of the terminal state in nats, shape `(B,)`.
        log_partial: What each state is worth, in nats, shape `(B, L)`; zeros where the objective
            does not look forward.
    """

    states: Tensor
    actions: Tensor
    log_reward: Tensor
    log_partial: Tensor

    def moves(self, stop: int) -> Tensor:
        """Returns which actions are moves, bool `(B, L)`."""
        return self.actions < stop

    def taken(self, stop: int) -> Tensor:
        """Returns which actions are moves or an episode's own stop, not padding, `(B, L)`."""
        moves = self.moves(stop)
        return torch.cat([torch.ones_like(moves[:, :1]), moves[:, :-1]], dim=1)


def masked_log_softmax(logits: Tensor, legal: Tensor) -> Tensor:
    """Returns log-probabilities over the legal entries, -inf elsewhere.

    A row without a legal entry (the source has no parents) is all -inf, with zero gradients.
    """
    log_p = logits.masked_fill(~legal, -1e9).log_softmax(-1)
    return log_p.masked_fill(~legal, -math.inf)


@torch.no_grad()
def rollout(
    environment: Environment, n: int, policy: StateMap, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Plays n episodes from the source.

    Args:
        environment: The environment.
        n: Number of episodes.
        policy: Probabilities of the actions, `(N, W)` to `(N, M + 1)`.
        device: Where.

    Returns:
        States `(n, L, W)` and actions `(n, L)` as in `Trajectories`, with L the longest episode.
    """
    state = environment.source(n, device)
    action = torch.full((n,), -1, device=device)
    states, actions = [], []
    for _ in range(environment.length):
        drawn = policy(state).multinomial(1).squeeze(1)
        action = torch.where(action == environment.stop, action, drawn)
        states.append(state)
        actions.append(action)
        state = environment.step(state, action)
    return torch.stack(states, 1), torch.stack(actions, 1)


@torch.no_grad()
def walk(graph: Graph, n: int, policy: Tensor, stop: int) -> tuple[Tensor, Tensor]:
    """Plays n episodes from the source of a listed environment: `rollout` by rows of its states.

    An action is drawn by a race: the one whose exponential time of rate P(action) is first.

    Args:
        graph: The listed environment, on the policy's device.
        n: Number of episodes.
        policy: Probabilities of the actions in all states, `(S, M + 1)`.
        stop: The action that ends an episode.

    Returns:
        States and actions as `rollout` returns them.
    """
    length = len(graph.layers) - 1
    here = torch.arange(len(graph.states), device=policy.device).unsqueeze(1)
    after = torch.cat([graph.children, here], dim=1)  # a stop stays where it is
    row = here.new_zeros(n)
    action = torch.full_like(row, -1)
    rows, actions = [], []
    for waits in policy.new_empty(length, n, policy.shape[1]).exponential_():
        drawn = (policy[row] / waits).argmax(1)
        action = torch.where(action == stop, action, drawn)
        rows.append(row)
        actions.append(action)
        row = after[row, action]
    return graph.states[torch.stack(rows, 1)], torch.stack(actions, 1)


@torch.no_grad()
def unroll(environment: Environment, ends: Tensor, policy: StateMap) -> tuple[Tensor, Tensor]:
    """Draws an episode that ends in each state, backward.

    Args:
        environment: The environment.
        ends: States `(N, W)` that may stop.
        policy: Probabilities of the undone moves, `(N, W)` to `(N, M)`; zero at the source.

    Returns:
        States `(N, L, W)` and actions `(N, L)` as in `Trajectories`.
    """
    state, states = ends, [ends]
    actions = [torch.full((len(ends),), environment.stop, device=ends.device)]
    for _ in range(environment.length - 1):
        home = (state == 0).all(1)
        weights = policy(state).masked_fill(home[:, None], 1.0)
        move = weights.multinomial(1).squeeze(1)
        state = torch.where(home[:, None], state, environment.undo(state, move))
        states.append(state)
        actions.append(move.masked_fill(home, -1))
    return _in_order(
        ends, torch.stack(states, 1).flip(1), torch.stack(actions, 1).flip(1), environment.stop
    )


def _in_order(ends: Tensor, states: Tensor, actions: Tensor, stop: int) -> tuple[Tensor, Tensor]:
    """Moves the wait at the source, marked -1, from the start to stops at the end."""
    order = (actions < 0).long().argsort(dim=1, stable=True)
    actions = actions.gather(1, order)
    states = states.gather(1, order.unsqueeze(2).expand_as(states))
    waits = (actions < 0).unsqueeze(2)
    return states.where(~waits, ends.unsqueeze(1)), actions.where(actions >= 0, stop)


def terminal_law(graph: Graph, policy: Tensor, stop: int) -> Tensor:
    """Returns the exact law of the state in which an episode stops, by dynamic programming.

    With m(s) the probability that an episode visits s, m(source) = 1 and
    m(s') = sum_{s -> s'} m(s) P_F(s' | s), p(s) = m(s) P_F(stop | s).

    Args:
        graph: The listed environment, on the policy's device.
        policy: P_F of all states, shape `(S, M + 1)`; zero on illegal actions.
        stop: The action that ends an episode.

    Returns:
        float64, shape `(S,)`, with sum 1.
    """
    policy, children = policy.double(), graph.children
    visits = policy.new_zeros(len(policy))
    visits[0] = 1
    for start, end in zip(graph.layers[:-1], graph.layers[1:], strict=True):
        rows, moves = (children[start:end] >= 0).nonzero(as_tuple=True)
        rows = rows + start
        visits.index_add_(0, children[rows, moves], visits[rows] * policy[rows, moves])
    return visits * policy[:, stop]
