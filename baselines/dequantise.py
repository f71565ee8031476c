r"""From integers to real numbers and back: noise that fills the cells of a grid.

An integer x in {0, ..., K-1} becomes (x + u) / K with u in [0, 1). A density p of the result gives
a bound (Theis et al. 2016, arXiv:1511.01844, eq. 7), which K draws of u tighten (Hoogeboom et al.
2020, arXiv:2001.11235, eq. 8):

    log P(x) >= E_u [log p(x + u)],      log P(x) >= E log 1/K sum_k p(x + u_k) / q(u_k | x).

It is a bound where log p is exact or itself a bound. `logit` maps the cube to all of R^D (Dinh et
al. 2017, arXiv:1605.08803, section 4.1), with the Jacobian that a likelihood must carry.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def uniform(x: Tensor) -> Tensor:
    """Adds u ~ U[0, 1) to integers; float32."""
    x = x.float()
    return x + torch.rand_like(x)


def logit(y: Tensor, margin: float = 0.05) -> tuple[Tensor, Tensor]:
    """Maps the unit cube to R^D: z = log p / (1 - p) with p = margin + (1 - 2 margin) y.

    Args:
        y: Points in [0, 1], shape `(B, *shape)`.
        margin: Distance that is kept from both ends.

    Returns:
        The points, and the log of the Jacobian's determinant in nats, shape `(B,)`.
    """
    p = margin + (1 - 2 * margin) * y
    log_det = math.log(1 - 2 * margin) - p.log() - (-p).log1p()
    return p.log() - (-p).log1p(), log_det.flatten(1).sum(1)


def unlogit(z: Tensor, margin: float = 0.05) -> Tensor:
    """Returns the point of the unit cube, cut to it, that `logit` maps to z."""
    return ((z.sigmoid() - margin) / (1 - 2 * margin)).clamp(0, 1)


def bound(
    log_density: Callable[[Tensor], Tensor], encode: Callable[[Tensor], Tensor], x: Tensor, K: int
) -> Tensor:
    """Returns the log-mean-exp of K draws of a noisy density, in nats, shape `(B,)`.

    A lower bound of log P(x) where `log_density` is exact; its expectation rises with K.

    Args:
        log_density: log p of encoded points, `(N, *shape)` to `(N,)`.
        encode: Draws the noise of points, `(N, *shape)` to `(N, *shape)`.
        x: Points of the domain, shape `(B, *shape)`.
        K: Number of draws.
    """
    y = encode(x.repeat(K, *[1] * (x.dim() - 1)))
    log_p = log_density(y).unflatten(0, (K, -1))  # (K, B)
    return log_p.logsumexp(0) - math.log(K)


def said(K: int) -> str:
    """Says what `bound` computes, for a number's protocol."""
    return f"{K} draw{'s' if K != 1 else ''} of dequantisation"


def cells(x: Tensor, levels: int) -> Tensor:
    """Returns the middles of the cells of integers in [-1, 1]: (2x + 1)/K - 1, undisturbed."""
    return (2 * x.float() + 1) / levels - 1


def floor(y: Tensor, levels: int) -> Tensor:
    """Returns the integer whose cell holds y, cut to 0..levels-1; int64."""
    return torch.floor(y).clamp(0, levels - 1).long()
