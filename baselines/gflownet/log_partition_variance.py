r"""Generative flow network trained by the variance of log Z (VarGrad).

Richter, Boustati, Nuesken, Ruiz & Akyildiz, VarGrad: A Low-Variance Gradient Estimator for
Variational Inference, NeurIPS 2020, arXiv:2010.10436; for GFlowNets Zhang, Chen, Malkin & Bengio,
Unifying Generative Models with GFlowNets, 2022, arXiv:2209.02606. Each trajectory estimates
log Z; at the optimum all estimates are equal, so no Z has to be learnt:

    zeta(tau) = log R(x) + sum_t log P_B - sum_t log P_F,      L = Var_batch zeta(tau).
"""

from __future__ import annotations

from torch import Tensor

from .base import GFlowNet
from .trajectories import Trajectories


class LogPartitionVariance(GFlowNet):
    """Variance of the batch's estimates of log Z."""

    paper = "arXiv:2010.10436"

    def loss(self, batch: Trajectories) -> Tensor:
        """Returns the variance of zeta over the trajectories, shape `()`."""
        zeta = batch.log_reward - self.log_ratio(batch.states, batch.actions)
        return (zeta - zeta.mean()).square().mean()
