r"""Samples and likelihoods of the flow of an ordinary differential equation dx/dt = v(x, t).

Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, arXiv:1806.07366. The density
follows the instantaneous change of variables (eq. 8), from the base at t = 0 to data at t = 1:

    d/dt log p_t(x(t)) = -div v(x(t), t)
    log p_1(x(1))      = log p_0(x(0)) - int_0^1 div v(x(t), t) dt.

The divergence is exact, D products e^T (dv/dx) e with unit vectors, or Hutchinson's estimate, one
such product with random signs e (FFJORD, arXiv:1810.01367, eq. 7). Neither makes the integral
exact: what comes out is an estimate, never a bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torchdiffeq import odeint  # type: ignore[import-untyped]

from ...benchmark.contract.flow import Field, ProbabilityFlow

Velocity = Callable[[Tensor, Tensor], Tensor]
FIXED = ("euler", "midpoint", "rk4")
SOLVERS = (*FIXED, "dopri5")
ROWS = 2**14  # rows whose products e^T (dv/dx) e are taken at once


def integrate(
    f: Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]],
    state: tuple[Tensor, ...],
    start: float,
    end: float,
    solver: str = "midpoint",
    steps: int = 32,
) -> tuple[Tensor, ...]:
    """Solves an initial value problem from `start` to `end`, either way in time.

    Args:
        f: Time derivative of the state, `(t, state) -> state`, t a scalar.
        state: Tensors at time `start`.
        start: First time.
        end: Last time.
        solver: "euler", "midpoint", "rk4" (fixed steps) or "dopri5" (adaptive, tolerance 1e-5).
        steps: Number of steps of a fixed-step solver.

    Returns:
        The state at time `end`.

    Raises:
        ValueError: The solver is unknown or `steps` is not positive.
    """
    if solver not in SOLVERS:
        raise ValueError(f"Expected one of {', '.join(SOLVERS)} as solver, got {solver!r}.")
    if steps < 1:
        raise ValueError(f"Expected at least one step, got {steps}.")
    times = torch.tensor([start, end], device=state[0].device, dtype=state[0].dtype)
    options = {"step_size": abs(end - start) / steps} if solver in FIXED else None
    path = odeint(f, state, times, method=solver, rtol=1e-5, atol=1e-5, options=options)
    return tuple(component[-1] for component in path)


def push(velocity: Velocity, noise: Tensor, solver: str, steps: int) -> Tensor:
    """Carries points from t = 0 to t = 1.

    Args:
        velocity: v(x, t), shapes `(B, D)` and `(B,)` to `(B, D)`.
        noise: Points at t = 0, shape `(B, D)`.
        solver: See `integrate`.
        steps: See `integrate`.

    Returns:
        Points at t = 1, shape `(B, D)`.
    """

    def f(t: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (velocity(state[0], t.expand(len(noise))),)

    return integrate(f, (noise,), 0.0, 1.0, solver, steps)[0]


def log_density(flow: ProbabilityFlow, x: Tensor, solver: str = "rk4", steps: int = 20) -> Tensor:
    """Estimates the log-density of points in nats, shape `(B,)`.

    Args:
        flow: Where they go.
        x: Points at the flow's time of data, shape `(B, D)`.
        solver: See `integrate`.
        steps: See `integrate`.
    """
    field = flow.field(x)
    state = (x, x.new_zeros(len(x)))
    noise, gain = integrate(
        lambda t, now: field(t, now[0]), state, flow.data, flow.noise, solver, steps
    )
    return flow.log_base(noise) + gain


def directions(x: Tensor, exact: bool) -> Tensor:
    """Returns the directions of a divergence at points `(B, D)`, `(D, 1, D)` or `(1, B, D)`.

    Args:
        x: The points.
        exact: Whether they are all unit vectors, or one of random signs a point (Hutchinson).
    """
    if exact:
        return torch.eye(x.shape[1], device=x.device, dtype=x.dtype).unsqueeze(1)
    return torch.randint_like(x, 2).mul(2).sub(1).unsqueeze(0)


def field_of(velocity: Velocity, exact: bool) -> Callable[[Tensor], Field]:
    """Returns what makes the field of a velocity, with its divergence; see `ProbabilityFlow`."""

    def field(x: Tensor) -> Field:
        e = directions(x, exact)
        return lambda t, y: velocity_and_divergence(velocity, y, t.expand(len(y)), e)

    return field


def log_normal(x: Tensor, scale: float = 1.0) -> Tensor:
    """Returns log N(x; 0, scale^2 I) in nats, shape `(B,)`, of points `(B, D)`."""
    constant = x.shape[1] * math.log(scale * math.sqrt(2 * math.pi))
    return -0.5 * (x / scale).square().sum(1) - constant


def velocity_and_divergence(
    velocity: Velocity, x: Tensor, t: Tensor, probes: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns v and sum_k e_k^T (dv/dx) e_k over the probes e.

    Args:
        velocity: v(x, t), shapes `(B, D)` and `(B,)` to `(B, D)`.
        x: Points, shape `(B, D)`.
        t: Times, shape `(B,)`.
        probes: Directions, shape `(K, B, D)` or `(K, 1, D)`: the unit vectors for the exact
            divergence, one array of random signs for Hutchinson's estimate.

    Returns:
        Shapes `(B, D)` and `(B,)`.
    """
    v, divergence = x, x.new_zeros(len(x))
    # Several directions at once, as rows: for few rows the time is that of the number of calls.
    for part in probes.split(max(1, ROWS // len(x))):
        k = len(part)
        cotangent = part.expand(k, *x.shape).flatten(0, 1)
        values, pulled = vjp(velocity, x.repeat(k, 1), t.repeat(k), cotangent)
        v = values[: len(x)]
        divergence = divergence + (pulled * cotangent).sum(1).unflatten(0, (k, -1)).sum(0)
    return v, divergence


def vjp(velocity: Velocity, x: Tensor, t: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
    """Returns v and e^T (dv/dx) for directions e, all of shape `(B, D)`.

    In reverse mode: forward mode gives the same divergence in 2 to 4 times the time (torch 2.13,
    where the forward derivative of a group norm is composed in Python).
    """
    v, pull, *_ = torch.func.vjp(lambda y: velocity(y, t), x)
    return v, pull(cotangent)[0]
