r"""Likelihoods along an ordinary differential equation, with the error of the solver.

Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, arXiv:1806.07366, eq. 8: where
points follow dx/dt = v(x, t) from time a (data) to time b (a base with density p_b),

    log p_a(x(a)) = log p_b(x(b)) + int_a^b div v(x(t), t) dt.

The solver is adaptive (Dormand & Prince 1980, order 5) and keeps its local error within a
tolerance; what that leaves in the integral it does not say. The same integral at two tolerances
does: their difference bounds what is left, as long as it falls with the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchdiffeq import odeint  # type: ignore[import-untyped]

from ..estimate import Estimate
from ..numerics.row_mean import row_mean

Field = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
LOOSER = 100.0  # how many times looser the second tolerance is
MOST = 5000  # evaluations of a field at one tolerance


@dataclass(frozen=True)
class Integrated:
    """A likelihood at two tolerances.

    Attributes:
        value: log p in nats at the tighter tolerance, shape `(B,)`.
        looser: At the looser one.
        evaluations: Of the field at the tighter tolerance.
    """

    value: Tensor
    looser: Tensor
    evaluations: int

    @property
    def discretisation(self) -> Estimate:
        """Mean absolute difference of the two in nats, with its standard error over points.

        Raises:
            ValueError: Fewer than two points.
        """
        return row_mean((self.value - self.looser).abs())


def ode_log_likelihood(
    field: Field,
    x: Tensor,
    log_base: Callable[[Tensor], Tensor],
    *,
    start: float = 1.0,
    end: float = 0.0,
    tolerance: float = 1e-5,
) -> Integrated:
    """Integrates a likelihood at two tolerances, a hundred times apart.

    Args:
        field: v and its divergence, `(B, D)` and `(B,)`, at a time (a scalar) and points `(B, D)`;
            an estimate of the divergence must use the same directions in every call.
        x: Points at time `start`, shape `(B, D)`.
        log_base: Log-density of the base in nats, `(B, D)` to `(B,)`.
        start: Time of the data.
        end: Time of the base.
        tolerance: The tighter tolerance, relative and absolute; float32 resolves 1e-6 at best.

    Raises:
        ValueError: A tolerance that is not between 0 and 1e-2, no point, or a field whose
            values are NaN or infinite, with the first time at which they are, or that takes more
            than 5,000 evaluations.
    """
    if not 0 < tolerance <= 1e-2:
        raise ValueError(f"Expected a tolerance above 0 and at most 0.01, got {tolerance:g}.")
    if x.ndim != 2 or not len(x):
        raise ValueError(f"Expected points of shape (B, D), got {tuple(x.shape)}.")
    looser, _ = _solve(field, x, log_base, (start, end), tolerance * LOOSER)
    value, calls = _solve(field, x, log_base, (start, end), tolerance)
    return Integrated(value, looser, calls)


def _solve(
    field: Field,
    x: Tensor,
    log_base: Callable[[Tensor], Tensor],
    times: tuple[float, float],
    tolerance: float,
) -> tuple[Tensor, int]:
    """Returns log p of the points, and how often the field was asked."""
    calls = 0

    def watched(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        nonlocal calls
        calls += 1
        v, divergence = field(t, state[0])
        if not bool(v.isfinite().all() & divergence.isfinite().all()):
            raise ValueError(f"Expected a finite velocity, got NaN or infinity at t = {t:.4g}.")
        if calls > MOST:
            raise ValueError(
                f"Expected a field that a tolerance of {tolerance:g} can be held on, got one that "
                f"took more than {MOST:,} evaluations, up to t = {t:.4g}; use a looser tolerance."
            )
        return v, divergence

    state = (x, x.new_zeros(len(x)))
    span = torch.tensor(times, device=x.device, dtype=x.dtype)
    path = odeint(watched, state, span, method="dopri5", rtol=tolerance, atol=tolerance)
    at_base, gain = (part[-1] for part in path)
    return log_base(at_base) + gain, calls
