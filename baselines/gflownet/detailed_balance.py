r"""Generative flow network trained by detailed balance.

Bengio, Lahlou, Deleu, Hu, Tiwari & Bengio, GFlowNet Foundations, JMLR 24, 2023, arXiv:2111.09266,
section 3.2. Beside the policies the net gives the flow F(s) of a state. Every move s -> s' and
every stop has its own residual:

    L_DB(s, s') = (log F(s) + log P_F(s' | s) - log F(s') - log P_B(s | s'))^2,
    L_DB(x, stop) = (log F(x) + log P_F(stop | x) - log R(x))^2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .base import GFlowNet
from .trajectories import Trajectories


class DetailedBalance(GFlowNet):
    """Detailed balance over the transitions of trajectories; log Z is log F of the source."""

    paper = "arXiv:2111.09266"
    has_flow = True

    def log_flows(self, batch: Trajectories, log_flow: Tensor) -> Tensor:
        """Returns log F of the states, `(B, L)`, of what the net gives for it."""
        return log_flow

    def loss(self, batch: Trajectories) -> Tensor:
        """Returns the mean of L_DB over the moves and stops of all trajectories."""
        log_pf, log_pb, log_flow = self.steps(batch.states, batch.actions)
        log_flow = self.log_flows(batch, log_flow)
        stop = self.environment.stop
        after = torch.cat([log_flow[:, 1:], log_flow[:, -1:]], dim=1)
        after = after.where(batch.moves(stop), batch.log_reward.unsqueeze(1))
        taken = batch.taken(stop)
        residual = (log_flow + log_pf - log_pb - after).where(taken, 0)
        return residual.square().sum() / taken.sum()
