"""Kernels that leave a density invariant, for many chains of many problems in one batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from .replay import Replayed

LogDensity = Callable[[Tensor], Tensor]  # points (C, B, *shape) to nats (C, B)


class Transition(Protocol):
    """A kernel that leaves a density invariant."""

    @property
    def pilots(self) -> int:
        """Number of first chains by which it adapts itself, and which are not weighted."""

    def __call__(self, z: Tensor, beta: float, log_f: LogDensity) -> tuple[Tensor, Tensor | None]:
        """Moves the chains.

        Args:
            z: Points of the chains, shape `(C, B, *shape)`.
            beta: Place on the path, for a kernel that knows its density there.
            log_f: Log of the density there in nats, up to a constant.

        Returns:
            The points after the move, and the mean acceptance of each problem, shape `(B,)`; None
            where nothing is rejected.
        """


@dataclass
class HMC:
    """Hamiltonian Monte Carlo with one leapfrog step size a problem, adapted on the fly.

    Neal, MCMC using Hamiltonian dynamics, 2011, arXiv:1206.1901. After each move the log of the
    step size grows by `rate` times what the acceptance of the problem's pilots exceeds `wanted`
    by. Pilots are the first chains of each problem; their weights are thrown away. A step size
    that followed the acceptance of the chains that are weighted would bias them, to the wrong side
    in reverse.

    Attributes:
        step: Step size, a number or, once it has moved, one a problem, shape `(B,)`. It begins at
            the base: one that is too small there takes many moves to grow.
        leapfrog: Leapfrog steps a move.
        jitter: Each move's step size is drawn anew within this share of it, or moves of a whole
            period would lead back to where they began.
        wanted: Acceptance that the step size is adapted to.
        rate: How fast; 0 leaves it as it is, and needs no pilots.
        chains: Number of pilots.
        generator: Draws momenta and acceptances; None is torch's own.
    """

    step: float | Tensor = 0.5
    leapfrog: int = 10
    wanted: float = 0.65
    jitter: float = 0.5
    rate: float = 0.1
    chains: int = 4
    generator: torch.Generator | None = field(default=None, repr=False)
    _leaps: _Leaps | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positive = bool((torch.as_tensor(self.step) > 0).all()) and 0 <= self.jitter < 1
        if not positive or self.leapfrog < 1 or self.chains < 1:
            raise ValueError(
                "Expected a positive step size, a jitter below 1, a leapfrog step and a pilot, "
                f"got {self.step}, {self.jitter}, {self.leapfrog} and {self.chains}."
            )

    @property
    def pilots(self) -> int:
        """Number of chains whose weights are thrown away."""
        return self.chains if self.rate else 0

    def __call__(self, z: Tensor, beta: float, log_f: LogDensity) -> tuple[Tensor, Tensor]:
        """Moves the chains once; see `Transition`."""
        problems = z.shape[1]
        step = torch.as_tensor(self.step, dtype=z.dtype, device=z.device).expand(problems)
        part = 1 + self.jitter * (2 * float(torch.rand((), generator=self.generator)) - 1)
        size = part * step.reshape(1, problems, *[1] * (z.ndim - 2))
        if self._leaps is None or self._leaps.log_f != log_f:  # methods are made anew
            self._leaps = _Leaps(log_f, self.leapfrog)
        moved, log_ratio = self._leaps.run(z, self._normal(z), size)
        chance = log_ratio.nan_to_num(nan=-math.inf, posinf=0.0).clamp(max=0).exp()
        accept = self._uniform(chance) < chance
        z = torch.where(accept.reshape(*accept.shape, *[1] * (z.ndim - 2)), moved, z)
        if self.rate:
            rate = chance[: self.pilots].mean(0).to(step.dtype)
            self.step = step * (self.rate * (rate - self.wanted)).exp()
        return z, chance[self.pilots :].mean(0)

    def _normal(self, z: Tensor) -> Tensor:
        drawn = torch.randn(z.shape, dtype=z.dtype, generator=self.generator)
        return drawn.to(z.device)

    def _uniform(self, like: Tensor) -> Tensor:
        drawn = torch.rand(like.shape, dtype=like.dtype, generator=self.generator)
        return drawn.to(like.device)


class _Leaps:
    """The part of a move without chance: on a GPU one CUDA graph, for all moves at one density.

    Args:
        log_f: The density. Where it follows a path its place there is a tensor that it reads.
        leaps: Leapfrog steps.
    """

    def __init__(self, log_f: LogDensity, leaps: int) -> None:
        self.log_f, self.leaps = log_f, leaps
        self.run = Replayed(self._run)

    def _run(self, z: Tensor, momentum: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Returns where the chains come to, and the logs of their acceptances (C, B)."""
        value, slope = _with_slope(self.log_f, z)
        energy = _kinetic(momentum) - value
        moved, p = z, momentum + size / 2 * slope
        for leap in range(self.leaps):
            moved = moved + size * p
            new, slope = _with_slope(self.log_f, moved)
            p = p + (size if leap < self.leaps - 1 else size / 2) * slope
        return moved, energy - (_kinetic(p) - new)


def _with_slope(log_f: LogDensity, z: Tensor) -> tuple[Tensor, Tensor]:
    """The log-density and its gradient at the points."""
    with torch.enable_grad():
        at = z.detach().requires_grad_()
        value = log_f(at)
        (slope,) = torch.autograd.grad(value.sum(), at)
    return value.detach(), slope


def _kinetic(momentum: Tensor) -> Tensor:
    return momentum.square().flatten(2).sum(2) / 2
