r"""EDM: the elucidated design space of diffusion models.

Karras, Aittala, Aila & Laine, Elucidating the Design Space of Diffusion-Based Generative Models,
NeurIPS 2022, arXiv:2206.00364.

Points x + sigma e are denoised by a preconditioned net (eq. 7),

    D(x; sigma) = c_skip x + c_out F(c_in x; c_noise),

whose inputs and targets have unit variance at every sigma (table 1). Levels are drawn with log
sigma ~ N(-1.2, 1.2^2), and the loss is weighted so that all count alike (eq. 8),

    L = E (sigma^2 + s^2) / (sigma s)^2 || D(x + sigma e; sigma) - x ||^2,

s the standard deviation of the data. Samples follow dx/dsigma = (x - D) / sigma by Heun's method
from sigma = 80 to 0.002 in steps of sigma^{1/7} (eq. 5, algorithm 1): 40 by default, as the paper
has them for faces. The time is sigma / 80, so that a solver steps in sigma, as the paper's does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain, TrainingTask
from ..nets.roles import denoiser
from ..paths.path import Growing
from ..paths.prediction import independent, preconditioning
from .base import Diffusion

LOW, HIGH = 0.002, 80.0
CURVE = 7.0  # rho of eq. 5


class EDM(Diffusion):
    """Diffusion with a preconditioned denoiser and Heun's sampler.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of the net on vectors.
        channels: Channels of the U-Net on images.
        mean: Mean of log sigma in training.
        std: Standard deviation of log sigma in training.
        sampler: See `Diffusion`.
        steps: See `Diffusion`.
        likelihood_steps: See `Diffusion`.
        particles: See `Diffusion`.
        lr: Learning rate.
        dequantisation: See `Diffusion`.
    """

    paper = "arXiv:2206.00364"
    bend = CURVE

    spread: Tensor

    def __init__(
        self,
        domain: Domain,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        mean: float = -1.2,
        std: float = 1.2,
        sampler: str = "heun",
        steps: int = 40,
        likelihood_steps: int = 40,
        particles: int = 8,
        lr: float = 5e-3,
        dequantisation: str = "uniform",
    ) -> None:
        path, first = Growing(HIGH), LOW / HIGH
        super().__init__(
            domain, path, first, sampler, steps, likelihood_steps, particles, lr, dequantisation
        )
        self.mean, self.std = mean, std
        self.net = denoiser(domain, hidden, channels)
        self.register_buffer("spread", torch.tensor(0.5))

    def prepare(self, task: TrainingTask) -> None:
        """Sets the standard deviation of the data, over all coordinates."""
        super().prepare(task)
        if task.train is not None:
            self.spread.copy_(self.dequantiser.size(task.train))

    def guess(self, x: Tensor, t: Tensor) -> Tensor:
        return self.denoised(x, self.path.sigma(t))

    def denoised(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns D of points `(B, D)` at levels `(B,)`; the net sees log sigma in [0, 1]."""
        skip, out, into, _ = preconditioning(sigma[:, None], self.spread)
        level = (sigma / LOW).log() / math.log(HIGH / LOW)
        return skip * x + out * self.net(into * x, level)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the loss of eq. 8 of rows `(B, *shape)`, mean over D."""
        data = self.dequantiser(batch)[0].flatten(1)
        sigma = (self.mean + self.std * torch.randn(len(data), device=data.device)).exp()
        level = sigma[:, None]
        weight = (level.square() + self.spread.square()) / (level * self.spread).square()
        guess = self.denoised(data + level * independent(data), sigma)
        return (weight * (guess - data).square()).mean()
