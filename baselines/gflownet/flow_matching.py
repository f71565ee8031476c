r"""Generative flow network trained by flow matching: what flows in flows out.

Bengio, Jain, Korablyov, Precup & Bengio, Flow Network based Generative Models for Non-Iterative
Diverse Candidate Generation, NeurIPS 2021, arXiv:2106.04399, section 3. The net gives the flow of
every edge, F(s -> s') = F(s) P_F(s' | s). Each visited state has a residual, and each stop:

    L_FM(s) = (log sum_{s' -> s} F(s' -> s) - log F(s))^2        (not at the source),
    L_FM(x, stop) = (log F(x -> stop) - log R(x))^2.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .base import GFlowNet
from .trajectories import Trajectories


class GFlowNetFlowMatching(GFlowNet):
    """Flow matching over the states that trajectories visit.

    Every parent of every visited state is evaluated. It has no backward policy; bounds of its
    `log_prob` take the uniform one.

    Arguments are those of `GFlowNet`, of which `learns_backward` has no effect.
    """

    paper = "arXiv:2106.04399"
    has_flow = True
    has_backward = False

    def loss(self, batch: Trajectories) -> Tensor:
        """Returns the mean of L_FM over visited states and stops."""
        states, stop = batch.states, self.environment.stop
        policies = self.tabulated(self.policies, states[..., 0].numel())
        forward, _, flow = self.split(policies(states))
        log_flow, log_stop = flow.squeeze(-1), forward[..., stop]
        taken = batch.taken(stop)
        inner = taken & (states != 0).any(-1)
        match = (self._inflow(policies, states) - log_flow).where(inner, 0)
        ends = taken & ~batch.moves(stop)
        reward = (log_flow + log_stop - batch.log_reward.unsqueeze(1)).where(ends, 0)
        return (match.square().sum() + reward.square().sum()) / (inner.sum() + ends.sum())

    def _inflow(self, policies: Any, states: Tensor) -> Tensor:
        """Log sum over parents s' of F(s') P_F(s | s'), `(B, L)`; 0 at the source."""
        flat = states.flatten(0, 1)
        rows, moves = self.environment.undoable(flat).nonzero(as_tuple=True)
        parents = self.environment.undo(flat[rows], moves)
        forward, _, flow = self.split(policies(parents))
        edge = flow.squeeze(-1) + forward.gather(-1, moves.unsqueeze(-1)).squeeze(-1)
        top = edge.new_full((len(flat),), -math.inf).scatter_reduce(0, rows, edge.detach(), "amax")
        top = top.where(top.isfinite(), 0)
        total = edge.new_zeros(len(flat)).index_add(0, rows, (edge - top[rows]).exp())
        has = torch.zeros_like(total, dtype=torch.bool).index_fill(0, rows, True)
        return (total.where(has, 1).log() + top).view(states.shape[:-1])
