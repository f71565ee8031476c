"""What a model along an ordinary differential equation may offer: its flow, as functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

# Velocity and its divergence, `(B, D)` and `(B,)`, at a time (a scalar) and points `(B, D)`.
Field = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class ProbabilityFlow:
    """Data follow dy/dt = v(y, t) to a base whose density is known; log-densities in nats.

    Attributes:
        field: Makes the field of points `(B, D)`: where the divergence is estimated, its random
            directions are drawn once for each point.
        data: Time at which points are data.
        noise: Time at which they are of the base.
        log_base: Log-density of the base, `(B, D)` to `(B,)`.
        seen: Real coordinates `(B, *shape)` of points of the domain, and what log p owes them in
            nats, `(B,)` or a scalar; draws the noise of integers.
        exact: Whether the divergence is exact.
    """

    field: Callable[[Tensor], Field]
    data: float
    noise: float
    log_base: Callable[[Tensor], Tensor]
    seen: Callable[[Tensor], tuple[Tensor, Tensor]]
    exact: bool
