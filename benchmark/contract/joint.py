"""What a model with latents may offer beside its samples: its decoder, as functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Joint:
    """p(z) p(x | z) with p(z) = N(0, I); all log-densities in nats.

    Attributes:
        latent: Dimension L of z.
        log_conditional: log p(x | z) of seen points and of latents `(C, B, L)`, shape `(C, B)`.
        simulate: Seen points of one draw of p(x | z) for each latent `(B, L)`.
        seen: From points of the domain `(B, *shape)` to what `log_conditional` takes.
        words: What a reader must know of the law; empty where it is the model's own.
        device: Where latents must be.
    """

    latent: int
    log_conditional: Callable[[Tensor, Tensor], Tensor]
    simulate: Callable[[Tensor], Tensor]
    seen: Callable[[Tensor], Tensor] = lambda x: x
    words: str = ""
    device: torch.device | str = "cpu"

    def sample_prior(self, n: int) -> Tensor:
        """Draws z ~ N(0, I), shape `(n, L)`."""
        return torch.randn(n, self.latent, device=self.device)

    def log_prior(self, z: Tensor) -> Tensor:
        """Returns log N(z; 0, I), shape `(C, B)`."""
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)


@dataclass(frozen=True)
class Generator:
    """A decoder without noise, which has no density: x = decode(z), z ~ N(0, I).

    Attributes:
        latent: Dimension L of z.
        decode: From latents `(N, L)` to scaled points `(N, D)`.
        seen: From points of the domain `(B, *shape)` to scaled points `(B, D)`, dequantised.
        log_abs_det: log |d scaled / d x| in nats.
        device: Where latents must be.
    """

    latent: int
    decode: Callable[[Tensor], Tensor]
    seen: Callable[[Tensor], Tensor]
    log_abs_det: float
    device: torch.device | str = "cpu"

    def with_noise(self, scale: float) -> Joint:
        """Returns the law with Gaussian noise of one scale around the scaled points."""

        def log_conditional(y: Tensor, z: Tensor) -> Tensor:
            mean = self.decode(z.flatten(0, -2)).reshape(*z.shape[:-1], -1)
            constant = y.shape[-1] * (math.log(scale) + 0.5 * math.log(2 * math.pi))
            squares = ((y - mean) / scale).square().sum(-1)
            return self.log_abs_det - constant - 0.5 * squares

        def simulate(z: Tensor) -> Tensor:
            mean = self.decode(z)
            return mean + scale * torch.randn_like(mean)

        words = f"with Gaussian noise of scale {scale:.2g}, fitted on val, in scaled units"
        return Joint(self.latent, log_conditional, simulate, self.seen, words, self.device)
