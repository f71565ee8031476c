r"""Block jackknife: the standard error of any smooth function of rows.

Delete one of g blocks of rows at a time. With block j of m_j out of n rows and h_j = n / m_j
(Busing, Meijer & van der Leeden, Delete-m jackknife for unequal m, Statistics and Computing 9,
1999):

    tau_j = h_j T - (h_j - 1) T_(-j),      var T = 1/g sum_j (tau_j - mean tau)^2 / (h_j - 1).

Sides that are independent samples are jackknifed one after the other and their variances add up.
Unlike the bootstrap with replacement it makes no duplicates, which neighbour metrics would mistake
for near points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .sorting import shuffled_order


def block_jackknife(
    estimator: Callable[..., float], *sides: Tensor, blocks: int = 20, seed: int = 0
) -> float:
    """Returns the standard error of `estimator(*sides)`.

    The blocks are dealt by content and seed: the result does not depend on the order of the rows.
    Costs `blocks` calls for each side and one on all rows.

    Args:
        estimator: Takes the sides with some rows missing and returns a number.
        sides: Independent samples, each of shape `(N_k, *shape)`.
        blocks: Number g of blocks of a side; a side of fewer rows gets one block a row.
        seed: Seed of the deal.

    Raises:
        ValueError: Fewer than two blocks, or a side of fewer than two rows.
    """
    variances = jackknife_variances(
        lambda *rows: [estimator(*rows)], *sides, blocks=blocks, seed=seed
    )
    return math.sqrt(variances[0])


def jackknife_variances(
    estimator: Callable[..., Sequence[float]], *sides: Tensor, blocks: int = 20, seed: int = 0
) -> list[float]:
    """Returns the variances of several numbers that one estimator returns together.

    Args, cost and errors as in `block_jackknife`; the estimator returns a sequence of numbers.
    """
    if blocks < 2 or min(len(side) for side in sides) < 2:
        sizes = [len(side) for side in sides]
        raise ValueError(f"Expected two blocks and two rows at least, got {blocks} and {sizes}.")
    full = torch.tensor(list(estimator(*sides)), dtype=torch.float64)
    total = torch.zeros_like(full)
    for k in range(len(sides)):
        total = total + _side_variance(estimator, sides, k, full, min(blocks, len(sides[k])), seed)
    return [float(variance) for variance in total]


def _side_variance(
    estimator: Callable[..., Sequence[float]],
    sides: tuple[Tensor, ...],
    k: int,
    full: Tensor,
    blocks: int,
    seed: int,
) -> Tensor:
    n = len(sides[k])
    block_of = torch.empty(n, dtype=torch.long, device=sides[k].device)
    block_of[shuffled_order(sides[k], seed + k)] = torch.arange(n, device=sides[k].device) % blocks
    h = n / torch.bincount(block_of, minlength=blocks).to("cpu", torch.float64)[:, None]
    left = [list(estimator(*_without(sides, k, block_of == j))) for j in range(blocks)]
    tau = h * full - (h - 1) * torch.tensor(left, dtype=torch.float64)
    return ((tau - tau.mean(dim=0)) ** 2 / (h - 1)).mean(dim=0)


def _without(sides: tuple[Tensor, ...], k: int, dropped: Tensor) -> list[Tensor]:
    return [side[~dropped] if i == k else side for i, side in enumerate(sides)]
