r"""The error of a number of two samples, from independent halves.

Deal both sides into halves a and b: T_aa and T_bb are independent and of one law, so that

    E (T_aa - T_bb)^2 / 2 = V(n/2),    E (T_aa - T_ab)(T_ba - T_bb) / 2 = V(n/2) of y alone,

with T_ab of the half a of x and the half b of y. Both are averaged over deals and halved once
more, V(n) = V(n/2) / 2, as for a mean. Halves have no duplicates, which neighbours would mistake
for near points, and where an estimator's expectation moves with n it moves alike in both halves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..estimate import Estimate
from .sorting import shuffled_order

NOT_ASKED = "no standard error was asked for"
_DEALS = 20


def estimate_by_halves(
    estimator: Callable[[Tensor, Tensor], float],
    x: Tensor,
    y: Tensor,
    least: int,
    stderr: bool = True,
) -> Estimate:
    """Returns `estimator(x, y)` with its error bar; rows of `y` are what seeds share.

    Args:
        estimator: Takes both sides and returns a number; called 81 times, on halves but for one.
        x: Samples, shape `(N, D)`.
        y: Reference, shape `(M, D)`.
        least: Points that a half must have; with fewer the standard error is NaN.
        stderr: Whether the error bar is estimated; else it is NaN, and one call is all.
    """
    value = estimator(x, y)
    if not stderr or min(len(x), len(y)) < 2 * least:
        why = "too few points for a standard error" if stderr else NOT_ASKED
        return Estimate(value, math.nan, len(x), why)
    total, alone = 0.0, 0.0
    order_x, order_y = shuffled_order(x, seed=1), shuffled_order(y, seed=2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(_DEALS):
        (xa, xb), (ya, yb) = _dealt(x, order_x, generator), _dealt(y, order_y, generator)
        aa, bb, ab, ba = (estimator(*pair) for pair in ((xa, ya), (xb, yb), (xa, yb), (xb, ya)))
        total += (aa - bb) ** 2 / 2
        alone += (aa - ab) * (ba - bb) / 2
    variance, shared = total / _DEALS / 2, max(alone / _DEALS / 2, 0.0)
    note = "" if variance else f"the same in every half: an error below 1/{len(x)}, not none"
    return Estimate(value, math.sqrt(variance), len(x), note, math.sqrt(min(shared, variance)))


def _dealt(rows: Tensor, order: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    deal = torch.randperm(len(rows), generator=generator)
    deal, half = order[deal.to(order.device)], len(rows) // 2
    return rows[deal[:half]], rows[deal[half : 2 * half]]
