r"""Monotonic rational-quadratic splines with linear tails.

Durkan et al., Neural Spline Flows, NeurIPS 2019, arXiv:1906.04032, section 3.1. Between two knots,
with xi = (x - x_k) / (x_{k+1} - x_k), slope s = (y_{k+1} - y_k) / (x_{k+1} - x_k) and derivatives
d_k, d_{k+1} at the knots (eq. 4 and 5),

    y     = y_k + (y_{k+1} - y_k) (s xi^2 + d_k xi (1 - xi)) / q,
    dy/dx = s^2 (d_{k+1} xi^2 + 2 s xi (1 - xi) + d_k (1 - xi)^2) / q^2,
    q     = s + (d_{k+1} + d_k - 2 s) xi (1 - xi).

The inverse is the root of a quadratic in xi. Outside [-bound, bound] the map is the identity.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# Smallest share of the interval that a bin has, and smallest derivative at a knot.
MIN_SHARE = 1e-3
MIN_DERIVATIVE = 1e-3
# Raw derivatives of 0 stand for a derivative of 1: a spline of zeros is the identity.
UNIT = math.log(math.expm1(1 - MIN_DERIVATIVE))


def numbers(bins: int) -> int:
    """Returns how many raw numbers a spline with `bins` bins takes: widths, heights, slopes.

    Raises:
        ValueError: There is no bin.
    """
    if bins < 1:
        raise ValueError(f"Expected at least one bin of a spline, got {bins}.")
    return 3 * bins - 1


def knots(theta: Tensor, bound: float) -> Tensor:
    """Returns positions and derivatives at the knots.

    Args:
        theta: Raw numbers, shape `(..., 3 K - 1)`.
        bound: The splines live on [-bound, bound].

    Returns:
        Rows x, y and dy/dx, shape `(..., 3, K + 1)`.
    """
    K = (theta.shape[-1] + 1) // 3
    sizes, slopes = theta.split([2 * K, K - 1], -1)
    # Over the first axis: over a short last one softmax takes ten times as long.
    share = sizes.unflatten(-1, (2, K)).movedim(-1, 0).contiguous().softmax(0).movedim(0, -1)
    share = MIN_SHARE + (1 - MIN_SHARE * K) * share
    place = functional.pad(share.cumsum(-1), (1, 0)) * (2 * bound) - bound
    slope = functional.softplus(slopes.unsqueeze(-2) + UNIT) + MIN_DERIVATIVE
    return torch.cat([place, functional.pad(slope, (1, 1), value=1.0)], dim=-2)


def spline(x: Tensor, theta: Tensor, bound: float, inverse: bool = False) -> tuple[Tensor, Tensor]:
    """Maps each number by its own spline.

    Args:
        x: Numbers, shape `(...)`.
        theta: Raw numbers of the splines, shape `(..., 3 K - 1)`.
        bound: The splines live on [-bound, bound].
        inverse: Whether to map back.

    Returns:
        The images and the log-derivatives of the map that was asked for, each of shape `(...)`.
    """
    table = knots(theta, bound)
    inner = x.clamp(-bound, bound)
    edges = table.detach()[..., 1 if inverse else 0, 1:-1].contiguous()
    k = torch.searchsorted(edges, inner.detach().unsqueeze(-1))  # (..., 1)
    x0, x1, y0, y1, d0, d1 = _ends(table, k)
    width, height = x1 - x0, y1 - y0
    s = height / width
    curve = d0 + d1 - 2 * s
    xi = _root(inner - y0, height, s, d0, curve) if inverse else (inner - x0) / width
    rest = 1 - xi
    both = xi * rest
    q = s + curve * both
    slope = (s / q).square() * (d1 * xi * xi + 2 * s * both + d0 * rest * rest)
    y = x0 + width * xi if inverse else y0 + height * (s * xi * xi + d0 * both) / q
    inside = x.detach().abs() < bound
    log_slope = torch.where(inside, slope, 1.0).log()
    return torch.where(inside, y, x), -log_slope if inverse else log_slope


def _ends(table: Tensor, k: Tensor) -> tuple[Tensor, ...]:
    """Picks x, y and dy/dx at both ends of bin k `(..., 1)`: six tensors of shape `(...)`."""
    K = table.shape[-1]
    offsets = torch.tensor([0, 1, K, K + 1, 2 * K, 2 * K + 1], device=k.device)
    return table.flatten(-2).gather(-1, k + offsets).unbind(-1)


def _root(rise: Tensor, height: Tensor, s: Tensor, d0: Tensor, curve: Tensor) -> Tensor:
    """Solves a xi^2 + b xi + c = 0 for the root in [0, 1], in the form that does not cancel."""
    a = height * (s - d0) + rise * curve
    b = height * d0 - rise * curve
    c = -s * rise
    discriminant = (b.square() - 4 * a * c).clamp_min(0)
    return (2 * c / (-b - discriminant.sqrt())).clamp(0, 1)
