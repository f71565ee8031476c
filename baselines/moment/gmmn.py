r"""Generative moment matching network.

Li, Swersky & Zemel, Generative Moment Matching Networks, ICML 2015, arXiv:1502.02761; also
Dziugaite, Roy & Ghahramani, UAI 2015, arXiv:1505.03906.

A generator G(z) is trained on the maximum mean discrepancy of a batch of data x_1..x_B and of
draws y_1..y_B (Li et al.; without the terms i = j it is unbiased),

    MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j),

with Gaussian kernels over a bank of widths h, k(x, y) = sum_h exp(-||x - y||^2 / (2 h^2)).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..nets.mlp import MLP
from ..training import NeuralModel


def mmd2(x: Tensor, y: Tensor, widths: Tensor) -> Tensor:
    """Returns the unbiased estimate of MMD^2, summed over the widths.

    Args:
        x: Points, shape `(N, D)`.
        y: Points, shape `(M, D)`.
        widths: Widths h of the kernels, shape `(H,)`.

    Returns:
        A scalar. Time and memory O((N + M)^2 H).
    """
    n, m = len(x), len(y)
    within_x = (_kernel(x, x, widths).sum() - n * len(widths)) / (n * (n - 1))
    within_y = (_kernel(y, y, widths).sum() - m * len(widths)) / (m * (m - 1))
    return within_x + within_y - 2 * _kernel(x, y, widths).sum() / (n * m)


def _kernel(x: Tensor, y: Tensor, widths: Tensor) -> Tensor:
    """Returns sum_h k(x_i, y_j), shape `(N, M)`."""
    # By the inner product: `cdist` has no gradient at distance 0.
    square = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    square = square.clamp_min(0)
    total = torch.zeros_like(square)
    for h in widths:
        total = total + (square / (-2 * h**2)).exp()
    return total


class GMMN(NeuralModel):
    """A multilayer perceptron trained on MMD^2; integers are dequantised.

    Args:
        domain: What one point is.
        latent: Dimension L of z ~ U[-1, 1]^L.
        hidden: Widths of the hidden layers of the generator.
        bandwidths: Widths h of the kernels, in units of the median distance within train.
        lr: Learning rate.
    """

    family = "moment"
    paper = "arXiv:1502.02761"
    likelihood = Likelihood.NONE
    network = "generator"

    widths: Tensor

    def __init__(
        self,
        domain: Domain,
        latent: int = 16,
        hidden: Sequence[int] = (128, 128),
        bandwidths: Sequence[float] = (0.0625, 0.125, 0.25, 0.5, 1.0),
        lr: float = 5e-3,
    ) -> None:
        super().__init__(domain, lr)
        self.latent, self.bandwidths = latent, tuple(bandwidths)
        self.generator = MLP(latent, domain.dim, hidden, nn.ReLU)
        self.register_buffer("widths", torch.tensor(bandwidths))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if not domain.ordered and (domain.levels or 0) > 2:
            return "its kernels need distances, and unordered tokens have none"
        return None

    def prepare(self, task: TrainingTask) -> None:
        super().prepare(task)
        if task.train is not None:
            rows = self.scaling.encode(task.train[:1024].to(self.device)).flatten(1)
            median = torch.pdist(rows).median().clamp_min(1e-3)
            self.widths.copy_(median * self.widths.new_tensor(self.bandwidths))

    def generate(self, n: int) -> Tensor:
        """Returns G(z), n scaled points, shape `(n, D)`."""
        return self.generator(2 * torch.rand(n, self.latent, device=self.device) - 1)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns MMD^2 between the batch `(B, *shape)` and as many draws."""
        return mmd2(self.scaling.encode(batch).flatten(1), self.generate(len(batch)), self.widths)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.points(self.generate(n))
