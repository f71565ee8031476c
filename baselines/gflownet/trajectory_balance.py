r"""Generative flow network trained by trajectory balance.

Malkin, Jain, Bengio, Sun & Bengio, Trajectory balance: Improved credit assignment in GFlowNets,
NeurIPS 2022, arXiv:2201.13259. A policy P_F builds x step by step, s_0 -> ... -> s_n = x -> stop;
P_B undoes it. If a constant Z makes both sides equal for every trajectory tau,

    Z prod_t P_F(s_{t+1} | s_t) = R(x) prod_t P_B(s_t | s_{t+1}),

then P_F draws x with probability R(x) / Z. The loss is the squared difference of the logarithms:

    L_TB(tau) = (log Z + sum_t log P_F(s_{t+1} | s_t) - log R(x) - sum_t log P_B(s_t | s_{t+1}))^2.
"""

from __future__ import annotations

from torch import Tensor

from .base import GFlowNet
from .trajectories import Trajectories


class TrajectoryBalance(GFlowNet):
    """Trajectory balance; log Z is a parameter with a learning rate of its own."""

    paper = "arXiv:2201.13259"
    has_log_z = True

    def loss(self, batch: Trajectories) -> Tensor:
        """Returns the mean of L_TB over the trajectories."""
        residual = self.log_flow + self.log_ratio(batch.states, batch.actions) - batch.log_reward
        return residual.square().mean()
