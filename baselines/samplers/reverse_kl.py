r"""A normalising flow fitted to a reward by the reverse Kullback-Leibler divergence.

Rezende & Mohamed, Variational Inference with Normalizing Flows, ICML 2015, arXiv:1505.05770, with
the target in the place of a posterior. With x = f^{-1}(z), z ~ N(0, I), and q the flow's density,

    L = E_z[log q(x) - log R(x)] = KL(q || R / Z) - log Z.

It needs no samples of the target, and prefers to leave modes out (their absence costs nothing).
The flow is a neural spline flow with coupling layers (arXiv:1906.04032).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor, nn

from ...benchmark.contract.task import Domain, TrainingTask
from ..flows.base import Flow
from ..flows.coupling import LULinear, SplineCoupling
from .base import LogReward, positive, real_only, reward_of


class ReverseKL(Flow):
    """Spline flow that descends the reverse divergence.

    Args:
        domain: Real vectors.
        transforms: Coupling layers.
        width: Width of the residual nets of the couplings.
        blocks: Blocks of those nets.
        bins: Bins of a spline.
        bound: The splines live on [-bound, bound] of coordinates divided by `scale`.
        scale: Standard deviation of the flow before it is trained.
        lr: Learning rate.
    """

    family = "sampler"
    paper = "arXiv:1505.05770"
    learns_from = "reward"
    selects_on_val = False

    def __init__(
        self,
        domain: Domain,
        transforms: int = 4,
        width: int = 64,
        blocks: int = 2,
        bins: int = 8,
        bound: float = 4.0,
        scale: float = 1.0,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(domain, particles=1, lr=lr)
        layers: list[nn.Module] = []
        for _ in range(transforms):
            layers += [
                LULinear(domain.dim),
                SplineCoupling(domain.dim, width, blocks, bins, bound),
            ]
        self.flow = self.chain(layers)
        self.entry.log_scale.data.fill_(math.log(positive("scale", scale)))
        self.log_reward: LogReward | None = None

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return real_only(domain)

    def prepare(self, task: TrainingTask) -> None:
        """Takes the reward; nothing of the rows."""
        self.log_reward = reward_of(task)

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Tensor]:
        """Yields noise z, `(B, D)`, for ever."""
        while True:
            yield self.noise(batch_size)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the mean of log q(x) - log R(x) in nats over noise `(B, D)`."""
        if self.log_reward is None:
            raise ValueError("Expected a reward; call `prepare` first.")
        x, log_det = self.flow(batch, inverse=True)
        D = self.domain.dim
        log_q = -0.5 * (batch.square().sum(1) + D * math.log(2 * math.pi)) - log_det
        return (log_q - self.log_reward(x.unflatten(1, self.domain.shape))).mean()
