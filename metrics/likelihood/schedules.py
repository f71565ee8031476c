"""Schedules of annealing: 0 = beta_0 < ... < beta_T = 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def sigmoid_schedule(steps: int, delta: float = 4.0) -> list[float]:
    """Returns 0 = beta_0 < ... < beta_T = 1, close to each other at both ends.

    beta_t is sigma(delta (2 t / T - 1)), brought to [0, 1] (Wu et al. 2017).

    Args:
        steps: Number T of moves of the path.
        delta: How close; 0 is evenly spaced.

    Raises:
        ValueError: No step, or delta < 0.
    """
    _check_steps(steps)
    if delta < 0:
        raise ValueError(f"Expected delta >= 0, got {delta}.")
    t = np.linspace(-1, 1, steps + 1)
    beta = np.tanh(delta * t / 2) if delta else t
    return [0.0, *((beta - beta[0]) / (beta[-1] - beta[0]))[1:-1].tolist(), 1.0]


def geometric_schedule(steps: int, scale: float = 1e-3) -> list[float]:
    """Returns 0 = beta_0 < ... < beta_T = 1, even up to `scale` and geometric beyond.

    beta_t = s ((1 + 1/s)^(t/T) - 1). The log-likelihood of a decoder of many outputs varies as 1 /
    (beta + s) along the path, s being where the prior gives way: steps in proportion to that lose
    least.

    Args:
        steps: Number T of moves of the path.
        scale: The place s.

    Raises:
        ValueError: No step, or not s > 0.
    """
    _check_steps(steps)
    if not scale > 0:
        raise ValueError(f"Expected scale > 0, got {scale}.")
    t = np.arange(1, steps) / steps
    return [0.0, *(scale * np.expm1(t * math.log1p(1 / scale))).tolist(), 1.0]


def _check_steps(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"Expected at least one step of annealing, got {steps}.")


def checked_schedule(betas: Sequence[float]) -> list[float]:
    """Returns a schedule that rises from 0 to 1.

    Raises:
        ValueError: It does not.
    """
    found = [float(beta) for beta in betas]
    if len(found) < 2 or found[0] != 0 or found[-1] != 1 or np.any(np.diff(found) <= 0):
        shown = ", ".join(f"{beta:g}" for beta in found[:4])
        raise ValueError(f"Expected a schedule that rises from 0 to 1, got [{shown}, ...].")
    return found
