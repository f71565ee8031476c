r"""Bounds of a marginal likelihood by importance weights, and a density of samples.

Kingma & Welling 2014, arXiv:1312.6114, eq. 3; Burda, Grosse & Salakhutdinov, Importance Weighted
Autoencoders, ICLR 2016, arXiv:1509.00519, eq. 8. With log w = log p(x, z) - log q(z | x), z ~ q,

    ELBO = E log w  <=  L_K = E log 1/K sum_k w_k  <=  log p(x),      L_1 = ELBO, L_K up to log p.

Parzen windows (`kde_log_likelihood`) are no bound: log 1/N sum_n N(x; x_n, s^2 I) is the density
of the samples blurred. Theis, van den Oord & Bethge (A note on the evaluation of generative
models, ICLR 2016, arXiv:1511.01844, section 3.2) show that it ranks models wrongly; it is here to
show that beside the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

LogWeight = Callable[[Tensor, int], Tensor]  # x (B, *shape) and K to nats (K, B)
_NUMBERS = 2**22  # of a block of distances


def elbo(log_weight: LogWeight, x: Tensor, draws: int = 1) -> Tensor:
    """Returns the evidence lower bound of each point in nats, shape `(B,)`.

    Args:
        log_weight: Draws K latents a point and returns log p(x, z) - log q(z | x).
        x: Points, shape `(B, *shape)`.
        draws: Draws that are averaged.

    Raises:
        ValueError: No draw, or weights of another shape, or NaN.
    """
    return _weights(log_weight, x, draws).mean(0)


def iwae_bound(log_weight: LogWeight, x: Tensor, k: int, block: int | None = None) -> Tensor:
    """Returns the bound L_k of each point in nats, shape `(B,)`.

    Args:
        log_weight: As in `elbo`.
        x: Points, shape `(B, *shape)`.
        k: Draws a point.
        block: Draws at a time, which bounds the memory; None takes all at once.

    Raises:
        ValueError: See `elbo`.
    """
    if k < 1 or (block is not None and block < 1):
        raise ValueError(f"Expected at least one draw, got k = {k}, block = {block}.")
    total = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)
    for first in range(0, k, block or k):
        some = _weights(log_weight, x, min(block or k, k - first))
        total = torch.logaddexp(total, some.logsumexp(0))
    return total - math.log(k)


def importance_bounds(
    log_weight: LogWeight, x: Tensor, k: int, block: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns L_1, L_{k/2} and L_k of each point in nats from the same k draws, each `(B,)`.

    L_1 is the mean of all log weights and L_{k/2} that of both halves, so that their differences
    from L_k, which are never negative, have little noise: how far one draw is behind, and what the
    next draws may still bring. For weights log p(x + u) of dequantised integers the first is the
    gap of dequantisation (Hoogeboom et al. 2020, arXiv:2001.11235, eq. 8).

    Args:
        log_weight: As in `elbo`.
        x: Points, shape `(B, *shape)`.
        k: Draws a point, an even number.
        block: Draws at a time; None takes all at once.

    Raises:
        ValueError: See `elbo`; or k is odd.
    """
    if k < 2 or k % 2 or (block is not None and block < 1):
        raise ValueError(f"Expected an even number of draws, got k = {k}, block = {block}.")
    mean = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    halves = torch.full((2, len(x)), -math.inf, dtype=torch.float64, device=x.device)
    for half in range(2):
        for first in range(0, k // 2, block or k):
            some = _weights(log_weight, x, min(block or k, k // 2 - first))
            mean += some.sum(0) / k
            halves[half] = torch.logaddexp(halves[half], some.logsumexp(0))
    both = halves.mean(0) - math.log(k // 2)
    return mean, both, torch.logaddexp(*halves) - math.log(k)


def _weights(log_weight: LogWeight, x: Tensor, k: int) -> Tensor:
    if k < 1:
        raise ValueError(f"Expected at least one draw, got {k}.")
    found = log_weight(x, k).double()
    if found.shape != (k, len(x)):
        raise ValueError(f"Expected log weights of shape {(k, len(x))}, got {tuple(found.shape)}.")
    if found.isnan().any():
        draw, point = (int(i) for i in found.isnan().nonzero()[0])
        raise ValueError(f"Expected log weights, got NaN in draw {draw} of point {point}.")
    return found


def kde_log_likelihood(x: Tensor, samples: Tensor, scale: float) -> Tensor:
    """Returns the log-density of blurred samples at each point in nats, shape `(B,)`.

    Args:
        x: Points, shape `(B, *shape)`.
        samples: Samples of a model, shape `(N, *shape)`.
        scale: Standard deviation s of the blur.

    Returns:
        Time is O(B N D), memory linear.

    Raises:
        ValueError: A scale that is not positive, no sample, or points of another shape.
    """
    if not scale > 0 or not len(samples) or x.shape[1:] != samples.shape[1:]:
        raise ValueError(
            f"Expected scale > 0 and samples of the points' shape {tuple(x.shape[1:])}, got "
            f"{scale} and {len(samples)} samples of {tuple(samples.shape[1:])}."
        )
    points, centres = (side.flatten(1).double() for side in (x, samples))
    step = max(1, _NUMBERS // max(len(centres), 1))
    found = [
        (-0.5 * (torch.cdist(part, centres) / scale).square()).logsumexp(1)
        for part in points.split(step)
    ]
    dims = points.shape[1]
    constant = dims * math.log(scale * math.sqrt(2 * math.pi)) + math.log(len(centres))
    return torch.cat(found) - constant


def kde_scale(val: Tensor, samples: Tensor, scales: Sequence[float]) -> float:
    """Returns the scale of the blur under which validation points are most likely.

    Args:
        val: Validation points, shape `(B, *shape)`.
        samples: Samples of a model, shape `(N, *shape)`.
        scales: Candidates.

    Raises:
        ValueError: No candidate; see `kde_log_likelihood`.
    """
    if not scales:
        raise ValueError("Expected at least one scale, got none.")
    means = {s: float(kde_log_likelihood(val, samples, s).mean()) for s in scales}
    return max(means, key=means.__getitem__)
