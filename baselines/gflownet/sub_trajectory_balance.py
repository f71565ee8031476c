r"""Generative flow network trained by sub-trajectory balance.

Madan, Rector-Brooks, Korablyov, Bengio, Jain, Nica, Bosc, Bengio & Malkin, Learning GFlowNets from
partial episodes for improved convergence and stability, ICML 2023, arXiv:2209.12782. Every part
s_i -> ... -> s_j of a trajectory has a residual; with A_t = sum_{u < t} (log P_F - log P_B) it is

    r_ij = (log F(s_i) - A_i) - (log F(s_j) - A_j),      F(stopped at x) = R(x),

and the loss is their mean with weights lambda^(j - i), normalised within each trajectory (eq. 8).
Lambda towards 0 is detailed balance, lambda towards infinity trajectory balance.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from .base import GFlowNet
from .trajectories import Trajectories


class SubTrajectoryBalance(GFlowNet):
    """Sub-trajectory balance over all parts of trajectories.

    Args:
        domain: Integers with an environment.
        weight: Lambda, the weight of a part for each step of its length.
        hidden: As in `GFlowNet`; likewise the others.
    """

    paper = "arXiv:2209.12782"
    has_flow = True

    def __init__(
        self,
        domain: Domain,
        *,
        weight: float = 0.9,
        hidden: Sequence[int] = (256, 256),
        learns_backward: bool = True,
        epsilon: float = 0.05,
        temperature: float = 1.0,
        replay: float = 0.0,
        capacity: int = 1000,
        particles: int = 16,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(
            domain,
            hidden=hidden,
            learns_backward=learns_backward,
            epsilon=epsilon,
            temperature=temperature,
            replay=replay,
            capacity=capacity,
            particles=particles,
            lr=lr,
        )
        if weight <= 0:
            raise ValueError(f"Expected a weight > 0, got {weight}.")
        self.weight = weight

    def loss(self, batch: Trajectories) -> Tensor:
        """Returns the mean over trajectories of the weighted mean of r_ij^2."""
        log_pf, log_pb, log_flow = self.steps(batch.states, batch.actions)
        zero = torch.zeros_like(log_pf[:, :1])
        A = torch.cat([zero, (log_pf - log_pb).cumsum(1)], dim=1)  # (B, L + 1)
        taken = batch.taken(self.environment.stop)
        ended = torch.cat([taken, torch.zeros_like(taken[:, :1])], dim=1)
        level = torch.cat([log_flow, zero], dim=1).where(ended, batch.log_reward.unsqueeze(1)) - A
        # Nodes 0..n are the states, n + 1 is the end, the others are padding.
        node = torch.cat([torch.ones_like(taken[:, :1]), taken], dim=1)
        residual = level.unsqueeze(2) - level.unsqueeze(1)  # (B, L + 1, L + 1)
        weights = self._weights(node.shape[1], level) * (node.unsqueeze(2) & node.unsqueeze(1))
        square = (weights * residual.square()).sum((1, 2))
        return (square / weights.sum((1, 2))).mean()

    def _weights(self, nodes: int, like: Tensor) -> Tensor:
        """Lambda^(j - i) for i < j, scaled so that the largest is 1: `(nodes, nodes)`."""
        place = torch.arange(nodes, device=like.device)
        length = place.unsqueeze(0) - place.unsqueeze(1)
        longest = 1 if self.weight <= 1 else nodes - 1
        power = self.weight ** (length - longest).to(like)
        return power.where(length > 0, 0)
