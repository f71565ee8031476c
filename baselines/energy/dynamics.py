r"""Markov chains that leave exp(-E) nearly or wholly alone, guided by the gradient of E.

On real points, unadjusted Langevin dynamics (Du & Mordatch 2019, arXiv:1903.08689, eq. 1):

    x <- x - (step / 2) grad E(x) + w,   w ~ N(0, step).

On one-hot points, its discrete counterpart (Zhang, Liu & Liu 2022, arXiv:2206.09914, eq. 4): every
coordinate moves by itself, to level k with the logits

    -1/2 grad E(x)_{dk} - c [k is not the level that it has],

where c sets how many coordinates move at once; a step is accepted by the rule of Metropolis and
Hastings (their DMALA), so that exp(-E) is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Energy = Callable[[Tensor], Tensor]


def slope(energy: Energy, x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns E `(B,)` and its gradient, of the shape of x `(B, ...)`, both without a graph."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = energy(x)
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), gradient


def langevin(
    energy: Energy, x: Tensor, step: float, steps: int, limit: float = math.inf
) -> Tensor:
    """Runs unadjusted Langevin dynamics at temperature 1.

    Args:
        energy: E, shape `(B, D)` to `(B,)`.
        x: Where the chains start, shape `(B, D)`.
        step: Variance of the noise, twice the step along the gradient.
        steps: Number of steps.
        limit: Most that the gradient may move a coordinate in one step.

    Returns:
        Where the chains end, shape `(B, D)`, without a graph.
    """
    x = x.detach()
    for _ in range(steps):
        drift = (0.5 * step * slope(energy, x)[1]).clamp(-limit, limit)
        x = x - drift + step**0.5 * torch.randn_like(x)
    return x


def discrete_langevin(energy: Energy, x: Tensor, moves: float, steps: int) -> Tensor:
    """Runs the Metropolis-adjusted discrete Langevin dynamics at temperature 1.

    Args:
        energy: E, differentiable, of one-hot points, shape `(B, D, K)` to `(B,)`.
        x: Where the chains start, one-hot, shape `(B, D, K)`.
        moves: Coordinates that a proposal moves on average where the energy is flat.
        steps: Number of proposals.

    Returns:
        Where the chains end, one-hot, without a graph.
    """
    D, K = x.shape[1:]
    share = min(moves / D, 0.5)
    cost = math.log((1 - share) * (K - 1) / share)
    value, gradient = slope(energy, x)
    log_q = _proposal(x, gradient, cost)
    for _ in range(steps):
        gumbel = -torch.empty_like(log_q).exponential_().clamp_min(1e-30).log()
        y = functional.one_hot((log_q + gumbel).argmax(2), K).to(x)
        y_value, y_gradient = slope(energy, y)
        y_log_q = _proposal(y, y_gradient, cost)
        there, back = (log_q * y).sum((1, 2)), (y_log_q * x).sum((1, 2))
        taken = torch.rand_like(value).log() < value - y_value + back - there
        value = torch.where(taken, y_value, value)
        x = torch.where(taken[:, None, None], y, x)
        log_q = torch.where(taken[:, None, None], y_log_q, log_q)
    return x


def _proposal(x: Tensor, gradient: Tensor, cost: float) -> Tensor:
    """Returns the log-probabilities of the levels that a proposal gives, shape `(B, D, K)`."""
    return (-0.5 * gradient - cost * (1 - x)).log_softmax(2)
