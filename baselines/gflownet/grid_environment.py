r"""The hypergrid as a graph of states, and the exact law of a policy's terminal states.

Bengio et al. 2021 (arXiv:2106.04399, section 4.1): states are {0, ..., H-1}^D, an episode starts
at the origin, each action adds 1 to one coordinate, or stops. All H^D states are terminal ones:
an episode that reaches H-1 in a coordinate goes on in the others.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain


class GridEnvironment:
    """States, actions and their masks. Actions 0..D-1 add 1 to that coordinate; D stops.

    Args:
        domain: Integers 0..H-1 in D coordinates; other event shapes are flattened.
    """

    def __init__(self, domain: Domain) -> None:
        if domain.levels is None:
            raise ValueError("Expected a domain of integers, got real values.")
        self.domain = domain
        self.dim, self.levels = domain.dim, domain.levels

    @property
    def actions(self) -> int:
        """Number of actions, D + 1."""
        return self.dim + 1

    @property
    def stop(self) -> int:
        """The action that ends an episode."""
        return self.dim

    @property
    def length(self) -> int:
        """Most actions of an episode, the stop among them."""
        return self.dim * (self.levels - 1) + 1

    def features(self, states: Tensor) -> Tensor:
        """One-hot codes of states `(..., D)`, shape `(..., D * H)`."""
        levels = torch.arange(self.levels, device=states.device)
        return (states.unsqueeze(-1) == levels).flatten(-2).float()

    def forward_mask(self, states: Tensor) -> Tensor:
        """Which actions are legal in states `(..., D)`, shape `(..., D + 1)`; stopping always."""
        stop = torch.ones_like(states[..., :1], dtype=torch.bool)
        return torch.cat([states < self.levels - 1, stop], dim=-1)

    def backward_mask(self, states: Tensor) -> Tensor:
        """Which coordinates the last action may have raised, shape `(..., D)`."""
        return states > 0

    def move(self, states: Tensor, actions: Tensor, by: int = 1) -> Tensor:
        """Returns the states `(N, D)` after actions `(N,)`; a stop changes nothing."""
        coordinates = torch.arange(self.dim, device=states.device)
        return states + by * (actions.unsqueeze(1) == coordinates).long()

    def terminal_law(self, policy: Tensor) -> Tensor:
        """Returns the exact law of the terminal state, by dynamic programming.

        With m(s) the probability that an episode visits s, m(origin) = 1 and
        m(s') = sum_{s -> s'} m(s) P_F(s' | s), p(x) = m(x) P_F(stop | x).

        Args:
            policy: P_F of all states in the order of `Domain.states()`, shape `(H^D, D + 1)`;
                zero on illegal actions.

        Returns:
            float64, shape `(H^D,)`, with sum 1.
        """
        states = self.domain.states().flatten(1).to(policy.device)
        policy = policy.double()
        place = [self.levels ** (self.dim - 1 - i) for i in range(self.dim)]
        visits = policy.new_zeros(len(states))
        visits[0] = 1
        depth, legal = states.sum(1), self.forward_mask(states)
        for d in range(self.length - 1):
            for i in range(self.dim):
                rows = ((depth == d) & legal[:, i]).nonzero().squeeze(1)
                visits.index_add_(0, rows + place[i], visits[rows] * policy[rows, i])
        return visits * policy[:, self.stop]


def masked_log_softmax(logits: Tensor, legal: Tensor) -> Tensor:
    """Returns log-probabilities over the legal entries, -inf elsewhere.

    A row without a legal entry (the origin has no parents) is all -inf, with zero gradients.
    """
    log_p = logits.masked_fill(~legal, -1e9).log_softmax(-1)
    return log_p.masked_fill(~legal, -math.inf)
