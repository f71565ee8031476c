"""What generators share that are trained on a discrepancy of two samples, without a critic."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.joint import Generator
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..nets.roles import decoder
from ..training import NeuralModel


class SampleMatcher(NeuralModel):
    """A generator G(z), z ~ N(0, I); a member says how far draws are from data.

    Integers are dequantised.

    Args:
        domain: What one point is.
        latent: Dimension L of z.
        hidden: Widths of the hidden layers of the generator on vectors.
        channels: Its channels on images.
        lr: Learning rate.
    """

    family = "moment"
    likelihood = Likelihood.NONE
    network = "generator"
    half_life = 0.05

    def __init__(
        self, domain: Domain, latent: int, hidden: Sequence[int], channels: int, lr: float
    ) -> None:
        super().__init__(domain, lr)
        self.latent = latent
        self.generator = decoder(latent, domain, 1, hidden, channels)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.is_nominal:
            return "the generator needs a gradient through x, and unordered tokens have none"
        return None

    @abstractmethod
    def discrepancy(self, drawn: Tensor, data: Tensor) -> Tensor:
        """Returns the loss of scaled draws and data, each `(B, D)`; a scalar."""

    def generate(self, n: int) -> Tensor:
        """Returns G(z), n scaled points, shape `(n, D)`."""
        return self.generator(torch.randn(n, self.latent, device=self.device))

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the discrepancy of the batch `(B, *shape)` and as many draws."""
        return self.discrepancy(self.generate(len(batch)), self.scaling.encode(batch).flatten(1))

    def joint(self) -> Generator:
        """Returns G as functions; z is N(0, I) already."""

        def seen(x: Tensor) -> Tensor:
            return self.scaling.encode(x).flatten(1)

        constant = float(self.scaling.log_abs_det)
        return Generator(self.latent, self.generator, seen, constant, self.device)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.points(self.generate(n))
